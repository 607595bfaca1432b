"""Goldens of DistilBERT (tools/golden_encoder.py says what they hold): Transformers folders,
golden_hf/ with a head for whole texts, golden_tokens/ with one for every token."""

import sys
from pathlib import Path
from typing import Any, ClassVar

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import golden_encoder  # noqa: E402
import transformers  # noqa: E402
from golden_encoder import VOCABULARY  # noqa: E402


class DistilBert(golden_encoder.Encoder):
    """Transformers' DistilBertForSequenceClassification."""

    network = transformers.DistilBertForSequenceClassification
    head = "classifier"
    takes_types = False
    least_id = 1  # 0 is padding, whose row does not learn there
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "relu": {"activation": "relu"},
        "heads": {"n_heads": 3},
    }
    seed = 1

    def config(self) -> Any:
        return transformers.DistilBertConfig(
            vocab_size=VOCABULARY,
            dim=18,
            n_layers=2,
            n_heads=2,
            hidden_dim=27,
            max_position_embeddings=13,
            dropout=0.0,
            attention_dropout=0.0,
            seq_classif_dropout=0.0,
        )


class DistilBertOfTokens(DistilBert):
    """Transformers' DistilBertForTokenClassification."""

    network = transformers.DistilBertForTokenClassification
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    per_token = True
    trained = False
    seed = 3


if __name__ == "__main__":
    golden_encoder.main(__doc__, {"golden_hf": DistilBert(), "golden_tokens": DistilBertOfTokens()}, Path(__file__).parent)
