"""Goldens of BERT (tools/golden_encoder.py says what they hold): Transformers folders, golden_hf/ with a head for whole
texts, golden_tokens/ with one for every token."""

import sys
from pathlib import Path
from typing import Any, ClassVar

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import golden_encoder  # noqa: E402
import transformers  # noqa: E402
from golden_encoder import TYPES, VOCABULARY  # noqa: E402


WORDS = [*"abcdefghijklmnopqrstuvwxyz", "##e", "##s", "good", "bad", "film", "."]


class Bert(golden_encoder.Encoder):
    """Transformers' BertForSequenceClassification, with a vocabulary for tests of whole runs."""

    network = transformers.BertForSequenceClassification
    head = "classifier"
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "tanh": {"hidden_act": "gelu_new"},
        "relu": {"hidden_act": "relu"},
        "eps": {"layer_norm_eps": 0.1},
        "heads": {"num_attention_heads": 3},
    }
    seed = 1

    def save(self, model: Any, folder: Path) -> None:
        super().save(model, folder)
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
        assert len(tokens) == VOCABULARY
        (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))

    def config(self) -> Any:
        return transformers.BertConfig(
            vocab_size=VOCABULARY,
            type_vocab_size=TYPES,
            hidden_size=18,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=27,
            max_position_embeddings=13,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )


class BertOfTokens(Bert):
    """Transformers' BertForTokenClassification."""

    network = transformers.BertForTokenClassification
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    per_token = True
    least_id = 1  # 0 is padding, whose row does not learn there
    seed = 2


if __name__ == "__main__":
    golden_encoder.main(__doc__, {"golden_hf": Bert(), "golden_tokens": BertOfTokens()}, Path(__file__).parent)
