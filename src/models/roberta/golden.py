"""Goldens of RoBERTa (tools/golden_encoder.py says what they hold): Transformers folders,
golden_hf/ with a head for whole texts, golden_tokens/ with one for every token."""

import sys
from pathlib import Path
from typing import Any, ClassVar

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import golden_encoder  # noqa: E402
import transformers  # noqa: E402
from golden_encoder import TYPES, VOCABULARY  # noqa: E402

PAD = 2


class Roberta(golden_encoder.Encoder):
    """Transformers' RobertaForSequenceClassification. XLM-RoBERTa and CamemBERT are the same network."""

    network = transformers.RobertaForSequenceClassification
    head = "classifier.out_proj"
    least_id = PAD + 1  # padding has no position of its own there
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "relu": {"hidden_act": "relu"},
        "eps": {"layer_norm_eps": 0.1},
        "pad": {"pad_token_id": 1},
    }
    seed = 1

    def config(self) -> Any:
        return transformers.RobertaConfig(
            vocab_size=VOCABULARY,
            type_vocab_size=TYPES,
            pad_token_id=PAD,
            hidden_size=18,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=27,
            max_position_embeddings=16,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )


class RobertaOfTokens(Roberta):
    """Transformers' RobertaForTokenClassification."""

    network = transformers.RobertaForTokenClassification
    head = "classifier"
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    per_token = True
    trained = False
    seed = 3


if __name__ == "__main__":
    golden_encoder.main(__doc__, {"golden_hf": Roberta(), "golden_tokens": RobertaOfTokens()}, Path(__file__).parent)
