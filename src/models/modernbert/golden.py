"""Goldens of ModernBERT (tools/golden_encoder.py says what they hold): golden_hf/ is a Transformers folder; golden_old/ is one
with every bias, the mean of rows, and config.json under the keys of Transformers 4.x; golden_tokens/ is one with a head for every token.

Transformers turns queries and keys in float32 whatever the network's type. Here that happens in the network's own, so that
goldens are exact to float64.
"""

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import golden_encoder  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from golden_encoder import VOCABULARY  # noqa: E402
from transformers.models.modernbert import modeling_modernbert as modeling  # noqa: E402


def angles(self: Any, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str) -> Any:
    """Cosines and sines in the type of x."""
    width = self.config.hidden_size // self.config.num_attention_heads
    theta = self.config.rope_parameters[layer_type]["rope_theta"]
    rates = theta ** -(torch.arange(0, width, 2, dtype=x.dtype) / width)
    turns = (position_ids[..., None].to(x.dtype) * rates).repeat(1, 1, 2)
    return turns.cos(), turns.sin()


def turn(q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1) -> Any:
    """Queries and keys turned in their own type."""
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    return tuple(x * cos + modeling.rotate_half(x) * sin for x in (q, k))


class ModernBert(golden_encoder.Encoder):
    """Transformers' ModernBertForSequenceClassification."""

    network = transformers.ModernBertForSequenceClassification
    head = "classifier"
    takes_types = False
    least_id = 1  # 0 is padding, whose row does not learn there
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "mean": {"classifier_pooling": "mean"},
        "window": {"local_attention": 8},
        "heads": {"num_attention_heads": 2},
    }
    seed = 1
    settings: ClassVar[dict[str, Any]] = {}

    def config(self) -> Any:
        return transformers.ModernBertConfig(
            vocab_size=VOCABULARY,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            cls_token_id=1,
            sep_token_id=2,
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=11,
            max_position_embeddings=12,
            local_attention=4,
            global_attn_every_n_layers=2,
            **self.settings,
        )


class Old(ModernBert):
    """With every bias, and its config.json as Transformers 4.x writes it."""

    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    seed = 2
    settings: ClassVar[dict[str, Any]] = {
        "norm_bias": True,
        "attention_bias": True,
        "mlp_bias": True,
        "classifier_bias": True,
        "classifier_pooling": "mean",
        "classifier_activation": "relu",
    }

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        super().save(model, folder)
        path = folder / "config.json"
        config = json.loads(path.read_text())
        for key in ("layer_types", "rope_parameters"):
            del config[key]
        config |= {"global_attn_every_n_layers": 2, "global_rope_theta": 1000.0, "local_rope_theta": 100.0}
        path.write_text(json.dumps(config, indent=2) + "\n")

    def config(self) -> Any:
        config = super().config()
        config.rope_parameters["full_attention"]["rope_theta"] = 1000.0
        config.rope_parameters["sliding_attention"]["rope_theta"] = 100.0
        return config


class ModernBertOfTokens(ModernBert):
    """Transformers' ModernBertForTokenClassification."""

    network = transformers.ModernBertForTokenClassification
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    per_token = True
    trained = False
    seed = 3


if __name__ == "__main__":
    modeling.ModernBertRotaryEmbedding.forward = angles
    modeling.apply_rotary_pos_emb = turn
    layouts = {"golden_hf": ModernBert(), "golden_old": Old(), "golden_tokens": ModernBertOfTokens()}
    golden_encoder.main(__doc__, layouts, Path(__file__).parent)
