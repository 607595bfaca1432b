"""The results as a page of Markdown."""

import json
from pathlib import Path

from measure import Result

INTRODUCTION = (
    "Made by `make bench`; do not edit. A ratio above 1 means that attune is better: faster, or smaller in "
    "memory. Each is the median over rounds in which both sides took turns, with the least and the most."
)

REPEAT = (
    "On a machine that does nothing else: `make bench`, or one part of it, `bench/run build --only step`. "
    "`PYTHON` names an interpreter with PyTorch and timm, `ATTUNE_DATA` the folder of large data; parts "
    "that lack theirs are skipped. `bench/README.md` explains each program."
)

SHARES = (
    "The least time that the machine's measured rate of products and bandwidth of memory allow a step of attune, "
    "over the time it takes, in the middle round; and the three kernels that lose the most, with what they lose "
    "of their time (`attune bench`)."
)

QUIET = 0.05  # share of the processors that others may use

TITLES = {
    "gemm": "Matrix products",
    "conv": "Convolutions",
    "step": "Training steps",
    "head": "A new head on 960 photographs",
    "texts": "A text encoder on 4,417 text messages",
    "start": "Short jobs",
}

TEXTS = {
    "gemm": (
        "Float32 products M x K x N of a linear map: forward y = x w', dx = dy w, dw = dy' x. Each side "
        "runs in the same process by turns, with weights in its own preferred layout; a ratio is taken "
        "within each round. oneDNN stands for the faster of its matmul and its inner product. The last four "
        "sizes are odd on purpose."
    ),
    "conv": (
        "k x k convolutions of ResNet-18, ResNet-50 and MobileNetV2 at 224 x 224, and odd ones: batch x height x "
        "width x channels, outputs of k x k / stride; k / 2 zeros around. By turns in one process as above, "
        "activations channels-last on both sides. Weights lie in each side's preferred layout; where they learn, "
        "each run brings them there, and dw ends in the layout of files."
    ),
    "step": (
        "Forward, loss, backward and AdamW on one resident batch of random 224 x 224 pictures, 1,000 "
        "classes, batch statistics; PyTorch in channels-last layout with fused AdamW. attune's f32 stands against "
        "PyTorch's faster setting in f32 (compiled or not); where the processor has units for bf16, what attune "
        "chooses by itself stands against the fastest of all. A short trial before the rounds, two steps after one "
        "of warm-up, finds that setting; a trial that fails or takes too long is not the fastest. Processes by "
        "turns; a ratio is taken within each round. attune also clips the gradient and tests it for "
        "infinities; PyTorch's loop does not. Compilation is no part of the time, and its memory is part of the "
        "process's."
    ),
    "head": (
        "The whole process, from the start of the program to the accuracy on 612 test photographs: "
        "MobileNetV2 0.35 frozen, a new head of 24 classes, 50 epochs of batches of 16. The peer is the "
        "loop of PyTorch's transfer learning tutorial, which decodes and computes every photograph in every "
        "epoch; and, stricter, the same with features computed once, as attune does. Imports are part of "
        "the time."
    ),
    "texts": (
        "MiniLM (22 million parameters), all layers, one epoch of 4,417 messages in batches of 32, tested on "
        "1,157 others; AdamW, learning rate 5e-5, cosine. The peer is a plain loop over a network of "
        "Transformers; its texts are tokenised beforehand, ours within the run. Texts per second of training. "
        "Where the processor has no units for bf16, the peer's bf16 is left out: emulated, it is the slowest."
    ),
    "start": "No peer.",
}


def number(x: float) -> str:
    """Three significant digits, thousands apart."""
    return f"{x:,.0f}" if abs(x) >= 99.95 else f"{x:#.3g}"


def measured(value: Result | None, unit: str) -> str:
    """A median with its unit."""
    return f"{number(value['median'])} {unit}" if value else ""


def ratio(value: Result | None) -> str:
    """A ratio with its spread."""
    if not value:
        return ""
    return f"**{value['median']:.2f}** ({value['least']:.2f} to {value['most']:.2f}, n = {value['n']})"


def table(result: Result) -> list[str]:
    """One comparison."""
    rows = result["rows"]
    peer = result["peer"]
    if not peer:
        lines = ["| | median | least to most |", "|---|---|---|"]
        for r in rows:
            a = r["attune"]
            cells = [measured(a, r["unit"]), f"{number(a['least'])} to {number(a['most'])}, n = {a['n']}"]
            lines.append(f"| {r['what']} | {cells[0]} | {cells[1]} |")
        return lines
    lines = [f"| | attune | {peer} | ratio (least to most) | |", "|---|---|---|---|---|"]
    for r in rows:
        cells = [measured(r[side], r["unit"]) for side in ("attune", "peer")]
        lines.append(f"| {r['what']} | {cells[0]} | {cells[1]} | {ratio(r['ratio'])} | {r.get('note', '')} |")
    return lines


def shares_table(shares: list[Result]) -> list[str]:
    """What the machine allows, and what takes most of the rest."""
    lines = ["", "### Share of what the machine allows", "", SHARES, ""]
    lines += ["| | share | of a step of | the machine | largest losses |", "|---|---|---|---|---|"]
    for share in shares:
        m = share["machine"]
        limits = f"{number(m['flops_per_second'] * 1e-9)} GFLOP/s in {m['product']}, "
        limits += f"{number(m['bytes_per_second'] * 1e-9)} GB/s"
        lost = [
            f"`{k['kernel']}` {number(1e3 * k['lost_seconds'])} of {number(1e3 * k['seconds'])} ms"
            for k in share["losses"]
        ]
        cells = [f"{100 * share['limit_share']:.1f} %", f"{number(1e3 * share['step_seconds'])} ms", limits]
        lines.append(f"| {' | '.join([share['what'], *cells, ', '.join(lost)])} |")
    return lines


def losses(results: dict[str, Result]) -> list[str]:
    """Where the peer wins."""
    lines = []
    for name, result in results.items():
        for r in result.get("rows", []):
            if r.get("ratio") and r["ratio"]["median"] < 1.0:
                factor = 1 / r["ratio"]["median"]
                lines.append(f"- {TITLES[name]}, {r['what']}: {result['peer']}, by a factor of {factor:.2f}")
    return lines or ["In none of the comparisons on this page."]


def conditions(result: Result) -> str:
    """When and how quiet."""
    m = result["machine"]
    busy = result["busy_before"]
    text = f"Threads on both sides: {result['threads']}. Measured {result['date']} at commit {m['commit']}; "
    text += f"other work before: {100 * busy:.0f} % of the processors."
    if busy > QUIET:
        text += " **The machine was not quiet: do not trust these figures.**"
    return text + (f" {result['note']}" if result.get("note") else "")


def describe_machine(m: Result) -> list[str]:
    """The machine as a list."""
    memory = m["memory_bytes"] / 2**30
    return [
        f"- {m['processor']}, {m['processors']} processors, {memory:.1f} GiB; {m['kernel']}",
        f"- instruction set {m['instruction_set']}, used {m['instruction_set_used']}",
        f"- attune {m['version']}, compiled by {m['compiler']}",
    ]


def accuracy_table(accuracy: Result) -> list[str]:
    """What bench/accuracy has found so far."""
    lines = [
        "## Accuracy",
        "",
        "The same recipes, the same photographs, the same seeds (`bench/accuracy`).",
        "",
    ]
    lines += ["| | attune | PyTorch | seeds |", "|---|---|---|---|"]
    for what, sides in accuracy.items():
        seeds = {side: sides.get(side, {}) for side in ("attune", "pytorch")}
        cells = [f"{100 * sum(v.values()) / len(v):.1f} %" if v else "" for v in seeds.values()]
        lines.append(
            f"| {what} | {cells[0]} | {cells[1]} | {len(seeds['attune'])} and {len(seeds['pytorch'])} |"
        )
    return [*lines, ""]


def write(path: Path, folder: Path) -> None:
    """Make the page from every result that lies in the folder."""
    results: dict[str, Result] = {}
    for name in TITLES:
        file = folder / f"{name}.json"
        if file.exists():
            results[name] = json.loads(file.read_text(encoding="utf-8"))
    lines = ["# Benchmarks", "", INTRODUCTION]
    measured_ones = {name: r for name, r in results.items() if "rows" in r}
    if measured_ones:
        newest = max(measured_ones.values(), key=lambda r: str(r["date"]))
        lines += ["", *describe_machine(newest["machine"])]
    for name, result in results.items():
        lines += ["", f"## {TITLES[name]}", "", TEXTS[name], ""]
        if "rows" in result:
            lines += table(result)
            if result.get("shares"):
                lines += shares_table(result["shares"])
            lines += ["", conditions(result)]
        else:
            lines.append(f"Skipped: {result['skipped']}.")
    lines += ["", "## Where the peer wins", "", *losses(measured_ones), ""]
    accuracy = folder / "accuracy.json"
    if accuracy.exists():
        lines += accuracy_table(json.loads(accuracy.read_text(encoding="utf-8")))
    lines += ["## How to repeat", "", REPEAT]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
