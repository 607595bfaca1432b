"""Goldens of tags_test.c: what seqeval makes of sentences of tags in its default mode. Writes tags_golden.json beside itself:

[{"truth", "said" (tags of each sentence, separated by blanks), "precision", "recall", "f1", "accuracy",
  "types": {TYPE: [precision, recall, f1, support]}}]

Run with seqeval 1.2.2."""
import json
import random
import warnings
from pathlib import Path

from seqeval.metrics import accuracy_score, classification_report

ODD = [
    (["O I-PER I-PER O"], ["O B-PER I-PER O"]),  # an entity that begins with I
    (["B-PER I-LOC I-LOC O"], ["B-PER I-PER I-LOC O"]),  # the type changes inside
    (["I-PER I-PER B-PER I-PER"], ["I-PER I-PER I-PER I-PER"]),  # IOB1: B between neighbours alone
    (["S-PER O B-LOC I-LOC E-LOC"], ["S-PER O B-LOC E-LOC I-LOC"]),  # IOBES
    (["B-PER E-PER E-PER S-PER I-PER"], ["B-PER I-PER E-PER I-PER E-PER"]),
    (["B I O B"], ["B O O I"]),  # without types
    (["O O O"], ["O O O"]),  # no entity at all
    (["O B-LOC"], ["O O"]),  # nothing said
    (["O O"], ["O B-LOC"]),  # nothing there
    (["B-PER I-PER", "I-PER O"], ["B-PER I-PER", "B-PER O"]),  # entities end with their sentence
    (["B-A-B I-A-B O B-A"], ["B-A-B I-A O B-A"]),  # dashes in types
]


def scores(truth, said):
    y, z = [s.split() for s in truth], [s.split() for s in said]
    report = classification_report(y, z, output_dict=True, zero_division=0)
    whole = report["micro avg"]
    types = {
        name: [r["precision"], r["recall"], r["f1-score"], int(r["support"])]
        for name, r in report.items()
        if not name.endswith(" avg")
    }
    return {"truth": truth, "said": said, "precision": whole["precision"], "recall": whole["recall"],
            "f1": whole["f1-score"], "accuracy": accuracy_score(y, z), "types": types}


def noise(draw, labels):
    """Sentences in which most tags are said as they are."""
    truth = [[draw.choice(labels) for _ in range(draw.randint(1, 12))] for _ in range(8)]
    said = [[t if draw.random() < 0.7 else draw.choice(labels) for t in s] for s in truth]
    return [" ".join(s) for s in truth], [" ".join(s) for s in said]


def main():
    draw = random.Random(1)
    iob = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    cases = ODD + [noise(draw, iob) for _ in range(6)]
    cases += [noise(draw, [*iob, "E-PER", "S-PER", "E-LOC", "S-LOC"]) for _ in range(6)]
    lines = ",\n".join(json.dumps(scores(*case)) for case in cases)
    Path(__file__).with_suffix(".json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
