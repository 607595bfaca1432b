"""Goldens of the objectives beside one class a text: a tiny BERT with Transformers' own losses of problem_type
"regression" (golden_regression/) and "multi_label_classification" (golden_multi_label/): what
tools/golden_encoder.py says, of 20 AdamW steps alone; labels are float64 [S] and [S,classes].
"""

import copy
import json
import sys
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import golden_encoder  # noqa: E402
import golden_model  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from golden_encoder import LENGTHS, TYPES, VOCABULARY  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

SEED = 3


class Bert(golden_encoder.Encoder):
    """BertForSequenceClassification with another objective."""

    network = transformers.BertForSequenceClassification
    least_id = 1  # Transformers gives padding, 0, no gradient

    def __init__(self, problem_type: str, outputs: int) -> None:
        self.problem_type, self.outputs = problem_type, outputs

    def create(self) -> nn.Module:
        config = transformers.BertConfig(
            vocab_size=VOCABULARY,
            type_vocab_size=TYPES,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=12,
            max_position_embeddings=13,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            problem_type=self.problem_type,
            num_labels=self.outputs,
        )
        return self.network(config)

    def labels(self) -> torch.Tensor:
        if self.outputs == 1:
            return 2 * torch.randn(len(LENGTHS), dtype=torch.float64) + 1
        return torch.randint(2, (len(LENGTHS), self.outputs)).double()


def transformers_loss(layout: Bert, model: nn.Module, x: Any, labels: torch.Tensor) -> torch.Tensor:
    """The mean over the sequences of the loss that the model itself gives each."""
    labels = labels.to(next(model.parameters()).dtype)
    return torch.stack([model(**layout.inputs(s), labels=y[None]).loss for s, y in zip(x, labels)]).mean()


golden_model.train_loss = transformers_loss


def gradients(layout: Bert, model: nn.Module, x: Any, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    model = copy.deepcopy(model).train()
    loss = transformers_loss(layout, model, x, labels)
    loss.backward()
    out = {"train.logits": layout.logits(model, x).detach(), "train.loss": loss.detach()}
    return out | {f"grad.{name}": parameter.grad for name, parameter in model.named_parameters()}


def make(layout: Bert, folder: Path) -> None:
    layout.seed = SEED
    model, x, _ = golden_encoder.create(layout)
    labels = layout.labels()
    folder.mkdir(exist_ok=True)
    layout.save(model, folder)
    model = model.double()
    losses, norms, final = golden_model.trace(layout, model, x, labels, "adamw")
    tensors = {"input_ids": torch.cat([ids for ids, _ in x]), "token_type_ids": torch.cat([t for _, t in x])}
    tensors |= {"offsets": torch.tensor((0, *LENGTHS)).cumsum(0), "labels": labels}
    tensors |= gradients(layout, model, x, labels) | {"adamw.loss": losses, "adamw.grad_norm": norms}
    tensors |= {f"adamw.{name}": value for name, value in final.state_dict().items() if value.is_floating_point()}
    settings = {"seed": SEED, "torch": torch.__version__, "transformers": transformers.__version__}
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "golden.safetensors",
              {"golden": json.dumps(settings)})
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make(Bert("regression", 1), Path(__file__).parent / "golden_regression")
    make(Bert("multi_label_classification", 3), Path(__file__).parent / "golden_multi_label")
