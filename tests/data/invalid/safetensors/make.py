#!/usr/bin/env python3
"""Writes the invalid safetensors files beside it: NAME/input and NAME/error, what the message must contain.

Each case is the smallest file with one defect. Run it after a change; the results are committed."""
import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    if length is None:
        text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def without(key):
    return {k: v for k, v in entry([1], 0, 4).items() if k != key}


GOOD = file({"a.weight": entry([3, 4], 0, 48)}, b"\0" * 48)
CASES = {
    "empty": (b"", "input: has 0 bytes, a safetensors file begins with 8 bytes"),
    "shorter_than_8_bytes": (b"\x10\0\0", "input: has 3 bytes, a safetensors file begins with 8 bytes"),
    "header_beyond_file": (file(b"{}", length=1000),
                           "the header needs 1000 bytes, the file ends after 2 of them; it is truncated"),
    "header_one_byte_beyond": (file(b"{}", length=3), "the header needs 3 bytes, the file ends after 2 of them"),
    "header_huge": (file(b"{}", length=2**63),
                    "the header's length is given as 9223372036854775808 bytes, more than 104857600"),
    "header_max": (file(b"{}", length=2**64 - 1), "given as 18446744073709551615 bytes"),
    "header_empty": (file(b"", length=0), "the header does not begin with \"{\""),
    "header_is_list": (file([]), "the header does not begin with \"{\""),
    "header_not_json": (file(b"{not json}"), "header:1:4: string or '}' expected near 'not'"),
    "header_ends_early": (file(b'{"a":'), "header:1:"),
    "header_and_more": (file(b"{} {}"), "end of file expected near '{'"),
    "header_padded_with_nul": (file(b"{}\0\0\0\0\0\0"), "header:1:"),
    "header_bad_utf8": (file(b'{"\xff":1}'), "unable to decode byte 0xff"),
    "truncated": (GOOD[:-1], 'tensor "a.weight": ends at byte 48 of the data, the file has 47; it is truncated'),
    "left_over": (GOOD + b"\0", "1 bytes are left over behind the last tensor, at byte 48 of the data"),
    "no_tensor_but_data": (file({}, b"\0"), "1 bytes are left over"),
    "unknown_dtype": (file({"a": entry([1], 0, 1, "F8_E4M3")}, b"\0"),
                      'tensor "a": dtype "F8_E4M3" is none of F32 F64 F16 BF16 I8'),
    "negative_dim": (file({"a": entry([2, -1], 0, 4)}, b"\0" * 4), 'tensor "a": dimension 1 is negative'),
    "fractional_dim": (file({"a": entry([1.5], 0, 4)}, b"\0" * 4), 'tensor "a": dimension 0 is a number, expected'),
    "dim_beyond_64_bits": (file({"a": entry([2**63], 0, 4)}, b"\0" * 4), "too big integer"),
    "product_overflows": (file({"a": entry([2**32, 2**32], 0, 4)}, b"\0" * 4),
                          'tensor "a": shape [4294967296,4294967296] of F32 does not fit 64 bits'),
    "bytes_overflow": (file({"a": entry([2**62], 0, 4)}, b"\0" * 4), "does not fit 64 bits"),
    "product_overflows_before_zero": (file({"a": entry([2**40, 2**40, 0], 0, 0)}), "does not fit 64 bits"),
    "too_many_dims": (file({"a": entry([1] * 9, 0, 4)}, b"\0" * 4), 'tensor "a": has 9 dimensions, at most 8'),
    "offsets_reversed": (file({"a": entry([1], 4, 0)}, b"\0" * 4), 'tensor "a": data_offsets [4,0] are reversed'),
    "offsets_negative": (file({"a": entry([1], -4, 0)}, b"\0" * 4), "must be two whole numbers from 0 on"),
    "offsets_three": (file({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, b"\0" * 8),
                      "must be two whole numbers from 0 on"),
    "offsets_text": (file({"a": {"dtype": "F32", "shape": [1], "data_offsets": ["0", 4]}}, b"\0" * 4),
                     "must be two whole numbers from 0 on"),
    "offsets_huge": (file({"a": entry([2**60 - 1], 2**62, 2**63 - 4)}, b""), "of the data, the file has 0"),
    "size_differs": (file({"a.weight": entry([3, 4], 0, 40)}, b"\0" * 40),
                     'tensor "a.weight": shape [3,4] of F32 needs 48 bytes, the header gives 40 (data_offsets [0,40])'),
    "size_larger": (file({"a": entry([1], 0, 8)}, b"\0" * 8),
                    'tensor "a": shape [1] of F32 needs 4 bytes, the header gives 8 (data_offsets [0,8])'),
    "overlap": (file({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, b"\0" * 12),
                'tensor "b" begins at byte 4 of the data, inside tensor "a" that ends at 8'),
    "same_place": (file({"a": entry([2], 0, 8), "b": entry([2], 0, 8)}, b"\0" * 8), 'inside tensor "a"'),
    "gap": (file({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, b"\0" * 12),
            'a gap of 4 bytes lies before tensor "b", at byte 4 of the data'),
    "gap_at_the_start": (file({"a": entry([1], 4, 8)}, b"\0" * 8), 'a gap of 4 bytes lies before tensor "a"'),
    "duplicate_name": (file(b'{"a":' + json.dumps(entry([1], 0, 4)).encode() + b',"a":' +
                            json.dumps(entry([1], 4, 8)).encode() + b"}", b"\0" * 8), "duplicate object key near '\"a\"'"),
    "no_dtype": (file({"a": without("dtype")}, b"\0" * 4), 'tensor "a": "dtype" is missing'),
    "no_shape": (file({"a": without("shape")}, b"\0" * 4), 'tensor "a": "shape" is missing'),
    "no_offsets": (file({"a": without("data_offsets")}, b"\0" * 4), 'tensor "a": "data_offsets" is missing'),
    "extra_member": (file({"a": {**entry([1], 0, 4), "scale": 1}}, b"\0" * 4), 'tensor "a": has members beside'),
    "dtype_is_number": (file({"a": entry([1], 0, 4, 32)}, b"\0" * 4), '"dtype" is a whole number, expected text'),
    "shape_is_map": (file({"a": entry({}, 0, 4)}, b"\0" * 4), '"shape" is a map, expected a list'),
    "entry_is_list": (file({"a": [1]}), 'tensor "a": is a list, expected a map'),
    "metadata_is_text": (file({"__metadata__": "x"}), '"__metadata__" is text, expected a map of text'),
    "metadata_of_numbers": (file({"__metadata__": {"epoch": 3}}), '"epoch" in "__metadata__" is a whole number'),
    "too_deep": (file(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"), "header:1: lists and maps are more than 64 deep"),
}

for name, (content, error) in CASES.items():
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "input"), "wb") as f:
        f.write(content)
    with open(os.path.join(folder, "error"), "w") as f:
        f.write(error + "\n")
