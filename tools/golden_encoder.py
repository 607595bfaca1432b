"""Goldens of text encoders: what the golden.py of such a model's folder has in common.

As tools/golden_model.py says, but for what goes in: sequences of several lengths, each run alone (nothing is
padded), laid end to end in the file:

input_ids, token_type_ids       int64 [R]
offsets                         int64 [S+1]: sequence s has the rows offsets[s] to offsets[s+1]
labels                          int64 [S]; of networks with a head for every token [R], -100 = not counted
eval.hidden                     [R,hidden] what the last layer puts out

Dropout is 0 in all of them.
"""

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from golden_model import (
    ADAMW,
    CLASSES,
    MAX_LOSS_ERROR,
    MAX_STATE_ERROR,
    SGD,
    SGD_CLIP_NORM,
    HuggingFace,
    gradients,
    trace,
    traces,
    write_variants,
)
from safetensors.torch import save_file
from torch import nn

Sequences = list[tuple[torch.Tensor, torch.Tensor]]

LENGTHS = (5, 1, 11, 2, 7)
VOCABULARY, TYPES = 37, 2


class Encoder(HuggingFace):
    """A text encoder of Transformers with a classification head."""

    takes_types = True
    per_token = False
    trained = True  # gradients and traces are written, too
    least_id = 0
    traced = ("",)

    def save(self, model: nn.Module, folder: Path) -> None:
        model.save_pretrained(folder)

    def inputs(self, sequence: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Of one sequence, as a batch of one."""
        ids, types = sequence
        inputs = {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None]}
        return inputs | ({"token_type_ids": types[None]} if self.takes_types else {})

    def logits(self, model: nn.Module, x: Any) -> torch.Tensor:
        logits = [model(**self.inputs(sequence)).logits for sequence in x]
        return torch.cat([rows[0] for rows in logits] if self.per_token else logits)

    def hidden(self, model: nn.Module, x: Sequences) -> torch.Tensor:
        """What the encoder's last layer makes of all rows."""
        return torch.cat([model.base_model(**self.inputs(s)).last_hidden_state[0] for s in x])


def create(layout: Encoder) -> tuple[nn.Module, Sequences, torch.Tensor]:
    """Network (float32), sequences and labels."""
    torch.manual_seed(layout.seed)
    model = layout.create()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=1.5 * parameter.shape[1] ** -0.5)
            elif name.endswith("weight"):
                parameter.uniform_(0.6, 1.4)
            else:
                parameter.normal_(std=0.3)
    x = [(torch.randint(layout.least_id, VOCABULARY, (n,)), torch.randint(TYPES, (n,))) for n in LENGTHS]
    labels = torch.randint(len(CLASSES), (sum(LENGTHS) if layout.per_token else len(LENGTHS),))
    if layout.per_token:
        labels[::3] = -100
    return model, x, labels


def float32_errors(
    layout: Encoder, model: nn.Module, x: Sequences, labels: torch.Tensor
) -> dict[str, dict[str, float]]:
    """How far PyTorch's own float32 traces are from the float64 ones."""
    out = {}
    for optimizer in ("adamw", "sgd"):
        losses, _, final = trace(layout, model, x, labels, optimizer)
        losses32, _, final32 = trace(layout, copy.deepcopy(model).float(), x, labels, optimizer)
        state = final32.state_dict()
        far = [((state[n] - v).norm() / v.norm()).item() for n, v in final.state_dict().items()]
        out[optimizer] = {"loss": ((losses32 - losses) / losses).abs().max().item(), "state": max(far)}
    return out


def make(layout: Encoder, folder: Path) -> dict[str, Any]:
    """Write one golden folder, checking that the library reads back what it wrote."""
    model, x, labels = create(layout)
    folder.mkdir(parents=True, exist_ok=True)
    layout.save(model, folder)
    read = layout.load(folder).double().eval()
    with torch.no_grad():
        expected = layout.logits(model.double().eval(), x)
        assert torch.equal(layout.logits(read, x), expected)
        hidden = layout.hidden(read, x)
    offsets = torch.tensor((0, *LENGTHS)).cumsum(0)
    tensors = {"input_ids": torch.cat([ids for ids, _ in x]), "offsets": offsets, "labels": labels}
    tensors |= {"token_type_ids": torch.cat([types for _, types in x])}
    tensors |= {"eval.logits": expected, "eval.hidden": hidden}
    tensors |= write_variants(layout, folder, x)
    if layout.trained:
        tensors |= gradients(layout, read, x, labels) | traces(layout, read, x, labels)
    settings = {"seed": layout.seed, "adamw": ADAMW, "sgd": SGD | {"clip_norm": SGD_CLIP_NORM}}
    made_with = {module.__name__: module.__version__ for module in (torch, transformers)}
    metadata = {"golden": json.dumps(settings | made_with)}  # one key: safetensors shuffles several
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "golden.safetensors", metadata)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    errors = float32_errors(layout, read, x, labels) if layout.trained else {}
    assert all(e["loss"] <= MAX_LOSS_ERROR and e["state"] <= MAX_STATE_ERROR for e in errors.values()), errors
    return {"bytes": sum(path.stat().st_size for path in folder.iterdir()), "float32_errors": errors}


def main(doc: str, layouts: dict[str, Encoder], folder: Path) -> None:
    """Write a folder for each layout and print what they hold as one line of JSON."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=folder, metavar="FOLDER")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    json.dump({name: make(layout, args.out / name) for name, layout in layouts.items()}, sys.stdout)
    print()
