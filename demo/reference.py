"""The recipes of the demo (recipes/*.yaml) in plain PyTorch and timm: the accuracies that attune's are compared with.

Four ways to make a classifier of leaf photographs out of an ImageNet MobileNetV2 0.35, and its random twin:

probe    logistic regression on the pooled features, solved to its optimum; the recipe's penalty is 1e-3
last     block 13 onward (Keras numbering; timm's blocks.5, blocks.6, conv_head, bn2) and the head, 15 epochs
full     every layer, 15 epochs
scratch  random weights, batch statistics, 30 epochs

last and full keep the stored BatchNorm statistics (eval mode) while gamma and beta of learning layers learn.
All photographs of train/ are trained on; test/ is looked at once, after the last epoch. Progress goes to
stderr, one line of JSON to stdout.
"""

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

BATCH_SIZE = 16
WARMUP_SHARE = 0.06
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
HEAD_STD = 0.01
HEAD = "classifier."
LAST = ("blocks.5.", "blocks.6.", "conv_head.", "bn2.", HEAD)


@dataclass(frozen=True)
class Recipe:
    """What a trained recipe is made of; `learns` are the prefixes of the parameters that learn."""

    epochs: int
    learning_rate: float
    head_learning_rate: float
    learns: tuple[str, ...] = ("",)
    pretrained: bool = True
    batch_statistics: bool = False


RECIPES = {
    "last": Recipe(epochs=15, learning_rate=1e-4, head_learning_rate=1e-3, learns=LAST),
    "full": Recipe(epochs=15, learning_rate=1e-4, head_learning_rate=1e-3),
    "scratch": Recipe(
        epochs=30, learning_rate=1e-3, head_learning_rate=1e-3, pretrained=False, batch_statistics=True
    ),
}


@dataclass(frozen=True)
class Photos:
    """Preprocessed photographs x [N,3,H,W] and their labels y [N]."""

    x: torch.Tensor
    y: torch.Tensor


def create_backbone(folder: Path, pretrained: bool = True) -> nn.Module:
    """The network of a timm folder, with its model_args, without a head."""
    return timm.create_model(f"local-dir:{folder}", pretrained=pretrained, num_classes=0)


def add_head(model: nn.Module, n_classes: int) -> nn.Module:
    """A fresh head: weight from N(0, 0.01), bias 0."""
    model.reset_classifier(n_classes)
    nn.init.normal_(model.classifier.weight, std=HEAD_STD)
    nn.init.zeros_(model.classifier.bias)
    return model.to(memory_format=torch.channels_last)


def read_photos(folder: Path, transform: Callable[[Image.Image], torch.Tensor]) -> Photos:
    """A folder of class folders; labels number the classes in sorted order."""
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    images, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            with Image.open(path) as image:
                images.append(transform(image.convert("RGB")))
            labels.append(label)
    return Photos(torch.stack(images), torch.tensor(labels))


def evaluation_transform(model: nn.Module) -> Callable[[Image.Image], torch.Tensor]:
    """The evaluation preprocessing that the model's pretrained_cfg asks for."""
    return timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)


def schedule(step: int, n_steps: int) -> float:
    """Factor of the learning rate: (t+1)/w over the warm-up, then a cosine to 0."""
    warmup = max(1, int(WARMUP_SHARE * n_steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / (n_steps - warmup)))


def create_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW over the learning parameters; no decay for biases and norms. Freezes the others."""
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(recipe.learns))
        rate = recipe.head_learning_rate if name.startswith(HEAD) else recipe.learning_rate
        decay = WEIGHT_DECAY if parameter.ndim > 1 else 0.0
        if parameter.requires_grad:
            members.setdefault((rate, decay), []).append(parameter)
    groups = [
        {"params": parameters, "lr": rate, "base_lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in members.items()
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)


def flip_some(x: torch.Tensor) -> torch.Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = torch.rand(len(x)) < 0.5
    return torch.where(mirrored[:, None, None, None], x.flip(-1), x)


def epoch_batches(photos: Photos) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Every photograph once, in random order, some of them mirrored; the last batch may be short."""
    for index in torch.randperm(len(photos.y)).split(BATCH_SIZE):
        x = flip_some(photos.x[index])
        yield x.contiguous(memory_format=torch.channels_last), photos.y[index]


def train(model: nn.Module, photos: Photos, recipe: Recipe) -> float:
    """Train in place; returns the mean loss of the last epoch's batches."""
    optimizer = create_optimizer(model, recipe)
    learning = [p for group in optimizer.param_groups for p in group["params"]]
    n_steps = recipe.epochs * math.ceil(len(photos.y) / BATCH_SIZE)
    model.train(recipe.batch_statistics)
    losses: list[float] = []
    for _ in range(recipe.epochs):
        for x, y in epoch_batches(photos):
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * schedule(len(losses), n_steps)
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learning, CLIP_NORM)
            optimizer.step()
            losses.append(loss.item())
    return statistics.mean(losses[-n_steps // recipe.epochs :])


@torch.no_grad()
def predict(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Outputs in eval mode, in batches small enough for any machine."""
    model.eval()
    return torch.cat(
        [model(part.contiguous(memory_format=torch.channels_last)) for part in x.split(BATCH_SIZE)]
    )


def accuracy(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Share of the rows whose largest logit is the label's."""
    return (logits.argmax(dim=1) == y).double().mean().item()


def run_recipe(recipe: Recipe, folder: Path, data: tuple[Photos, Photos], seed: int) -> dict[str, float]:
    """Train with one seed (head, order, flips, random weights) and test."""
    torch.manual_seed(seed)
    train_set, test_set = data
    model = add_head(create_backbone(folder, recipe.pretrained), int(train_set.y.max()) + 1)
    loss = train(model, train_set, recipe)
    return {"accuracy": accuracy(predict(model, test_set.x), test_set.y), "last_epoch_loss": loss}


def solve_probe(x: torch.Tensor, y: torch.Tensor, penalty: float, seed: int) -> tuple[nn.Linear, float]:
    """Minimise mean cross-entropy + penalty/2 ||W||^2 by L-BFGS; returns the head and max |gradient|."""
    torch.manual_seed(seed)
    head = nn.Linear(x.shape[1], int(y.max()) + 1, dtype=torch.float64)
    nn.init.normal_(head.weight, std=HEAD_STD)
    nn.init.zeros_(head.bias)
    solver = torch.optim.LBFGS(
        head.parameters(),
        max_iter=5000,
        max_eval=10000,
        history_size=50,
        tolerance_grad=1e-10,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def objective() -> torch.Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(head(x), y) + penalty / 2 * head.weight.square().sum()
        loss.backward()
        return loss

    solver.step(objective)
    return head, max(p.grad.abs().max().item() for p in head.parameters())


def run_probe(
    features: tuple[Photos, Photos], penalties: list[float], seeds: range
) -> dict[str, dict[str, object]]:
    """Test accuracy of the best linear head for each penalty; seeds only choose where the solver starts."""
    train_set, test_set = features
    results: dict[str, dict[str, object]] = {}
    for penalty in penalties:
        solved = [solve_probe(train_set.x, train_set.y, penalty, seed) for seed in seeds]
        heads = [head for head, _ in solved]
        with torch.no_grad():
            results[f"{penalty:g}"] = {
                "accuracies": [accuracy(head(test_set.x), test_set.y) for head in heads],
                "train_accuracy": accuracy(heads[0](train_set.x), train_set.y),
                "train_cross_entropy": F.cross_entropy(heads[0](train_set.x), train_set.y).item(),
                "max_gradient": max(gradient for _, gradient in solved),
            }
        print("probe", penalty, results[f"{penalty:g}"], file=sys.stderr, flush=True)
    return results


def pooled_features(folder: Path, data: tuple[Photos, Photos]) -> tuple[Photos, Photos]:
    """The photographs as float64 features of the frozen network."""
    backbone = create_backbone(folder).to(memory_format=torch.channels_last)
    train_set, test_set = (Photos(predict(backbone, part.x).double(), part.y) for part in data)
    return train_set, test_set


def summary(runs: list[dict[str, float]]) -> dict[str, object]:
    """Mean and spread over the seeds, and each seed's numbers."""
    accuracies = [run["accuracy"] for run in runs]
    return {
        "mean": statistics.mean(accuracies),
        "stdev": statistics.stdev(accuracies) if len(runs) > 1 else 0.0,
        "accuracies": accuracies,
        "last_epoch_losses": [run["last_epoch_loss"] for run in runs],
    }


def parse_arguments() -> argparse.Namespace:
    """The command line; folders default to those beside this file."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=here / "model", metavar="FOLDER")
    parser.add_argument("--data", type=Path, default=here / "photos", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds to run (3)")
    parser.add_argument("--first-seed", type=int, default=0, metavar="N")
    parser.add_argument("--recipes", nargs="+", choices=["probe", *RECIPES], default=["probe", *RECIPES])
    parser.add_argument("--penalties", nargs="+", type=float, default=[1e-3], metavar="L")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), metavar="N")
    return parser.parse_args()


def main() -> None:
    """Run the recipes asked for and print their results."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    transform = evaluation_transform(create_backbone(args.model))
    data = read_photos(args.data / "train", transform), read_photos(args.data / "test", transform)
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    results: dict[str, object] = {}
    for name in args.recipes:
        if name == "probe":
            results[name] = run_probe(pooled_features(args.model, data), args.penalties, seeds)
            continue
        runs = []
        for seed in seeds:
            runs.append(run_recipe(RECIPES[name], args.model, data, seed))
            print(name, seed, runs[-1], file=sys.stderr, flush=True)
        results[name] = summary(runs)
    versions = {"torch": torch.__version__, "timm": timm.__version__}
    print(
        json.dumps(
            {
                "versions": versions,
                "seeds": list(seeds),
                "photos": [len(part.y) for part in data],
                "recipes": results,
            }
        )
    )


if __name__ == "__main__":
    main()
