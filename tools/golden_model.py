"""Goldens of networks: what the golden.py of a model's folder has in common.

A golden folder is a tiny random network as a library saves it, and what PyTorch makes of it. Beside the model
it holds config.<variant>.json, the same network read with another setting, and golden.safetensors, float64
from the logits on:

pixel_values, labels            the one batch that everything below uses: float32 [3,C,37,45], int64 [3]
eval.logits                     stored BatchNorm statistics
eval.<variant>.logits           the same weights under config.<variant>.json
and, of layouts that are traced,
train.logits, train.loss        batch statistics; the loss is the mean cross-entropy
grad.<parameter>                of train.loss, every parameter, by its name in model.safetensors
adamw.loss, sgd.loss            the losses before each of 20 steps on the batch, in train mode
adamw.grad_norm, sgd.grad_norm  L2 norm of all gradients at those steps, before clipping (only SGD clips)
adamw.<state>, sgd.<state>      after the 20 steps: every running statistic, bias, gamma and beta, and the larger
                                tensors of the traced places

In train mode the gradient of a BatchNorm bias is zero but for rounding where the next BatchNorm takes every
shift out again: compare it with the size of other gradients, not with itself. Weights, statistics and pixels
are float32 values, so nothing is lost between the two files. The check is tests/harness/modelcheck.c.
"""

import argparse
import copy
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import timm
import torch
import transformers
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

Tensors = dict[str, torch.Tensor]

BATCH, HEIGHT, WIDTH = 3, 37, 45
CLASSES = ["ant", "bee", "fly", "moth", "wasp"]
N_STEPS = 20
ADAMW: dict[str, Any] = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-5, "weight_decay": 0.01}
SGD: dict[str, Any] = {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}
SGD_CLIP_NORM = 1.0
MIN_KINK_MARGIN = 2e-5
MAX_LOSS_ERROR, MAX_STATE_ERROR = 1e-5, 3e-4


class Layout:
    """One library's way to build, save and read a network; a model's golden.py gives the rest."""

    seed: int
    head: str
    channels_in = 3
    kinks: tuple[float, ...] = (0.0,)
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    traced: tuple[str, ...] = ()

    def create(self) -> nn.Module:
        """The tiny network, weights not yet chosen."""
        raise NotImplementedError

    def randomise(self, model: nn.Module) -> None:
        """Choose gammas and betas; every other weight keeps the variance already."""
        raise NotImplementedError

    def save(self, model: nn.Module, folder: Path) -> None:
        """Write config.json, model.safetensors and what else the layout has."""
        raise NotImplementedError

    def load(self, folder: Path, **changes: Any) -> nn.Module:
        """Read a folder, with some settings changed."""
        raise NotImplementedError

    def variant_config(self, config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        """config.json with the settings changed."""
        raise NotImplementedError

    def logits(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """Forward pass [N,C,H,W] to [N,classes]."""
        raise NotImplementedError


class HuggingFace(Layout):
    """A network of Transformers with an image classification head."""

    network: type

    def config(self) -> Any:
        """The network's config, without its labels."""
        raise NotImplementedError

    def processor(self) -> Any:
        """What prepares its pictures."""
        raise NotImplementedError

    def create(self) -> nn.Module:
        config = self.config()
        config.id2label = dict(enumerate(CLASSES))
        config.label2id = {name: label for label, name in enumerate(CLASSES)}
        return self.network(config)

    def save(self, model: nn.Module, folder: Path) -> None:
        model.save_pretrained(folder)
        self.processor().save_pretrained(folder)

    def load(self, folder: Path, **changes: Any) -> nn.Module:
        return self.network.from_pretrained(folder, **changes)

    def variant_config(self, config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        return config | changes

    def logits(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=x).logits


class Timm(Layout):
    """A network of timm."""

    architecture: str
    model_args: ClassVar[dict[str, Any]] = {}
    first_conv: str

    def create(self) -> nn.Module:
        return timm.create_model(self.architecture, num_classes=len(CLASSES), **self.model_args)

    def save(self, model: nn.Module, folder: Path) -> None:
        cfg = {
            "input_size": (self.channels_in, HEIGHT, WIDTH),
            "mean": (0.5,) * self.channels_in,
            "std": (0.5,) * self.channels_in,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "pool_size": (1, 2),
            "first_conv": self.first_conv,
            "classifier": self.head,
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
    """Weights that keep the variance; the layout chooses gammas and betas."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            fan_in = parameter[0].numel()
            parameter.normal_(std=(2.0 / fan_in) ** 0.5)
    layout.randomise(model)
    model.get_parameter(f"{layout.head}.weight").normal_(std=0.1)
    model.get_parameter(f"{layout.head}.bias").normal_(std=0.5)


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


def pool_gaps(pool: nn.MaxPool2d, x: torch.Tensor) -> torch.Tensor:
    """How far the largest value of each window is above the second one, where that is above 0."""
    pads = (pool.padding,) * 4
    x = F.pad(x, pads, value=-float("inf"))
    windows = x.unfold(2, pool.kernel_size, pool.stride).unfold(3, pool.kernel_size, pool.stride)
    first, second = windows.flatten(-2).topk(2).values.unbind(-1)
    return (first - second)[second > 0]


@torch.no_grad()
def activation_inputs(
    layout: Layout, model: nn.Module, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What reaches any relu of the network in its present mode, and the gaps of poolings, each in one flat tensor.

    Changes nothing.
    """
    model = copy.deepcopy(model)
    seen: list[torch.Tensor] = []
    gaps: list[torch.Tensor] = [x.new_empty(0)]
    for module in model.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten().clone()))
        if isinstance(module, nn.MaxPool2d):
            module.register_forward_pre_hook(lambda pool, inputs: gaps.append(pool_gaps(pool, inputs[0])))
    layout.logits(model, x)
    return torch.cat(seen), torch.cat(gaps)


def kink_margin(layout: Layout, model: nn.Module, x: torch.Tensor) -> float:
    """Distance from a kink to the value nearest to it, in both modes: rounding must not cross."""
    margins = []
    for mode in (False, True):
        values, gaps = activation_inputs(layout, model.train(mode), x)
        margins += [(values - kink).abs().min().item() for kink in layout.kinks]
        margins += [gaps.min().item()] if gaps.numel() else []
    return min(margins)


def create(layout: Layout, seed: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Network (float32), pixels (float64) and labels of a seed."""
    torch.manual_seed(seed)
    model = layout.create()
    x = torch.empty(BATCH, layout.channels_in, HEIGHT, WIDTH).normal_(std=0.6)
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
    """The seed whose traces float32 follows best, of those that keep away from kinks."""

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
    """What a test writer wants to know: size, share of saturated relus, float32's own error."""
    values, _ = activation_inputs(layout, model.train(), batch[0])
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "bn_momentum": norms(model)[0][1].momentum,
        "bn_eps": norms(model)[0][1].eps,
        "kink_margin": kink_margin(layout, model, batch[0]),
        "below_kinks": [(values < kink).double().mean().item() for kink in layout.kinks],
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
    if layout.traced:
        tensors |= gradients(layout, read, x, labels)
        tensors |= traces(layout, read, x, labels)
    made_with = {module.__name__: module.__version__ for module in (torch, transformers, timm)}
    settings = {"seed": layout.seed, "adamw": ADAMW, "sgd": SGD | {"clip_norm": SGD_CLIP_NORM}}
    metadata = {"golden": json.dumps(settings | made_with)}  # one key: safetensors shuffles several
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "golden.safetensors", metadata)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    known = facts(layout, read, (x, labels)) if layout.traced else {}
    if known:
        assert known["kink_margin"] >= MIN_KINK_MARGIN, "choose another seed: see --search"
        assert all(e["loss"] <= MAX_LOSS_ERROR for e in known["float32_errors"].values())
        assert all(e["state"] <= MAX_STATE_ERROR for e in known["float32_errors"].values())
    return {"seed": layout.seed, "bytes": sum(sizes.values()), "files": sizes} | known


def main(doc: str, layouts: dict[str, Layout], folder: Path) -> None:
    """Write a folder for each layout and print what they hold as one line of JSON."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=folder, metavar="FOLDER")
    parser.add_argument("--search", type=int, metavar="N", help="only print the tamest of N seeds")
    parser.add_argument("--only", nargs="+", choices=list(layouts), default=list(layouts))
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("timm").setLevel(logging.ERROR)
    chosen = {name: layouts[name] for name in args.only}
    if args.search:
        print(json.dumps({name: tamest_seed(layout, args.search) for name, layout in chosen.items()}))
        return
    print(json.dumps({name: make(layout, args.out / name) for name, layout in chosen.items()}))
