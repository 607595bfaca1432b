"""Goldens of pixels.h: Pillow's resize, and what Transformers and timm make of pictures.

Writes golden.safetensors beside itself. Run with Pillow 13.0.0, transformers 5.23.0, timm 1.0.31, torch 2.15.0,
torchvision 0.29.2, numpy 2.4.6, safetensors 0.8.0; the first argument is the folder of real data (for the hashes).
  resize/in/NAME, resize/out/NAME/FILTER/WxH     [height, width, 3] bytes
  photo/W/H/FILTER/PATH                           SHA-256 of a decoded and resized photo
  fit/in/NAME, fit/out/CONFIG/NAME                bytes in, floats out [height, width, 3]
  metadata transformers/CONFIG, timm/CONFIG       the configuration, as JSON
Seed 0."""
import hashlib
import json
import os
import sys

import numpy as np
import timm.data
from PIL import Image
from safetensors.numpy import save_file
from transformers import (ConvNextImageProcessorPil, DeiTImageProcessorPil, MobileNetV2ImageProcessorPil,
                          ViTImageProcessorPil)

rng = np.random.default_rng(0)
tensors, metadata = {}, {}


def noise(width, height):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def gradient(width, height):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1).astype(np.uint8)


# ---- Resize: noise; sharp edges, where sums leave the range of a byte; gradients, where rounding shows

# found by search: one of few small pictures that tell constants of float from those of double precision
hamming = np.frombuffer(bytes.fromhex(
    "e3f593d9c534f3f24954aebac96b706fa39932cfe9b6bc0fac37e91ae7500078373c41630e4d27830f8a62243fa1bc80"
    "ec34e5c946c04c00cac5b8adf84e9a595e2472c91dba0d2e9c2a231292b6fb285420c124b0398f0c1cf73672158bad15"
    "0052e1613201c4ff52b707d9a3d8151a496e730ff0e742f0e373c7d9439b58f942d91b1ba6b484ae4abddfb94a691d4d"
    "06553c35049a663a121332ef5a8cc2b6039038bd0bb5e1b731df8ac2018a5b7872c8e64a"), np.uint8).reshape(12, 5, 3)
resized = {
    "noise": (noise(37, 23), [(17, 11), (41, 25), (37, 11), (17, 23), (36, 5), (1, 1)]),
    "edges": ((noise(9, 61) > 127).astype(np.uint8) * 255, [(4, 20), (20, 9), (9, 15)]),
    "gradient": (gradient(64, 48), [(22, 16), (72, 10)]),
    "dot": (noise(1, 1), [(3, 2)]),
    "wide": (noise(60, 2), [(7, 5), (2, 1)]),
    "hamming": (hamming, [(8, 4)]),
}
for name, (pixels, sizes) in resized.items():
    tensors[f"resize/in/{name}"] = pixels
    for filter in range(6):
        for size in sizes:
            tensors[f"resize/out/{name}/{filter}/{size[0]}x{size[1]}"] = np.asarray(
                Image.fromarray(pixels).resize(size, filter)).copy()

photos = ["demo-photos/test/bean_rust/001.jpg", "demo-photos/train/healthy/017.jpg",
          "data/images-crop-pests-xie24/TEST/4_Maruca testulalis/Maruca testulalis11.jpg",
          "data/images-crop-pests-xie24/TEST/15_Pieris rapae/Pieris rapae15.jpg"]
for path in photos:
    photo = Image.open(os.path.join(sys.argv[1], path)).convert("RGB")
    for width, height, filter in ((224, 224, 2), (299, 180, 3), (100, 333, 1), (180, 64, 4), (50, 50, 5), (300, 200, 0)):
        pixels = photo.resize((width, height), filter).tobytes()
        tensors[f"photo/{width}/{height}/{filter}/{path}"] = np.frombuffer(
            hashlib.sha256(pixels).digest(), np.uint8).copy()

# ---- Transformers and timm

pictures = {"landscape": noise(41, 26), "portrait": noise(23, 50), "small": noise(9, 7)}
half = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
uneven = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
processors = {
    "mobilenet": (MobileNetV2ImageProcessorPil, ["landscape", "portrait", "small"], {
        "image_processor_type": "MobileNetV2ImageProcessor", "do_resize": True, "size": {"shortest_edge": 16},
        "resample": 2, "do_center_crop": True, "crop_size": {"height": 13, "width": 13}, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, **half}),
    "mobilenet-old": (MobileNetV2ImageProcessorPil, ["landscape"], {
        "feature_extractor_type": "MobileNetV2FeatureExtractor", "size": 15, "resample": 3, "crop_size": 11, **uneven}),
    "vit": (ViTImageProcessorPil, ["landscape", "portrait"], {
        "image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 12, "width": 10},
        "resample": 3, "do_rescale": True, "rescale_factor": 0.00392156862745098, "do_normalize": True, **uneven}),
    "vit-old": (ViTImageProcessorPil, ["landscape"], {
        "do_normalize": True, "do_resize": True, "feature_extractor_type": "ViTFeatureExtractor", "size": 12,
        "resample": 2, **half}),
    "vit-bytes": (ViTImageProcessorPil, ["small"], {
        "image_processor_type": "ViTImageProcessor", "do_resize": False, "do_rescale": False, "do_normalize": False}),
    "vit-offset": (ViTImageProcessorPil, ["small"], {
        "image_processor_type": "ViTImageProcessor", "size": {"height": 6, "width": 6}, "resample": 0,
        "do_rescale": False, "image_mean": [127.5, 127.5, 127.5], "image_std": [127.5, 127.5, 127.5]}),
    "deit": (DeiTImageProcessorPil, ["portrait"], {
        "feature_extractor_type": "DeiTFeatureExtractor", "size": 16, "resample": 3, "do_center_crop": True,
        "crop_size": 11, "do_normalize": True, **uneven}),
    "padded": (MobileNetV2ImageProcessorPil, ["small", "portrait"], {
        "image_processor_type": "MobileNetV2ImageProcessor", "do_resize": False, "do_center_crop": True,
        "crop_size": {"height": 12, "width": 12}, **half}),
    "convnext": (ConvNextImageProcessorPil, ["landscape", "portrait"], {
        "image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875, "do_resize": True,
        "size": {"shortest_edge": 13}, "resample": 3, "do_rescale": True, "do_normalize": True, **uneven}),
    "convnext-old": (ConvNextImageProcessorPil, ["landscape"], {
        "feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.9, "size": 11, "resample": 2, **half}),
}
for name, (kind, used, config) in processors.items():
    metadata[f"transformers/{name}"] = json.dumps(config)
    given = {k: v for k, v in config.items() if not k.endswith("_type")}
    for picture in used:
        out = kind(**given)(Image.fromarray(pictures[picture]), return_tensors="np")["pixel_values"][0]
        tensors[f"fit/out/{name}/{picture}"] = np.ascontiguousarray(out.transpose(1, 2, 0)).astype(np.float32)

transforms = {
    "center": (["landscape", "portrait"], {
        "input_size": [3, 12, 12], "interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center",
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "url": "", "first_conv": "conv_stem"}),
    "center-odd": (["landscape", "portrait", "small"], {
        "input_size": [3, 11, 11], "interpolation": "bilinear", "crop_pct": 1.0, "mean": [0.5] * 3, "std": [0.5] * 3}),
    "defaults": (["landscape"], {"input_size": [3, 9, 9]}),
    "center-padded": (["landscape", "portrait"], {"input_size": [3, 12, 12], "crop_pct": 1.3}),
    "squash": (["landscape", "portrait"], {
        "input_size": [3, 9, 13], "interpolation": "lanczos", "crop_pct": 0.9, "crop_mode": "squash",
        "mean": [0.5] * 3, "std": [0.25] * 3}),
}
for name, (used, config) in transforms.items():
    metadata[f"timm/{name}"] = json.dumps(config)
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=config), is_training=False)
    for picture in used:
        tensors[f"fit/out/{name}/{picture}"] = np.ascontiguousarray(
            transform(Image.fromarray(pictures[picture])).numpy().transpose(1, 2, 0))

for name, pixels in pictures.items():
    tensors[f"fit/in/{name}"] = pixels
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.safetensors"), metadata)
