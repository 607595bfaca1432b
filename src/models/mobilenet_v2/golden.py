"""Goldens of MobileNetV2: a tiny random network in each of two layouts, and what PyTorch makes of it.

golden_hf/ is a Transformers folder (TensorFlow's padding, as the published checkpoints have), golden_timm/ a
timm folder (symmetric padding, timm's default). Beside the model each holds config.<variant>.json, the same
network read with another epsilon or padding, and golden.safetensors, float64 from the logits on:

pixel_values, labels            the one batch that everything below uses: float32 [3,3,37,45], int64 [3]
eval.logits                     stored BatchNorm statistics
eval.<variant>.logits           the same weights under config.<variant>.json
train.logits, train.loss        batch statistics; the loss is the mean cross-entropy
grad.<parameter>                of train.loss, every parameter, by its name in model.safetensors
adamw.loss, sgd.loss            the losses before each of 20 steps on the batch, in train mode
adamw.grad_norm, sgd.grad_norm  L2 norm of all gradients at those steps, before clipping (only SGD clips)
adamw.<state>, sgd.<state>      after the 20 steps: every running statistic, bias, gamma and beta, and the larger
                                tensors of the traced places

In train mode the gradient of a projection's BatchNorm bias is zero but for rounding, as the next BatchNorm
takes every shift out again: compare it with the size of other gradients, not with itself. Weights, statistics
and pixels are float32 values, so nothing is lost between the two files. timm fixes the last convolution at
1280 channels, too large for a test: its generator is run with a smaller number, under a name of ours.
"""

import argparse
import copy
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol
from unittest import mock

import timm
import torch
import transformers
from safetensors.torch import save_file
from timm.models import efficientnet, register_model
from torch import nn
from torch.nn import functional as F

Tensors = dict[str, torch.Tensor]

BATCH, HEIGHT, WIDTH = 3, 37, 45
CLASSES = ["ant", "bee", "fly", "moth", "wasp"]
N_STEPS = 20
ADAMW: dict[str, Any] = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-5, "weight_decay": 0.01}
SGD: dict[str, Any] = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}
SGD_CLIP_NORM = 1.0
KINKS = (0.0, 6.0)
MIN_KINK_MARGIN = 2e-5
MAX_LOSS_ERROR, MAX_STATE_ERROR = 1e-5, 3e-4


class Layout(Protocol):
    """One library's way to build, save and read the network."""

    variants: ClassVar[dict[str, dict[str, Any]]]
    traced: tuple[str, ...]
    projections: tuple[str, ...]
    seed: int

    def create(self) -> nn.Module:
        """The tiny network, weights not yet chosen."""

    def save(self, model: nn.Module, folder: Path) -> None:
        """Write config.json, model.safetensors and what else the layout has."""

    def load(self, folder: Path, **changes: Any) -> nn.Module:
        """Read a folder, with some settings changed."""

    def variant_config(self, config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        """config.json with the settings changed."""

    def logits(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """Forward pass [N,3,H,W] to [N,classes]."""


class HuggingFace:
    """Transformers' MobileNetV2ForImageClassification."""

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

    def create(self) -> nn.Module:
        config = transformers.MobileNetV2Config(
            depth_multiplier=0.09,
            expand_ratio=1.5,
            finegrained_output=False,
            image_size=[HEIGHT, WIDTH],
            classifier_dropout_prob=0.0,
            id2label=dict(enumerate(CLASSES)),
            label2id={name: label for label, name in enumerate(CLASSES)},
        )
        return transformers.MobileNetV2ForImageClassification(config)

    def save(self, model: nn.Module, folder: Path) -> None:
        model.save_pretrained(folder)
        size = {"height": HEIGHT, "width": WIDTH}
        transformers.MobileNetV2ImageProcessor(size=size, crop_size=size).save_pretrained(folder)

    def load(self, folder: Path, **changes: Any) -> nn.Module:
        return transformers.MobileNetV2ForImageClassification.from_pretrained(folder, **changes)

    def variant_config(self, config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        return config | changes

    def logits(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=x).logits


@register_model
def mobilenetv2_010(pretrained: bool = False, num_features: int = 1280, **kwargs: Any) -> nn.Module:
    """timm's MobileNetV2 generator at channel multiplier 0.10; the last convolution's width is free."""
    create = efficientnet._create_effnet

    def create_narrow(variant: str, pretrained: bool = False, **arguments: Any) -> nn.Module:
        return create(variant, pretrained, **{**arguments, "num_features": num_features})

    with mock.patch.object(efficientnet, "_create_effnet", create_narrow):
        return efficientnet._gen_mobilenet_v2("mobilenetv2_010", 0.10, pretrained=pretrained, **kwargs)


class Timm:
    """timm's mobilenetv2_*."""

    architecture = "mobilenetv2_010"
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

    def create(self) -> nn.Module:
        return timm.create_model(self.architecture, num_classes=len(CLASSES), **self.model_args)

    def save(self, model: nn.Module, folder: Path) -> None:
        cfg = {
            "input_size": (3, HEIGHT, WIDTH),
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "pool_size": (1, 2),
            "first_conv": "conv_stem",
            "classifier": "classifier",
        }
        config = {"pretrained_cfg": cfg, "label_names": CLASSES}
        timm.models.save_for_hf(
            model, folder, model_config=config, model_args=self.model_args, safe_serialization=True
        )

    def load(self, folder: Path, **changes: Any) -> nn.Module:
        return timm.create_model(f"local-dir:{folder}", pretrained=True, **changes)

    def variant_config(self, config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        return config | {"model_args": config["model_args"] | changes}

    def logits(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return model(x)


def norms(model: nn.Module) -> list[tuple[str, nn.BatchNorm2d]]:
    """Every BatchNorm and its name, in the order of the network's definition."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]


@torch.no_grad()
def randomise_weights(layout: Layout, model: nn.Module) -> None:
    """Weights that keep the variance; gamma and beta that send values beyond both kinks of relu6.

    Projections get small gammas: twenty steps of a network that amplifies more cannot be followed in float32.
    """
    for parameter in model.parameters():
        if parameter.ndim > 1:
            fan_in = parameter[0].numel()
            parameter.normal_(std=(2.0 / fan_in) ** 0.5)
    for name, norm in norms(model):
        projects = name.endswith(layout.projections)
        norm.weight.uniform_(*((0.3, 0.6) if projects else (0.5, 1.2)))
        norm.bias.normal_(*((0.0, 0.3) if projects else (1.5, 1.5)))
    model.get_parameter("classifier.weight").normal_(std=0.1)
    model.get_parameter("classifier.bias").normal_(std=0.5)


@torch.no_grad()
def randomise_statistics(layout: Layout, model: nn.Module, x: torch.Tensor) -> None:
    """Running statistics near the batch's, so that eval mode is well scaled too, but not equal to them."""
    momentum = norms(model)[0][1].momentum
    for _, norm in norms(model):
        norm.momentum = 1.0
    layout.logits(model.train(), x)
    for _, norm in norms(model):
        deviation = norm.running_var.sqrt()
        norm.running_mean.add_(0.2 * deviation * torch.randn_like(deviation))
        norm.running_var.mul_(torch.empty_like(deviation).uniform_(0.6, 1.6))
        norm.num_batches_tracked.zero_()
        norm.momentum = momentum


@torch.no_grad()
def relu6_inputs(layout: Layout, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What reaches any relu6 of the network, in its present mode, in one flat tensor. Changes nothing."""
    model = copy.deepcopy(model)
    seen: list[torch.Tensor] = []
    for module in model.modules():
        if isinstance(module, nn.ReLU6):
            module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten().clone()))
    layout.logits(model, x)
    return torch.cat(seen)


def kink_margin(layout: Layout, model: nn.Module, x: torch.Tensor) -> float:
    """Distance from a kink of relu6 to the value nearest to it, in both modes: rounding must not cross."""
    values = torch.cat([relu6_inputs(layout, model.train(mode), x) for mode in (False, True)])
    return min((values - kink).abs().min().item() for kink in KINKS)


def create(layout: Layout, seed: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Network (float32), pixels (float64) and labels of a seed."""
    torch.manual_seed(seed)
    model = layout.create()
    x = torch.empty(BATCH, 3, HEIGHT, WIDTH).normal_(std=0.6)
    labels = torch.randint(len(CLASSES), (BATCH,))
    randomise_weights(layout, model)
    randomise_statistics(layout, model, x)
    return model, x.double(), labels


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups in which only matrices and kernels decay."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def train_loss(layout: Layout, model: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the batch, in the model's present mode."""
    return F.cross_entropy(layout.logits(model, x), labels)


def trace(
    layout: Layout, model: nn.Module, x: torch.Tensor, labels: torch.Tensor, optimizer: str
) -> tuple[torch.Tensor, torch.Tensor, nn.Module]:
    """Losses [20] and gradient norms [20] of 20 steps on a copy of the model, which is returned."""
    model = copy.deepcopy(model).train()
    if optimizer == "adamw":
        steps: torch.optim.Optimizer = torch.optim.AdamW(decay_groups(model, ADAMW["weight_decay"]), **ADAMW)
    else:
        steps = torch.optim.SGD(decay_groups(model, SGD["weight_decay"]), **SGD)
    max_norm = SGD_CLIP_NORM if optimizer == "sgd" else float("inf")
    rows = []
    for _ in range(N_STEPS):
        loss = train_loss(layout, model, x, labels)
        steps.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        steps.step()
        rows.append(torch.stack([loss.detach(), norm]))
    losses, norms_before_clip = torch.stack(rows, dim=1)
    return losses, norms_before_clip, model


def float32_error(
    layout: Layout, model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor], optimizer: str
) -> dict[str, float]:
    """How far PyTorch's own float32 trace is from the float64 one: the least tolerance a test may ask for.

    The largest relative error of a loss and of a tensor's norm, over several orders of the batch, which round
    differently.
    """
    losses, _, final = trace(layout, model, *batch, optimizer)
    worst = {"loss": 0.0, "state": 0.0}
    for shift in range(BATCH):
        x, labels = (part.roll(shift, dims=0) for part in batch)
        losses32, _, final32 = trace(layout, copy.deepcopy(model).float(), x.float(), labels, optimizer)
        worst["loss"] = max(worst["loss"], ((losses32 - losses) / losses).abs().max().item())
        state = final32.state_dict()
        for name, value in final.state_dict().items():
            if value.is_floating_point():
                worst["state"] = max(worst["state"], ((state[name] - value).norm() / value.norm()).item())
    return worst


def float32_errors(
    layout: Layout, model: nn.Module, x: torch.Tensor, labels: torch.Tensor
) -> dict[str, dict[str, float]]:
    """float32_error of both optimisers."""
    return {name: float32_error(layout, model, (x, labels), name) for name in ("adamw", "sgd")}


def tamest_seed(layout: Layout, n_seeds: int) -> int:
    """The seed whose traces float32 follows best, of those that keep relu6 away from its kinks."""

    def badness(seed: int) -> float:
        model, x, labels = create(layout, seed)
        model = model.double()
        if kink_margin(layout, model, x) < MIN_KINK_MARGIN:
            return float("inf")
        errors = float32_errors(layout, model, x, labels).values()
        return max(max(e["loss"] / MAX_LOSS_ERROR, e["state"] / MAX_STATE_ERROR) for e in errors)

    return min(range(n_seeds), key=badness)


def gradients(layout: Layout, model: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> Tensors:
    """Logits, loss and every parameter's gradient with batch statistics. Changes nothing in the model."""
    model = copy.deepcopy(model).train()
    logits = layout.logits(model, x)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    out = {"train.logits": logits.detach(), "train.loss": loss.detach()}
    return out | {f"grad.{name}": parameter.grad for name, parameter in model.named_parameters()}


def traces(layout: Layout, model: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> Tensors:
    """Losses and some final state of both optimisers."""
    out: Tensors = {}
    for optimizer in ("adamw", "sgd"):
        losses, grad_norms, final = trace(layout, model, x, labels, optimizer)
        out |= {f"{optimizer}.loss": losses, f"{optimizer}.grad_norm": grad_norms}
        for name, value in final.state_dict().items():
            if value.is_floating_point() and (value.ndim <= 1 or name.startswith(layout.traced)):
                out[f"{optimizer}.{name}"] = value
    return out


@torch.no_grad()
def eval_logits(layout: Layout, folder: Path, x: torch.Tensor, **changes: Any) -> torch.Tensor:
    """Logits of what the library reads from the folder, in float64 with stored statistics."""
    return layout.logits(layout.load(folder, **changes).double().eval(), x)


def write_variants(layout: Layout, folder: Path, x: torch.Tensor) -> Tensors:
    """config.<variant>.json, and logits of the library when it reads that file as config.json."""
    config = json.loads((folder / "config.json").read_text())
    out = {}
    for name, changes in layout.variants.items():
        text = json.dumps(layout.variant_config(config, changes), indent=2) + "\n"
        (folder / f"config.{name}.json").write_text(text)
        with renamed_config(folder, text) as variant:
            logits = eval_logits(layout, variant, x)
        assert torch.equal(logits, eval_logits(layout, folder, x, **changes)), name
        assert not torch.allclose(logits, eval_logits(layout, folder, x), rtol=1e-3), name
        out[f"eval.{name}.logits"] = logits
    return out


@contextmanager
def renamed_config(folder: Path, config: str) -> Iterator[Path]:
    """A folder, for a while, with the same weights and another config.json."""
    with tempfile.TemporaryDirectory() as name:
        other = Path(name)
        (other / "config.json").write_text(config)
        (other / "model.safetensors").symlink_to((folder / "model.safetensors").resolve())
        yield other


def facts(layout: Layout, model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, Any]:
    """What a test writer wants to know: size, share of saturated relu6, float32's own error."""
    values = relu6_inputs(layout, model.train(), batch[0])
    near = [((values - kink).abs() < 1e-4).sum().item() for kink in KINKS]
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "bn_momentum": norms(model)[0][1].momentum,
        "bn_eps": norms(model)[0][1].eps,
        "kink_margin": kink_margin(layout, model, batch[0]),
        "near_kinks": near,
        "relu6_at_0": (values < KINKS[0]).double().mean().item(),
        "relu6_at_6": (values > KINKS[1]).double().mean().item(),
        "float32_errors": float32_errors(layout, model, *batch),
    }


def make(layout: Layout, folder: Path) -> dict[str, Any]:
    """Write one golden folder, checking that the library reads back what it wrote."""
    model, x, labels = create(layout, layout.seed)
    folder.mkdir(parents=True, exist_ok=True)
    layout.save(model, folder)
    read = layout.load(folder).double()
    with torch.no_grad():
        expected = layout.logits(model.double().eval(), x)
        assert torch.equal(layout.logits(read.eval(), x), expected)
    tensors = {"pixel_values": x.float(), "labels": labels, "eval.logits": expected}
    tensors |= write_variants(layout, folder, x)
    tensors |= gradients(layout, read, x, labels)
    tensors |= traces(layout, read, x, labels)
    made_with = {module.__name__: module.__version__ for module in (torch, transformers, timm)}
    settings = {"seed": layout.seed, "adamw": ADAMW, "sgd": SGD | {"clip_norm": SGD_CLIP_NORM}}
    metadata = {"golden": json.dumps(settings | made_with)}  # one key: safetensors shuffles several
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "golden.safetensors", metadata)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    known = facts(layout, read, (x, labels))
    assert known["kink_margin"] >= MIN_KINK_MARGIN, "choose another seed: see --search"
    assert all(e["loss"] <= MAX_LOSS_ERROR for e in known["float32_errors"].values())
    assert all(e["state"] <= MAX_STATE_ERROR for e in known["float32_errors"].values())
    return {"seed": layout.seed, "bytes": sum(sizes.values()), "files": sizes} | known


def main() -> None:
    """Write both folders and print what they hold as one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    parser.add_argument("--search", type=int, metavar="N", help="only print the tamest of N seeds")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("timm").setLevel(logging.ERROR)
    layouts: dict[str, Layout] = {"golden_hf": HuggingFace(), "golden_timm": Timm()}
    if args.search:
        print(json.dumps({name: tamest_seed(layout, args.search) for name, layout in layouts.items()}))
        return
    print(json.dumps({name: make(layout, args.out / name) for name, layout in layouts.items()}))


if __name__ == "__main__":
    main()
