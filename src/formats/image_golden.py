"""Goldens of image.h: small files of every kind and what Pillow decodes them to.

Writes image_golden.safetensors beside itself: "file/NAME" are a file's bytes, "rgb/NAME" [height, width, 3] its
pixels. Run with Pillow 13.0.0, numpy 2.4.6, safetensors 0.8.0 and libturbojpeg of the system (for YCCK, which
Pillow does not write). Seed 0."""
import ctypes
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

rng = np.random.default_rng(0)
files = {}


def picture(width, height, channels=3):
    """Smooth colours with some noise, as photos are."""
    small = rng.integers(0, 256, (max(2, height // 6), max(2, width // 6), channels), dtype=np.uint8)
    planes = [Image.fromarray(small[..., c]).resize((width, height), 3) for c in range(channels)]
    smooth = np.stack([np.asarray(p) for p in planes], -1).astype(int)
    return np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# ---- JPEG: Pillow's writer

rgb = Image.fromarray(picture(29, 19))
for name, options in {
    "jpeg-444": {"subsampling": 0},
    "jpeg-422": {"subsampling": 1},
    "jpeg-420": {"subsampling": 2},
    "jpeg-coarse": {"quality": 5},
    "jpeg-fine": {"quality": 100},
    "jpeg-progressive": {"progressive": True},
    "jpeg-optimised": {"optimize": True},
    "jpeg-restarts": {"restart_marker_blocks": 1},
    "jpeg-rgb": {"keep_rgb": True, "subsampling": 0},
    "jpeg-exif-turned": {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"},
}.items():
    files[name] = saved(rgb, "jpeg", **options)
files["jpeg-grey"] = saved(rgb.convert("L"), "jpeg")
files["jpeg-grey-progressive"] = saved(rgb.convert("L"), "jpeg", progressive=True)
files["jpeg-one-pixel"] = saved(rgb.crop((0, 0, 1, 1)), "jpeg")
files["jpeg-trailer"] = files["jpeg-420"] + b"what a phone appends"
cmyk = Image.fromarray(picture(19, 17, 4), "CMYK")
files["jpeg-cmyk"] = saved(cmyk, "jpeg")


def ycck(image):
    """TurboJPEG writes CMYK pixels as YCCK."""
    tj = ctypes.CDLL("libturbojpeg.so.0")
    tj.tjInitCompress.restype = ctypes.c_void_p
    out, size = ctypes.c_void_p(), ctypes.c_ulong()
    tjpf_cmyk, tjsamp_420 = 11, 2
    assert tj.tjCompress2(
        ctypes.c_void_p(tj.tjInitCompress()), image.tobytes(), image.width, 0, image.height, tjpf_cmyk,
        ctypes.byref(out), ctypes.byref(size), tjsamp_420, 90, 0) == 0
    return ctypes.string_at(out, size.value)


files["jpeg-ycck"] = ycck(cmyk)

# ---- JPEG with sampling factors that no common writer uses: blocks of one tone each


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def blocky(width, height, sampling):
    """Baseline JPEG of random flat blocks; sampling: (h, v) of each component."""
    h_most, v_most = max(h for h, _ in sampling), max(v for _, v in sampling)
    across, down = -(-width // (8 * h_most)), -(-height // (8 * v_most))
    bits, last = "", [0] * len(sampling)
    for _ in range(across * down):
        for c, (h, v) in enumerate(sampling):
            for _ in range(h * v):
                tone = int(rng.integers(-60, 61))
                step, last[c] = tone - last[c], tone
                n = abs(step).bit_length()
                bits += format(n, "04b")  # twelve codes of 4 bits
                bits += format(step if step > 0 else step + (1 << n) - 1, f"0{n}b") if n else ""
                bits += "0"  # end of block, the only other symbol
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    frame = struct.pack(">BHHB", 8, height, width, len(sampling))
    frame += b"".join(bytes([c + 1, h << 4 | v, 0]) for c, (h, v) in enumerate(sampling))
    scan = bytes([len(sampling)]) + b"".join(bytes([c + 1, 0]) for c in range(len(sampling))) + b"\0\x3f\0"
    return (b"\xff\xd8" + segment(0xDB, b"\0" + b"\x10" * 64) + segment(0xC0, frame)
            + segment(0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
            + segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0") + segment(0xDA, scan) + data + b"\xff\xd9")


files["jpeg-410"] = blocky(38, 19, [(4, 2), (1, 1), (1, 1)])
files["jpeg-441"] = blocky(17, 38, [(1, 4), (1, 1), (1, 1)])
files["jpeg-unequal"] = blocky(17, 22, [(1, 2), (1, 1), (1, 2)])
files["jpeg-chroma-larger"] = blocky(17, 22, [(1, 1), (2, 2), (1, 1)])

# ---- PNG


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(pixels, colour_type, bits=8, interlaced=False, before=b"", parts=1):
    """pixels: [height, width, samples]; before: chunks in front of the data; parts: data chunks."""
    height, width = pixels.shape[:2]
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    rows = b""
    for x, y, dx, dy in passes:
        part = pixels[y::dy, x::dx]
        if part.size:
            rows += b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in part)
    data = zlib.compress(rows)
    cuts = [len(data) * i // parts for i in range(parts + 1)]
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)) + before
            + b"".join(chunk(b"IDAT", data[a:b]) for a, b in zip(cuts, cuts[1:])) + chunk(b"IEND", b""))


GREY, RGB, GREY_ALPHA, RGBA = 0, 2, 4, 6
colour = picture(21, 15)
four = picture(21, 15, 4)
gamma = chunk(b"gAMA", struct.pack(">I", 100000))
files["png-rgb"] = png(colour, RGB)
files["png-parts"] = png(colour, RGB, parts=5)
files["png-interlaced"] = png(colour, RGB, interlaced=True)
files["png-rgb-key"] = png(colour, RGB, before=chunk(b"tRNS", struct.pack(">HHH", *map(int, colour[0, 0]))))
files["png-gamma"] = png(colour, RGB, before=gamma)
files["png-gamma-grey"] = png(colour[..., :1], GREY, before=chunk(b"gAMA", struct.pack(">I", 55556)))
files["png-gamma-alpha"] = png(four, RGBA, before=gamma)
files["png-background"] = png(four, RGBA, before=chunk(b"bKGD", struct.pack(">HHH", 9, 99, 199)))
files["png-rgba"] = png(four, RGBA)
files["png-rgba-interlaced"] = png(four, RGBA, interlaced=True)
files["png-grey"] = png(colour[..., :1], GREY)
files["png-grey-alpha"] = png(four[..., :2], GREY_ALPHA)
files["png-rgb-16"] = png(rng.integers(0, 65536, (9, 11, 3)), RGB, bits=16)
files["png-rgb-16-gamma"] = png(rng.integers(0, 65536, (9, 11, 3)), RGB, bits=16, before=gamma)
index = Image.fromarray(colour).quantize(40)
files["png-palette"] = saved(index, "png")
files["png-palette-transparent"] = saved(index, "png", transparency=bytes(range(0, 200, 5)))
for bits, colours in ((1, 2), (2, 4), (4, 16)):
    files[f"png-palette-{bits}"] = saved(Image.fromarray(colour).quantize(colours), "png", bits=bits)
files["png-black-and-white"] = saved(Image.fromarray(colour).convert("1"), "png")
files["png-one-pixel"] = png(colour[:1, :1], RGB)

tensors = {}
for name, data in files.items():
    tensors["file/" + name] = np.frombuffer(data, np.uint8).copy()
    tensors["rgb/" + name] = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).copy()
# Pillow turns 16-bit grey white above 255; here it keeps the high byte, as it does with colours.
wide = rng.integers(0, 65536, (9, 11, 1))
tensors["file/png-grey-16"] = np.frombuffer(png(wide, GREY, bits=16), np.uint8).copy()
tensors["rgb/png-grey-16"] = np.repeat(wide >> 8, 3, -1).astype(np.uint8)
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "image_golden.safetensors"))
