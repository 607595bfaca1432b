"""A new head on a frozen MobileNetV2, as in PyTorch's transfer learning tutorial, on folders of photographs.

Every epoch opens and decodes every file in two worker processes and sends it through the whole frozen
network; only the head learns (AdamW). With --cached the features are computed once: the stronger variant, and
the same mathematics, for the network is in eval mode in both. (The tutorial leaves it in train mode, so that
its BatchNorm statistics drift; that is not imitated.) Prints one line of JSON: seconds since the process
began, imports included, and the accuracy on TEST after the last epoch.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import timm
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

BATCH_SIZE = 16
LEARNING_RATE = 1e-3
N_WORKERS = 2


class Photos(Dataset):
    """A folder of class folders, decoded on demand; labels number the classes in sorted order."""

    def __init__(self, folder: Path, transform) -> None:
        classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        self.files = [
            (path, i) for i, name in enumerate(classes) for path in sorted((folder / name).iterdir())
        ]
        self.n_classes = len(classes)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.files[index]
        with Image.open(path) as image:
            return self.transform(image.convert("RGB")), label


def seconds_since_process_start() -> float:
    """By the kernel's own record, so that the interpreter's start and the imports count."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def create_backbone(folder: Path) -> nn.Module:
    """The network of a timm folder, without a head, frozen."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
    return model.eval().requires_grad_(False)


def read_photos(root: Path, backbone: nn.Module) -> tuple[Photos, Photos]:
    """TRAIN and TEST under the backbone's evaluation transform."""
    config = timm.data.resolve_model_data_config(backbone)
    transform = timm.data.create_transform(**config, is_training=False)
    return Photos(root / "TRAIN", transform), Photos(root / "TEST", transform)


@torch.no_grad()
def compute_features(backbone: nn.Module, photos: Photos) -> TensorDataset:
    """Every photograph through the network, once."""
    loader = DataLoader(photos, BATCH_SIZE, num_workers=N_WORKERS)
    parts = [(backbone(x), y) for x, y in loader]
    return TensorDataset(torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts]))


def train_head(backbone: nn.Module, data: Dataset, head: nn.Linear, args: argparse.Namespace) -> None:
    """The tutorial's loop; `backbone` is the identity where the features are cached."""
    loader = DataLoader(data, BATCH_SIZE, shuffle=True, num_workers=0 if args.cached else N_WORKERS)
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE)
    for _ in range(args.epochs):
        for x, y in loader:
            with torch.no_grad():
                features = backbone(x)
            loss = F.cross_entropy(head(features), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@torch.no_grad()
def test_accuracy(backbone: nn.Module, data: Dataset, head: nn.Linear, args: argparse.Namespace) -> float:
    """Share of the photographs whose largest logit is their label's."""
    loader = DataLoader(data, BATCH_SIZE, num_workers=0 if args.cached else N_WORKERS)
    right = sum(int((head(backbone(x)).argmax(dim=1) == y).sum()) for x, y in loader)
    return right / len(data)


def run(args: argparse.Namespace) -> list[float]:
    """Test accuracy of each seed."""
    backbone = create_backbone(args.model)
    train_set, test_set = read_photos(args.data, backbone)
    n_classes, n_features = train_set.n_classes, backbone.num_features
    if args.cached:
        train_set, test_set = compute_features(backbone, train_set), compute_features(backbone, test_set)
        backbone = nn.Identity()
    accuracies = []
    for seed in range(args.seeds):
        torch.manual_seed(seed)
        head = nn.Linear(n_features, n_classes)
        train_head(backbone, train_set, head, args)
        accuracies.append(test_accuracy(backbone, test_set, head, args))
    return accuracies


def parse_arguments() -> argparse.Namespace:
    """The command line; folders default to those below $ATTUNE_DATA."""
    root = Path(os.environ.get("ATTUNE_DATA", "."))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=root / "models/mobilenetv2-0.35-timm", metavar="FOLDER")
    parser.add_argument("--data", type=Path, default=root / "data/images-crop-pests-xie24", metavar="FOLDER")
    parser.add_argument("--epochs", type=int, default=50, help="fewer, to extrapolate from (50)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="train N heads, seeds 0 to N-1 (1)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cached", action="store_true", help="compute the features once")
    return parser.parse_args()


def main() -> None:
    """Train, test and print."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    accuracies = run(args)
    result = {
        "cached": args.cached,
        "epochs": args.epochs,
        "threads": args.threads,
        "torch": torch.__version__,
        "timm": timm.__version__,
        "accuracies": accuracies,
        "mean_accuracy": statistics.mean(accuracies),
        "wall_seconds": seconds_since_process_start(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
