/* dtype.h: element types as files and memory know them, and conversion to and from float and double. Layer:
 * base. */
#ifndef AT_DTYPE_H
#define AT_DTYPE_H

#include "base/base.h"

/* identifier, safetensors name, bytes */
#define AT_DTYPE_LIST(X)                                                                                     \
    X(AT_F32, "F32", 4)                                                                                      \
    X(AT_F64, "F64", 8)                                                                                      \
    X(AT_F16, "F16", 2)                                                                                      \
    X(AT_BF16, "BF16", 2)                                                                                    \
    X(AT_I8, "I8", 1)                                                                                        \
    X(AT_U8, "U8", 1)                                                                                        \
    X(AT_I16, "I16", 2)                                                                                      \
    X(AT_U16, "U16", 2)                                                                                      \
    X(AT_I32, "I32", 4)                                                                                      \
    X(AT_U32, "U32", 4)                                                                                      \
    X(AT_I64, "I64", 8)                                                                                      \
    X(AT_U64, "U64", 8)                                                                                      \
    X(AT_BOOL, "BOOL", 1)

typedef enum at_dtype {
#define X(id, name, bytes) id,
    AT_DTYPE_LIST(X)
#undef X
        AT_DTYPE_COUNT
} at_dtype;

static inline const char *at_dtype_name(at_dtype t)
{
    static const char *const names[] = {
#define X(id, name, bytes) name,
        AT_DTYPE_LIST(X)
#undef X
    };
    return names[t];
}

static inline size_t at_dtype_size(at_dtype t)
{
    static const unsigned char sizes[] = {
#define X(id, name, bytes) bytes,
        AT_DTYPE_LIST(X)
#undef X
    };
    return sizes[t];
}

static inline float at_bf16_to_f32(uint16_t h)
{
    const uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t at_f32_to_bf16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

/* IEEE 754 binary16, round to nearest, ties to even; too large becomes infinity. */
static inline uint16_t at_f32_to_f16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return sign | 0x7e00;
    if (magnitude >= 0x477ff000u) return sign | 0x7c00; /* rounds to 65536 or more */
    if (magnitude < 0x38800000u) { /* subnormal: let the FPU round to a multiple of 2^-24 */
        float scaled;
        memcpy(&scaled, &magnitude, sizeof scaled);
        scaled = scaled + 0.5f; /* 0.5 + k * 2^-24 holds exactly the wanted bits */
        uint32_t rounded;
        memcpy(&rounded, &scaled, sizeof rounded);
        return sign | (uint16_t)(rounded - 0x3f000000u);
    }
    const uint32_t even = magnitude >> 13 & 1;
    return sign | (uint16_t)((magnitude - 0x38000000u + 0xfffu + even) >> 13);
}

static inline float at_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
    uint32_t bits;
    if (exponent == 31) {
        bits = sign | 0x7f800000u | mantissa << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else { /* zero and subnormal: mantissa * 2^-24 is exact in binary32 */
        const float magnitude = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    }
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#endif
