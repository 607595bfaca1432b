"""Fine-tune a text encoder of Transformers on a table of labels and texts: the peer of `attune train`.

TRAIN and TEST are TSV files with the columns label and text. Texts are tokenised once beforehand; a batch is
padded to its longest. AdamW, cosine schedule after a linear warm-up, gradients clipped at 1: attune's defaults.
--grouped takes batches of texts of similar length, as Transformers' group_by_length does. Prints one line of
JSON: training samples per second of the whole loop, accuracy on TEST, largest resident memory in bytes.
"""

import argparse
import json
import math
import os
import random
import time
from contextlib import nullcontext
from pathlib import Path

import torch
import transformers
from timm_train import peak_resident_bytes
from torch.nn import functional as F

MEGABATCH = 50  # batches whose texts are sorted together, as Transformers does

Sample = tuple[list[int], int]


def read(path: Path) -> list[tuple[str, str]]:
    """Labels and texts."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [(label, text) for label, text in (line.split("\t", 1) for line in lines)]


def batches(samples: list[Sample], size: int, grouped: bool, seed: int) -> list[list[Sample]]:
    """One epoch."""
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    if grouped:
        mega = size * MEGABATCH
        parts = [order[i : i + mega] for i in range(0, len(order), mega)]
        order = [i for part in parts for i in sorted(part, key=lambda i: -len(samples[i][0]))]
    cut = [[samples[i] for i in order[at : at + size]] for at in range(0, len(order), size)]
    if grouped:
        random.Random(seed + 1).shuffle(cut)
    return cut


def pad(batch: list[Sample], token: int, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask and labels, padded to the longest."""
    longest = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([ids + [token] * (longest - len(ids)) for ids, _ in batch])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in batch])
    return ids.to(device), mask.to(device), torch.tensor([label for _, label in batch], device=device)


def factor(step: int, steps: int, warmup: int) -> float:
    """Of the learning rate: attune's cosine schedule."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--grouped", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cpu", help="where it runs; for accuracies, cuda saves time")
    parser.add_argument("--steps", type=int, help="stop after so many, to measure time only")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train, test, print."""
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    rows = {name: read(path) for name, path in (("train", args.train), ("test", args.test))}
    labels = sorted({label for label, _ in rows["train"]})
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    data = {
        name: [
            (tokenizer(text, truncation=True, max_length=512)["input_ids"], labels.index(label))
            for label, text in part
        ]
        for name, part in rows.items()
    }
    network = transformers.AutoModelForSequenceClassification.from_pretrained(
        args.model, num_labels=len(labels)
    ).to(args.device)
    model = torch.compile(network, dynamic=True) if args.compile else network
    parameters = list(network.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=args.rate,
        fused=True,
    )
    autocast = torch.autocast(args.device, dtype=torch.bfloat16) if args.dtype == "bf16" else nullcontext()
    steps = args.epochs * math.ceil(len(data["train"]) / args.batch)
    warmup = int(0.06 * steps)
    done = samples = 0
    model.train()
    start = time.perf_counter()
    for epoch in range(args.epochs):
        for batch in batches(data["train"], args.batch, args.grouped, args.seed + epoch):
            if args.steps and done == args.steps:
                break
            for group in optimizer.param_groups:
                group["lr"] = args.rate * factor(done, steps, warmup)
            ids, mask, wanted = pad(batch, tokenizer.pad_token_id, args.device)
            with autocast:
                loss = F.cross_entropy(model(input_ids=ids, attention_mask=mask).logits.float(), wanted)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            done += 1
            samples += len(batch)
    seconds = time.perf_counter() - start
    model.eval()
    right = 0
    with torch.no_grad(), autocast:
        for batch in batches(data["test"], args.batch, True, 0) if not args.steps else []:
            ids, mask, wanted = pad(batch, tokenizer.pad_token_id, args.device)
            right += (model(input_ids=ids, attention_mask=mask).logits.argmax(-1) == wanted).sum().item()
    result = {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()} | {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "samples_per_second": samples / seconds,
        "accuracy": None if args.steps else right / len(data["test"]),
        "peak_resident_bytes": peak_resident_bytes(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
