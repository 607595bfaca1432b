"""What is compared with what. Every comparison is a function from a setup to rows of a table."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import measure
from measure import Failed, Result, by_turns, column, json_lines, log, row, run

MEBIBYTE = 2.0**-20
TIMED_OUT = 124  # timeout's status
TRIAL_SECONDS = 150  # for one setting of the peer, with its imports and its compilation
PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent


class Skipped(Exception):
    """A comparison that lacks what it needs; the text says what."""


@dataclass(frozen=True)
class Setup:
    """Where things are, and how long it may take."""

    build: Path
    python: Path | None  # with PyTorch and timm
    data: Path | None  # $ATTUNE_DATA
    threads: int
    rounds: int
    quick: bool  # to see that all works: figures mean nothing
    full_tutorial: bool

    def scratch(self, name: str) -> Path:
        """A folder that does not exist yet; its parent does."""
        path = self.build / "bench" / "scratch" / name
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def cool_down(self) -> bool:
        """Nothing of the files is in memory any more; a quick look leaves them there."""
        return not self.quick and measure.drop_page_cache()

    def need_python(self) -> Path:
        """The peer's interpreter."""
        if self.python is None:
            raise Skipped("no Python with PyTorch and timm was found: set PYTHON")
        return self.python

    def need_photos(self) -> Path:
        """The photographs of crop pests; for a quick look those of the demonstration."""
        if self.quick:
            quick = self.scratch("photos")
            quick.mkdir()
            for name in ("train", "test"):
                (quick / name.upper()).symlink_to(ROOT / "demo/photos" / name)
            return quick
        folder = self.data / "data/images-crop-pests-xie24" if self.data else None
        if folder is None or not folder.is_dir():
            raise Skipped("$ATTUNE_DATA holds no data/images-crop-pests-xie24")
        return folder


def find_python() -> Path | None:
    """$PYTHON, if it has what the peers import."""
    python = Path(os.environ.get("PYTHON", "/opt/golden/bin/python"))
    try:
        done = subprocess.run([python, "-c", "import torch, timm"], capture_output=True, check=False)
    except OSError:
        return None
    return python if done.returncode == 0 else None


def find_data() -> Path | None:
    """$ATTUNE_DATA, else a folder `shared` beside the checkout."""
    given = os.environ.get("ATTUNE_DATA")
    data = Path(given) if given else ROOT.parent / "shared"
    return data if data.is_dir() else None


def last_event(out: str, kind: str) -> Result:
    """Of what attune --json printed."""
    return [line for line in json_lines(out) if line.get("event") == kind][-1]


def last_line(command: list[object]) -> Result:
    """What a program that prints JSON said last."""
    return json_lines(run(command)[1])[-1]


def train(s: Setup, photos: Path, method: str, *options: object) -> tuple[float, Result]:
    """Seconds of a whole run, and its last event."""
    command = [s.build / "attune", "train", ROOT / "demo/model", photos, "--method", method, *options]
    seconds, out = run([*command, "--threads", s.threads, "--output", s.scratch("run"), "--json"])
    return seconds, last_event(out, "done")


def torch_name(results: list[Result]) -> str:
    """The peer with its version."""
    return f"PyTorch {results[0]['torch']}"


# ---- Matrix products ----


def against_onednn(
    s: Setup, name: str, tiny: str, options: list[object], precisions: list[str], what: Callable[[Result], str]
) -> Result:
    """The rows of a program that takes turns with oneDNN; --quick: of one tiny shape."""
    program = s.build / name
    if not program.exists():
        raise Skipped(f"{name} was not built: libdnnl-dev is missing (tools/setup --bench)")
    time: list[object] = ["--rounds", 2, "--seconds", 0.01, tiny] if s.quick else options
    command = [program, "--threads", s.threads, *time, "--precision"]
    results = [r for precision in precisions for r in json_lines(run([*command, precision])[1])]
    rows = [
        {
            "what": what(r),
            "unit": "GFLOP/s",
            "attune": {"median": r["gflops"]},
            "peer": {"median": r["peer_gflops"]},
            "ratio": {"median": r["ratio"], "least": r["ratio_least"], "most": r["ratio_most"], "n": r["rounds"]},
            "note": f"{r['kernel']}; {r['primitive']}",
        }
        for r in results
    ]
    return {"peer": results[0]["peer"], "rows": rows}


def gemm(s: Setup) -> Result:
    """Float32 products, forward and both gradients, against oneDNN."""

    def what(r: Result) -> str:
        return f"{r['M']} x {r['K']} x {r['N']}, {r['product']}"

    return against_onednn(s, "bench_gemm", "64x65x66", ["--rounds", max(s.rounds, 9)], ["f32"], what)


CONVOLUTIONS = (
    "32x224x224x3-64x7x2",  # ResNet-18: the stem, the first stage and the last, a step between two
    "32x56x56x64-64x3x1",
    "32x7x7x512-512x3x1",
    "32x28x28x128-256x3x2",
    "16x14x14x512-512x3x2",  # ResNet-50: a step within a block
    "32x224x224x3-32x3x2",  # MobileNetV2: the stem
    "3x7x7x24-24x3x1",  # sizes that nobody tuned for
    "3x33x29x45-35x5x1",
)


def conv(s: Setup) -> Result:
    """Float32 k x k convolutions, forward and both gradients, against oneDNN; also bf16 where it is multiplied."""

    def what(r: Result) -> str:
        shape = f"{r['S']} x {r['H']} x {r['W']} x {r['C']}, {r['O']} of {r['k']} x {r['k']} / {r['stride']}"
        learns = ", weights learn" if r["weights"] == "learn" and r["product"] != "dw" else ""
        return f"{shape}, {r['product']}{learns}{', bf16' if r['precision'] == 'bf16' else ''}"

    multiplied = measure.machine(s.build)["instruction_set_used"] in ("avx512bf16", "amx")
    options = ["--rounds", min(s.rounds, 7), *CONVOLUTIONS]  # all of bench_conv's sizes take twice as long
    precisions = ["f32", "bf16"][: 1 + multiplied]
    return against_onednn(s, "bench_conv", "2x9x7x5-3x3x2", options, precisions, what)


# ---- Training steps ----


def peak_of_run(s: Setup, batch: int) -> float:
    """Largest resident memory of a real run that trains everything, in MiB."""
    norms = ["--edits", '[{norm: {sites: "*", mode: train}}]']
    size = ["--train.batch_size", batch, "--train.steps", 4]
    return train(s, ROOT / "demo/photos", "full", *norms, *size)[1]["peak_memory_bytes"] * MEBIBYTE


@dataclass(frozen=True)
class Network:
    """What is trained, and how many steps a round takes: seconds, not minutes, for each side."""

    name: str
    title: str
    batch: int
    steps: int


NETWORKS = (
    Network("mobilenetv2_035", "MobileNetV2 0.35", 32, 6),
    Network("mobilenetv2_100", "MobileNetV2 1.0", 32, 4),
    Network("resnet18", "ResNet-18", 32, 2),
    Network("resnet50", "ResNet-50", 16, 2),
)

SETTINGS: dict[str, list[object]] = {
    "f32": [],
    "f32, compiled": ["--compile"],
    "bf16 autocast": ["--dtype", "bf16"],
    "bf16 autocast, compiled": ["--dtype", "bf16", "--compile"],
}


def try_setting(command: list[object], limit: int) -> tuple[float, str]:
    """Images per second of a short trial of the peer, 0 if there are none, and the same in words."""
    try:
        timeout: list[object] = ["timeout", "--kill-after", 5, limit]
        lines = json_lines(run([*timeout, *command, "--steps", 2, "--warmup", 1], (0, TIMED_OUT))[1])
    except Failed as failure:
        log(f"  {failure}")
        return 0.0, "failed"
    if not lines:
        return 0.0, f"more than {limit} s"
    return lines[-1]["images_per_second"], f"{lines[-1]['images_per_second']:.3g}"


def try_settings(theirs: list[object], names: list[str], limit: int) -> tuple[dict[str, float], str]:
    """Images per second of each setting of the peer, and what the trials found, in words."""
    found = {}
    for name in names:
        found[name] = try_setting([*theirs, *SETTINGS[name]], limit)
        log(f"  trial of {name}: {found[name][1]}")
    words = "; ".join(f"{name} {text}" for name, (_, text) in found.items())
    return {name: rate for name, (rate, _) in found.items()}, f"trials, images/s: {words}"


def share_of_limit(what: str, results: list[Result]) -> Result:
    """What the machine allows and where the most is lost, from the round with the middle step."""
    middle = sorted(results, key=lambda r: r["step_seconds"])[len(results) // 2]
    kernels = [k | {"lost_seconds": k["seconds"] - k["least_seconds"]} for k in middle["by_kernel"]]
    kernels.sort(key=lambda k: k["lost_seconds"], reverse=True)
    keys = ("kernel", "nodes", "seconds", "lost_seconds")
    return {
        "what": what,
        "step_seconds": middle["step_seconds"],
        "least_seconds": middle["roofline"]["least_seconds"],
        "limit_share": middle["roofline"]["limit_share"],
        "machine": middle["machine"],
        "losses": [{key: kernel[key] for key in keys} for kernel in kernels[:3]],
    }


def step_of(s: Setup, network: Network, precisions: list[str]) -> Result:
    """Rows and shares of one network."""
    batch, steps = (2, 1) if s.quick else (network.batch, network.steps)
    sizes = ["--batch", batch, "--classes", 1000, "--threads", s.threads]
    theirs: list[object] = [s.need_python(), PEERS / "timm_train.py", "--model", network.name, *sizes]
    ours: list[object] = [s.build / "bench_step", s.build / "bench" / network.name]
    run([*ours, "--batch", 1, "--size", 32, "--steps", 1])  # makes the folder
    # f32 stands against the peer's best in f32, what attune would choose by itself against the best of all
    names = {p: [name for name in SETTINGS if p != "f32" or name.startswith("f32")] for p in precisions}
    rates, trials = try_settings(theirs, names[precisions[-1]], 20 if s.quick else TRIAL_SECONDS)
    best = {p: max(names[p], key=lambda name: rates[name]) for p in precisions}
    time = ["--steps", steps, "--warmup", 1]
    sides: dict[str, Callable[[], Result]] = {}
    for p in precisions:  # what --profile watches are further steps
        sides[f"attune {p}"] = partial(last_line, [*ours, *sizes, *time, "--precision", p, "--profile"])
        sides[f"PyTorch {best[p]}"] = partial(last_line, [*theirs, *time, *SETTINGS[best[p]]])
    results = by_turns(sides, s.rounds if s.quick else min(s.rounds, 3))
    rows: list[Result] = []
    shares: list[Result] = []
    for p in precisions:
        mine, peer = results[f"attune {p}"], results[f"PyTorch {best[p]}"]
        what = f"{network.title}, batch {batch}, {mine[0]['precision']}"
        speed = column(mine, "samples_per_second"), column(peer, "images_per_second")
        memory = [column(side, "peak_resident_bytes", MEBIBYTE) for side in (mine, peer)]
        rows.append(row(f"{what}: step", "images/s", speed[0], speed[1], True))
        rows[-1]["note"] = f"PyTorch: {best[p]}; {trials}"
        rows.append(row(f"{what}: largest resident memory", "MiB", memory[0], memory[1]))
        rows[-1]["note"] = f"PyTorch: {best[p]}"
        shares.append(share_of_limit(what, mine))
        if network is NETWORKS[0] and p == precisions[-1]:
            job = [peak_of_run(s, batch)] * len(mine)
            rows.append(row(f"{what}: the same, of a whole `attune train`", "MiB", job, memory[1]))
            rows[-1]["note"] = "attune with loader and evaluation, PyTorch without"
    return {"peer": torch_name(peer), "rows": rows, "shares": shares}


def step(s: Setup) -> Result:
    """A training step on one resident batch of noise, the memory of the process, and what holds it back."""
    precisions = ["f32", "auto"] if measure.machine(s.build)["precision"] == "bf16" else ["f32"]
    found: list[Result] = []
    for network in NETWORKS:
        log(f"step: {network.name}")
        found.append(step_of(s, network, precisions))
    together = {key: [one for result in found for one in result[key]] for key in ("rows", "shares")}
    return {"peer": found[0]["peer"]} | together


# ---- A whole job ----


def train_head(s: Setup, photos: Path, epochs: int) -> Result:
    """Our whole process, everything cold."""
    cold = s.cool_down()
    options = ["--train.epochs", epochs, "--data.valid", "none", "--cache", s.scratch("head-cache")]
    seconds, done = train(s, photos, "head", *options)
    return {"seconds": seconds, "accuracy": done["test"]["accuracy"], "cold": cold}


def tutorial(s: Setup, photos: Path, epochs: int, cached: bool = False) -> Result:
    """The peer's whole process, everything cold."""
    s.cool_down()
    command = [s.need_python(), PEERS / "head_tutorial.py", "--model", ROOT / "demo/model", "--data", photos]
    options = ["--epochs", epochs, "--threads", s.threads, *(["--cached"] if cached else [])]
    seconds, out = run([*command, *options])
    result = json_lines(out)[-1]
    return {"seconds": seconds, "accuracy": result["mean_accuracy"], "torch": result["torch"]}


def few_epochs(s: Setup, photos: Path, few: tuple[int, int], epochs: int) -> Result:
    """The tutorial's seconds for all epochs, drawn on from two short runs; all epochs do the same."""
    short, longer = (tutorial(s, photos, n) for n in few)
    slope = (longer["seconds"] - short["seconds"]) / (few[1] - few[0])
    return short | {"seconds": short["seconds"] + (epochs - few[0]) * slope}


def head(s: Setup) -> Result:
    """A new head on 960 photographs, from the start of the process to its end."""
    photos = s.need_photos()
    s.need_python()
    epochs, few = (2, (1, 2)) if s.quick else (50, (1, 3))
    results = by_turns(
        {
            "attune": lambda: train_head(s, photos, epochs),
            "tutorial, few epochs": lambda: few_epochs(s, photos, few, epochs),
            "features computed once": lambda: tutorial(s, photos, epochs, cached=True),
        },
        1 if s.quick else min(s.rounds, 3),
    )
    ours = column(results["attune"], "seconds")
    rows = [
        row(
            f"the tutorial's loop, {epochs} epochs estimated from runs of {few[0]} and {few[1]}",
            "s",
            ours,
            column(results["tutorial, few epochs"], "seconds"),
        ),
        row(
            f"the same with features computed once, {epochs} epochs",
            "s",
            ours,
            column(results["features computed once"], "seconds"),
        ),
    ]
    accuracies = [
        measure.spread(column(results[name], "accuracy"))["median"]
        for name in ("attune", "features computed once")
    ]
    rows[-1]["note"] = f"test accuracy {accuracies[0]:.3f} and {accuracies[1]:.3f}"
    if s.full_tutorial:
        log("head: the whole tutorial, once")
        whole = tutorial(s, photos, epochs)
        middle = [measure.spread(ours)["median"]]
        rows.append(
            row(f"the tutorial's loop, all {epochs} epochs, one run", "s", middle, [whole["seconds"]])
        )
        rows[-1]["note"] = f"test accuracy {whole['accuracy']:.3f}"
    cold = all(result["cold"] for result in results["attune"])
    note = (
        "Files were dropped from the page cache before each run."
        if cold
        else "The page cache could not be dropped."
    )
    return {"peer": torch_name(results["tutorial, few epochs"]), "rows": rows, "note": note}


# ---- Texts ----


def split_messages(source: Path, to: Path) -> tuple[Path, Path]:
    """The SMS as train.tsv and test.tsv, one split for both sides; equal texts are on one side."""
    rows = [line.split("\t", 1) for line in source.read_text(encoding="utf-8").splitlines()]
    to.mkdir()
    parts: dict[str, list[str]] = {"train": ["label\ttext"], "test": ["label\ttext"]}
    for label, text in rows:
        if label not in ("ham", "spam"):
            continue  # the header
        digest = hashlib.sha256(" ".join(text.lower().split()).encode()).hexdigest()
        parts["test" if int(digest, 16) % 5 == 0 else "train"].append(f"{label}\t{text}")
    for name, lines in parts.items():
        (to / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return to / "train.tsv", to / "test.tsv"


def train_texts(s: Setup, model: Path, data: tuple[Path, Path]) -> Result:
    """Our whole run of one epoch."""
    options = ["--train.epochs", 1, "--train.batch_size", 32, "--data.valid", "none"]
    command = [s.build / "attune", "train", model, data[0], "--data.test", data[1], *options]
    _, out = run([*command, "--threads", s.threads, "--output", s.scratch("texts-run"), "--json"])
    done = last_event(out, "done")
    return done | {"accuracy": done["test"]["accuracy"]}


def run_peer(command: list[object]) -> Result:
    return json_lines(run(command)[1])[-1]


def texts(s: Setup) -> Result:
    """Fine-tuning MiniLM on text messages, one epoch, all layers."""
    python = s.need_python()
    model = Path(os.environ.get("ATTUNE_MINILM", ""))
    source = s.data / "data/text-sms-spam/SMSSpamCollection" if s.data else None
    if not (model / "config.json").is_file() or source is None or not source.is_file():
        raise Skipped("$ATTUNE_MINILM (tools/fetch_minilm) or $ATTUNE_DATA/data/text-sms-spam is missing")
    data = split_messages(source, s.scratch("texts"))
    few = ["--steps", 2] if s.quick else []
    peer = [python, PEERS / "text_train.py", "--model", model, "--train", data[0], "--test", data[1], *few]
    settings = {
        "default": ("its default: padded to the longest", []),
        "grouped": ("texts grouped by length", ["--grouped"]),
        "bf16": ("texts grouped by length, bf16 autocast", ["--grouped", "--dtype", "bf16"]),
    }
    if measure.machine(s.build)["precision"] != "bf16":
        del settings["bf16"]  # emulated, it takes several times as long
    results = by_turns(
        {"attune": lambda: train_texts(s, model, data)}
        | {name: partial(run_peer, [*peer, "--threads", s.threads, *how]) for name, (_, how) in settings.items()},
        1 if s.quick else min(s.rounds, 3),
    )
    speed = {name: column(of, "samples_per_second") for name, of in results.items()}
    memory = {name: column(of, "peak_memory_bytes" if name == "attune" else "peak_resident_bytes", MEBIBYTE)
              for name, of in results.items()}  # fmt: skip
    rows = [
        row(f"against {what}", "texts/s", speed["attune"], speed[name], True)
        for name, (what, _) in settings.items()
    ]
    rows.append(row("largest resident memory, against the default", "MiB", memory["attune"], memory["default"]))
    if not s.quick:
        found = {name: measure.spread(column(of, "accuracy"))["median"] for name, of in results.items()}
        rows[0]["note"] = f"test accuracy {found['attune']:.4f} and {found['default']:.4f}"
    return {"peer": torch_name(results["default"]), "rows": rows}


# ---- Without a peer ----


def start(s: Setup) -> Result:
    """From exec to the end of the first step, and the whole demonstration."""
    n = 2 if s.quick else 9
    first = [
        train(s, ROOT / "demo/photos", "full", "--train.steps", 1)[1]["first_step_seconds"]
        for _ in range(n + 1)
    ][1:]  # the first one warms the page cache
    rows: list[Result] = [
        {
            "what": "exec to the end of the first step, demo photos, `full`",
            "unit": "s",
            "attune": measure.spread(first),
        }
    ]
    if not s.quick:
        log("start: the demonstration, once")
        options = ["--threads", s.threads, "--cache", s.scratch("demo-cache"), "--output", s.scratch("demo")]
        seconds = run([s.build / "attune", "demo", ROOT / "demo", *options])[0]
        rows.append(
            {"what": "`attune demo`, whole, one run", "unit": "s", "attune": measure.spread([seconds])}
        )
    return {"peer": "", "rows": rows}


ALL = {"gemm": gemm, "conv": conv, "step": step, "head": head, "texts": texts, "start": start}
