/* protobuf.c: protobuf's wire format. Layer: formats. */
#include "formats/protobuf.h"

/* Seven bits a byte, the lowest first. */
static uint64_t take_varint(at_protobuf *m)
{
    uint64_t x = 0;
    for (int shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        const unsigned char byte = *m->at++;
        x |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return x;
    }
    m->broken = true;
    return 0;
}

static uint64_t take_fixed(at_protobuf *m, int bytes)
{
    uint64_t x = 0;
    if (m->end - m->at < bytes) {
        m->broken = true;
        return 0;
    }
    for (int i = 0; i < bytes; i++) x |= (uint64_t)*m->at++ << (8 * i);
    return x;
}

static void take_data(at_protobuf *m, at_protobuf_field *out)
{
    const uint64_t size = take_varint(m);
    if (m->broken || size > (uint64_t)(m->end - m->at)) {
        m->broken = true;
        return;
    }
    out->data = m->at;
    out->size = (size_t)size;
    m->at += size;
}

bool at_protobuf_next(at_protobuf *m, at_protobuf_field *out)
{
    enum { VARINT, FIXED64, DATA, FIXED32 = 5 };
    *out = (at_protobuf_field){0};
    if (m->broken || m->at == m->end) return false;
    const uint64_t key = take_varint(m);
    out->number = key >> 3;
    switch (key & 7) {
    case VARINT:
        out->whole = take_varint(m);
        break;
    case FIXED64:
        out->whole = take_fixed(m, 8);
        break;
    case DATA:
        take_data(m, out);
        break;
    case FIXED32:
        out->whole = take_fixed(m, 4);
        break;
    default:
        m->broken = true;
    }
    return !m->broken;
}

at_protobuf at_protobuf_inside(const at_protobuf_field *field)
{
    static const unsigned char nothing[1];
    const unsigned char *data = field->data ? field->data : nothing;
    return (at_protobuf){data, data + field->size, false};
}

float at_protobuf_float(const at_protobuf_field *field)
{
    const uint32_t bits = (uint32_t)field->whole;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
