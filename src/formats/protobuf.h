/* protobuf.h: walk a message in protobuf's wire format (protobuf.dev/programming-guides/encoding). For
 * SentencePiece's models: no schema, no writing. Layer: formats. */
#ifndef AT_PROTOBUF_H
#define AT_PROTOBUF_H

#include "base/base.h"

typedef struct at_protobuf {
    const unsigned char *at, *end;
    bool broken; /* the message ends in the middle of a field, or has a kind of field that is none */
} at_protobuf;

typedef struct at_protobuf_field {
    uint64_t number;           /* of the field, from 1 */
    uint64_t whole;            /* varint, or the bits of fixed32 and fixed64 */
    const unsigned char *data; /* length-delimited: text, bytes, a message; else NULL */
    size_t size;
} at_protobuf_field;

/* The next field; false at the end and when the message is broken. */
bool at_protobuf_next(at_protobuf *m, at_protobuf_field *out);

/* A field that is a message of its own. */
at_protobuf at_protobuf_inside(const at_protobuf_field *field);

/* The float in a fixed32 field. */
float at_protobuf_float(const at_protobuf_field *field);

#endif
