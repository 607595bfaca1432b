"""Processes by turns, medians with their spread, and what the machine is."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Result = dict[str, Any]


class Failed(Exception):
    """A program that was to be measured ended with a failure."""


def log(text: str) -> None:
    """Progress, for people."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


# ---- Programs ----


def run(command: list[object], accept: tuple[int, ...] = (0,)) -> tuple[float, str]:
    """Seconds from start to end of a program, and its standard output."""
    words = [str(word) for word in command]
    begin = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode not in accept:
        raise Failed(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-800:]}")
    return seconds, done.stdout


def json_lines(text: str) -> list[Result]:
    """Every line that is a JSON object."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def by_turns(sides: dict[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """A B, B A, A B ...: one result of each side a round."""
    results: dict[str, list[Result]] = {name: [] for name in sides}
    for i in range(rounds):
        for name in list(sides) if i % 2 == 0 else reversed(list(sides)):
            results[name].append(sides[name]())
            log(f"  round {i + 1} of {rounds}, {name}")
    return results


# ---- Numbers ----


def spread(values: list[float]) -> Result:
    """Median, least and most."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "n": len(values)}


def row(what: str, unit: str, ours: list[float], peer: list[float], more_is_better: bool = False) -> Result:
    """One line of a table. ratio: how many times better we are, round by round; above 1 we win."""
    pairs = zip(ours, peer, strict=True)
    ratio = [a / b if more_is_better else b / a for a, b in pairs]
    return {"what": what, "unit": unit, "attune": spread(ours), "peer": spread(peer), "ratio": spread(ratio)}


def column(results: list[Result], key: str, scale: float = 1.0) -> list[float]:
    """One number of every result."""
    return [result[key] * scale for result in results]


# ---- Machine ----


def drop_page_cache() -> bool:
    """Forget what files hold, so that the next program reads them anew; needs to be root."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
    except OSError:
        return False
    return True


def first_line(command: list[str]) -> str:
    """What a program says of itself; "" when it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    except OSError:
        return ""


def machine(build: Path) -> Result:
    """The processor, the library and the compiler."""
    environment = json_lines(run([build / "attune", "env", "--json"])[1])[0]
    for name in ("event", "variables"):
        environment.pop(name, None)
    changed = first_line(["git", "status", "--porcelain", "--untracked-files=no"])
    environment["commit"] = first_line(["git", "rev-parse", "--short", "HEAD"]) + (
        " and changes" if changed else ""
    )
    environment["compiler"] = first_line(["cc", "--version"])
    release = ".".join(os.uname().release.split(".")[:2])
    environment["kernel"] = f"{os.uname().sysname} {release} {os.uname().machine}"
    return environment


def busy_share(seconds: float = 2.0) -> float:
    """How much of the processors something else uses while we wait."""

    def ticks() -> tuple[int, int]:
        numbers = [int(x) for x in Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9]]
        return numbers[3] + numbers[4], sum(numbers)

    before = ticks()
    time.sleep(seconds)
    after = ticks()
    return 1.0 - (after[0] - before[0]) / max(1, after[1] - before[1])


def record(path: Path, build: Path, measure: Callable[[], Result]) -> None:
    """Measure, and write the result with when, on what, and how quiet a machine it was measured."""
    busy = busy_share()
    log(f"other work: {100 * busy:.0f} % of the processors")
    begin = time.monotonic()
    result = measure()
    result |= {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "busy_before": round(busy, 3),
        "seconds": round(time.monotonic() - begin, 1),
        "machine": machine(build),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
