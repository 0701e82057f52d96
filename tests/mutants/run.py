"""Plants each bug in a copy of the source, and lets the pure tests and the simulator look for it.

python -m tests.mutants.run                     every one; a survivor fails
python -m tests.mutants.run "no pause"          those whose name holds these words
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.mutants.planted import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = 600
PATIENCE_S = 180
"""A planted bug may keep a test from ending; that counts as noticed."""


class Looks(NamedTuple):
    """What looks for the bugs of one part of the source."""

    tests: tuple[str, ...]
    world: str
    """The simulator's module; empty where there is none."""


WORKER = Looks(("tests/worker",), "forebay.testing.world")
PARTS = {
    "rules/ecs_": Looks(("tests/rules/test_ecs_scheduling.py",), "forebay.testing.ecs_world"),
    "rules/queue_": Looks(("tests/rules",), ""),
    "handlers/": Looks(
        (
            "tests/handlers/test_ahead.py",
            "tests/handlers/test_crash.py",
            "tests/handlers/test_on_process_ahead.py",
            "tests/handlers/test_on_process.py",
            "tests/handlers/test_on_process_life.py",
            "tests/handlers/test_on_process_chaos.py",
        ),
        "",
    ),
}
"""Beginning of the path of a bug's first edit → who looks for it; everything else is the worker's."""


def looks_for(mutant: Mutant) -> Looks:
    """Return who is to notice this bug."""
    path = mutant.edits[0].path
    return next((looks for beginning, looks in PARTS.items() if path.startswith(beginning)), WORKER)


class Verdict(NamedTuple):
    """What became of one planted bug. `noticed_by` is empty for a survivor."""

    mutant: Mutant
    noticed_by: str
    took_s: float


def plant(mutant: Mutant, folder: Path) -> Path:
    """Copy the source to `folder` with the bug in it; return what belongs on PYTHONPATH."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    for path, old, new in mutant.edits:
        file = source / "forebay" / path
        text = "\n" + file.read_text(encoding="utf-8")  # So that the first line begins like every other.
        count = text.count(f"\n{old}\n")
        if count != 1:
            raise ValueError(f"{mutant.name!r}: what it replaces occurs {count} times in {path}, not once")
        file.write_text(text.replace(f"\n{old}\n", f"\n{new}\n").removeprefix("\n"), encoding="utf-8")
    return source


def judge(mutant: Mutant, *, seeds: int = SEEDS) -> Verdict:
    """Plant one bug and say who notices it: the pure tests are asked first, then the simulator."""
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="forebay-mutant-") as folder:
        source = plant(mutant, Path(folder))
        looks = looks_for(mutant)
        commands = {"tests": ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *looks.tests]}
        if looks.world:
            processes = ["--processes", "1"] if looks is WORKER else []
            commands["world"] = ["-m", looks.world, "--seeds", str(seeds), *processes, "--stop-at-first"]
        noticed = [name for name, command in commands.items() if _fails(command, source)]
    return Verdict(mutant, " and ".join(noticed), time.monotonic() - began_at)


def _fails(arguments: Sequence[str], source: Path) -> bool:
    """Whether a run of Python with the planted source fails, or does not end."""
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        answer = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return True
    return answer.returncode != 0


def main(words: list[str]) -> int:
    """Judge every mutant (or those named); return 1 if any survived."""
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    survivors: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        for verdict in pool.map(judge, chosen):
            print(f"{verdict.took_s:6.1f} s  {verdict.noticed_by or 'SURVIVED':15}  {verdict.mutant.name}", flush=True)
            if not verdict.noticed_by:
                survivors.append(verdict.mutant.name)
    print(f"{len(chosen)} planted, {len(chosen) - len(survivors)} noticed", *survivors, sep="\n  survived: ")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
