"""Goldens of MobileNetV2 (tools/golden_model.py says what they hold): golden_hf/ is a Transformers folder with
TensorFlow's padding, as the published checkpoints have it, golden_timm/ a timm folder with symmetric padding,
timm's default. timm fixes the last convolution at 1280 channels, too large for a test: its generator is run
with a smaller number, under a name of ours.
"""

import sys
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import golden_model  # noqa: E402
import transformers  # noqa: E402
from golden_model import HEIGHT, WIDTH, norms  # noqa: E402
from timm.models import efficientnet, register_model  # noqa: E402
from torch import nn  # noqa: E402


class MobileNet(golden_model.Layout):
    """What both layouts share."""

    head = "classifier"
    kinks = (0.0, 6.0)
    projections: tuple[str, ...]

    def randomise(self, model: nn.Module) -> None:
        """Gammas and betas that send values beyond both kinks of relu6.

        Projections get small gammas: twenty steps of a network that amplifies more cannot be followed in float32.
        """
        for name, norm in norms(model):
            projects = name.endswith(self.projections)
            norm.weight.uniform_(*((0.3, 0.6) if projects else (0.5, 1.2)))
            norm.bias.normal_(*((0.0, 0.3) if projects else (1.5, 1.5)))


class HuggingFace(MobileNet, golden_model.HuggingFace):
    """Transformers' MobileNetV2ForImageClassification."""

    network = transformers.MobileNetV2ForImageClassification
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "eps": {"layer_norm_eps": 1e-5},
        "padding": {"tf_padding": False},
    }
    projections = ("reduce_1x1.normalization",)
    seed = 46
    traced = (
        "mobilenet_v2.conv_stem.first_conv.",
        "mobilenet_v2.conv_stem.reduce_1x1.",
        "mobilenet_v2.layer.0.expand_1x1.",
        "mobilenet_v2.layer.5.conv_3x3.",
        "mobilenet_v2.layer.12.reduce_1x1.",
        "mobilenet_v2.conv_1x1.normalization.",
        "classifier.",
    )

    def config(self) -> Any:
        return transformers.MobileNetV2Config(
            depth_multiplier=0.09,
            expand_ratio=1.5,
            finegrained_output=False,
            image_size=[HEIGHT, WIDTH],
            classifier_dropout_prob=0.0,
        )

    def processor(self) -> Any:
        size = {"height": HEIGHT, "width": WIDTH}
        return transformers.MobileNetV2ImageProcessor(size=size, crop_size=size)


@register_model
def mobilenetv2_010(pretrained: bool = False, num_features: int = 1280, **kwargs: Any) -> nn.Module:
    """timm's MobileNetV2 generator at channel multiplier 0.10; the last convolution's width is free."""
    create = efficientnet._create_effnet

    def create_narrow(variant: str, pretrained: bool = False, **arguments: Any) -> nn.Module:
        return create(variant, pretrained, **{**arguments, "num_features": num_features})

    with mock.patch.object(efficientnet, "_create_effnet", create_narrow):
        return efficientnet._gen_mobilenet_v2("mobilenetv2_010", 0.10, pretrained=pretrained, **kwargs)


class Timm(MobileNet, golden_model.Timm):
    """timm's mobilenetv2_*."""

    architecture = "mobilenetv2_010"
    first_conv = "conv_stem"
    model_args: ClassVar[dict[str, Any]] = {
        "num_features": 24,
        "depth_multiplier": 0.3,
        "fix_stem_head": True,
    }
    variants: ClassVar[dict[str, dict[str, Any]]] = {"eps": {"bn_eps": 1e-3}, "padding": {"pad_type": "same"}}
    projections = (".0.0.bn2", "bn3")
    seed = 2
    traced = (
        "conv_stem.",
        "bn1.",
        "blocks.0.0.conv_pw.",
        "blocks.0.0.bn2.",
        "blocks.1.0.conv_pw.",
        "blocks.1.0.bn1.",
        "blocks.3.1.conv_dw.",
        "blocks.3.1.bn2.",
        "blocks.4.0.bn3.",
        "bn2.",
        "classifier.",
    )


if __name__ == "__main__":
    golden_model.main(__doc__, {"golden_hf": HuggingFace(), "golden_timm": Timm()}, Path(__file__).parent)
