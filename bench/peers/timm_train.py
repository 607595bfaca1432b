"""Training steps of a network of timm in PyTorch: what attune's step is timed against.

One resident batch of random pictures, all layers trained in train mode, fused AdamW. Loading and
augmentation are left out on purpose; the first steps, which set up kernels and memory, are not reported.
Prints one line of JSON: seconds of every step, images per second by their median, largest resident memory in
bytes.
"""

import argparse
import json
import os
import re
import statistics
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import timm
import torch
from torch.nn import functional as F

SIDE = 224
MODELS = ("mobilenetv2_035", "mobilenetv2_050", "mobilenetv2_100", "mobilenetv2_140", "resnet18", "resnet50")
LAYOUTS = {"channels-last": torch.channels_last, "contiguous": torch.contiguous_format}


def peak_resident_bytes() -> int:
    """VmHWM of this process."""
    match = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if match is None:
        raise RuntimeError("/proc/self/status has no VmHWM")
    return int(match[1]) * 1024


def precision(dtype: str) -> AbstractContextManager:
    """The forward pass's context: bf16 is autocast over float32 weights, as PyTorch's users train."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if dtype == "bf16" else nullcontext()


def time_steps(args: argparse.Namespace) -> tuple[list[float], float]:
    """Seconds of each step after the warm-up, and the last loss."""
    layout = LAYOUTS[args.layout]
    model = timm.create_model(args.model, num_classes=args.classes).to(memory_format=layout).train()
    if args.compile:
        model = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    x = torch.randn(args.batch, 3, SIDE, SIDE).contiguous(memory_format=layout)
    y = torch.randint(args.classes, (args.batch,))
    seconds = []
    for _ in range(args.warmup + args.steps):
        start = time.perf_counter()
        with precision(args.dtype):
            loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds[args.warmup :], loss.item()


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=10, help="steps reported (10)")
    parser.add_argument("--warmup", type=int, default=3, help="steps before those (3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--layout", choices=list(LAYOUTS), default="channels-last")
    parser.add_argument("--compile", action="store_true", help="torch.compile, whose time is the warm-up's")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Time the steps and print them."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    seconds, loss = time_steps(args)
    result = vars(args) | {
        "torch": torch.__version__,
        "timm": timm.__version__,
        "step_seconds": seconds,
        "images_per_second": args.batch / statistics.median(seconds),
        "peak_resident_bytes": peak_resident_bytes(),
        "last_loss": loss,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
