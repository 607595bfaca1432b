"""Goldens of ResNet (tools/golden_model.py says what they hold): golden_hf/ is a Transformers folder with
bottlenecks, golden_timm/ a timm folder with basic blocks and one input channel; both are traced. The other
block of each layout, golden_hf_basic/ and golden_timm_bottleneck/, has logits only.
"""

import sys
from pathlib import Path
from typing import Any, ClassVar

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import golden_model  # noqa: E402
import transformers  # noqa: E402
from golden_model import HEIGHT, norms  # noqa: E402
from torch import nn  # noqa: E402


class ResNet(golden_model.Layout):
    """What all layouts share."""

    last: tuple[str, ...]  # norms that end a block's branch

    def randomise(self, model: nn.Module) -> None:
        """Gammas and betas that send values to both sides of the kink.

        Branches end with small gammas: twenty steps of a network that amplifies more cannot be followed in float32.
        """
        for name, norm in norms(model):
            norm.weight.uniform_(*((0.3, 0.6) if name.endswith(self.last) else (0.5, 1.2)))
            norm.bias.normal_(0.3, 0.5)


class HuggingFace(ResNet, golden_model.HuggingFace):
    """Transformers' ResNetForImageClassification."""

    network = transformers.ResNetForImageClassification
    head = "classifier.1"
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "first": {"downsample_in_first_stage": True},
        "bottleneck": {"downsample_in_bottleneck": True},
    }
    last = ("layer.2.normalization",)
    seed = 27
    traced = (
        "resnet.embedder.embedder.",
        "resnet.encoder.stages.0.layers.0.shortcut.",
        "resnet.encoder.stages.1.layers.0.layer.1.",
        "resnet.encoder.stages.1.layers.1.layer.0.",
        "resnet.encoder.stages.2.layers.0.layer.2.",
        "classifier.",
    )

    def config(self) -> Any:
        return transformers.ResNetConfig(embedding_size=10, hidden_sizes=[16, 25, 36], depths=[1, 2, 1])

    def processor(self) -> Any:
        return transformers.ConvNextImageProcessor(size={"shortest_edge": HEIGHT}, crop_pct=0.875)


class HuggingFaceBasic(HuggingFace):
    """The same with basic blocks; the first has no convolution beside its branch."""

    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    last = ("layer.1.normalization",)
    traced = ()

    def config(self) -> Any:
        return transformers.ResNetConfig(
            embedding_size=9, hidden_sizes=[9, 11], depths=[2, 1], layer_type="basic"
        )


class Timm(ResNet, golden_model.Timm):
    """timm's resnet18, narrower and shallower."""

    architecture = "resnet18"
    first_conv = "conv1"
    head = "fc"
    channels_in = 1
    model_args: ClassVar[dict[str, Any]] = {
        "in_chans": 1,
        "layers": [1, 2, 1, 1],
        "channels": [5, 7, 9, 12],
    }
    last = ("bn2",)
    seed = 160
    traced = (
        "bn1.",
        "layer1.0.downsample.",
        "layer2.0.conv1.",
        "layer2.1.conv2.",
        "layer3.0.downsample.",
        "layer4.0.bn2.",
        "fc.",
    )


class TimmBottleneck(Timm):
    """timm's resnet50, narrower and shallower."""

    architecture = "resnet50"
    model_args: ClassVar[dict[str, Any]] = {
        "in_chans": 1,
        "layers": [1, 2, 1, 1],
        "channels": [3, 2, 5, 4],
    }
    last = ("bn3",)
    traced = ()


if __name__ == "__main__":
    golden_model.main(
        __doc__,
        {
            "golden_hf": HuggingFace(),
            "golden_hf_basic": HuggingFaceBasic(),
            "golden_timm": Timm(),
            "golden_timm_bottleneck": TimmBottleneck(),
        },
        Path(__file__).parent,
    )
