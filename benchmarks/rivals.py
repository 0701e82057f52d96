"""Forebay beside its rivals, everybody on one interpreter: what `python -m benchmarks.peers` does.

Rules kept here and nowhere else:

1. Every rival gets jobs in its own wire format, made by its own producer.
2. What cannot be installed or does not work is named with the reason, never dropped.
3. Rounds alternate, and a ratio is the median of the ratios within rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.drain import Contestant, environment_of
from benchmarks.environments import find_python, full_version
from benchmarks.lineup import ADDERS, FANFERRO, FAST, PLAIN, Entry, Field, forebays
from benchmarks.machine import HOME, described, pin_this_process
from benchmarks.places import THREADS, isolated, on_threads
from benchmarks.report import Figure, Results, Table
from benchmarks.server import Server
from benchmarks.speed import COLUMNS, LATENCY_S, Runs, rounds_of, rows_of, times


def with_template(entry: Entry, server: Server, field: Field) -> Entry | None:
    """Let a rival's own producer send one job, and take that for the pattern of all; None if it could not."""
    contestant = entry.contestant
    if contestant.template:
        return entry
    queue = server.create_queue()
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **environment_of(contestant, server, queue)}
    sent = subprocess.run(
        entry.sender, cwd=contestant.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if sent.returncode != 0:
        field.absent.append(
            (contestant.name, "its producer failed: " + (sent.stderr.strip().splitlines() or ["?"])[-1])
        )
        return None
    return entry._replace(contestant=dataclasses.replace(contestant, template=server.take_template(queue)))


def near(
    server: Server, field: Field, entries: Sequence[Entry], results: Results, *, rounds: int, share: float
) -> None:
    """The fastest ones by turns: no-op jobs, answers at once."""
    ours = forebays(field, 200)
    rivals = [entry.contestant for entry in entries if entry.contestant.name.startswith("fanferro")]
    contestants = [*ours, *rivals]
    runs = rounds_of(contestants, server, jobs=[int(20_000 * share)] * len(contestants), rounds=rounds)
    results.add(
        Table(f"No-op jobs, {rounds} rounds by turns", _columns(), rows_of(contestants, runs, FAST)),
        _beside_fanferro("jobs/s of fanferro's, with [fast]", runs, FAST, rivals, 0.83),
        _beside_fanferro("jobs/s of fanferro's, without", runs, PLAIN, rivals, 0.4),
    )


def far(server: Server, field: Field, entries: Sequence[Entry], results: Results, *, rounds: int, share: float) -> None:
    """The same with 10 ms added to every answer; Forebay with 400 slots and nothing else set."""
    ours = forebays(field, 400)
    rivals = [entry.contestant for entry in entries if entry.contestant.name == FANFERRO]
    more = [
        dataclasses.replace(one, name="fanferro, 16 pollers, 400 at once", environment=_more(one)) for one in rivals
    ]
    contestants = [*ours, *rivals, *more]
    jobs = [int((20_000 if one in ours else 8_000) * share) for one in contestants]
    runs = rounds_of(contestants, server, jobs=jobs, rounds=rounds, latency_s=LATENCY_S)
    results.add(
        Table(f"The same, 10 ms added to every answer, {rounds} rounds", _columns(), rows_of(contestants, runs, FAST)),
        _beside_fanferro("jobs/s of fanferro's at 10 ms, with [fast]", runs, FAST, rivals, 2.0),
        _beside_fanferro("jobs/s of fanferro's at 10 ms, without", runs, PLAIN, rivals, 2.0),
    )


def _more(contestant: Contestant) -> Mapping[str, str]:
    return {**contestant.environment, "BENCH_POLLERS": "16", "BENCH_CONCURRENCY": "400"}


def all_of_them(
    server: Server, field: Field, entries: Sequence[Entry], results: Results, *, rounds: int, share: float
) -> None:
    """Everybody in one run."""
    ours = forebays(field, 200)
    others = [entry for entry in entries if entry.contestant.name != f"{FANFERRO}, typed"]
    contestants = [*ours, *(entry.contestant for entry in others)]
    jobs = [int(20_000 * share)] * len(ours) + [max(20, int(entry.jobs * share)) for entry in others]
    runs = rounds_of(contestants, server, jobs=jobs, rounds=rounds)
    rows = rows_of(contestants, runs, FAST) + [[name, reason, *[""] * 5] for name, reason in field.absent]
    note = "Python's rivals run on one core like everybody else: those with several processes share it."
    results.add(Table(f"Everybody, {rounds} rounds by turns", _columns(), rows, note))
    for entry in others:
        if not entry.contestant.name.startswith("fanferro"):
            name = f"jobs/s of {entry.contestant.name}"
            ratio = times(runs, FAST, entry.contestant.name)
            results.add(None, Figure(name, ratio, " ×", entry.at_least, at_least=True))


def executors(
    server: Server, field: Field, entries: Sequence[Entry], results: Results, *, rounds: int, share: float
) -> None:
    """Blocking no-op jobs: threads and child processes, beside Celery's and Dramatiq's."""
    python = forebays(field, 0)[0].command[0]
    ours = [on_threads(python=python), isolated(python=python)]
    rivals = [one for one in entries if one.contestant.name.startswith(("Celery, ", "Dramatiq"))]
    contestants = [*ours, *(entry.contestant for entry in rivals)]
    jobs = [int(10_000 * share)] * len(ours) + [max(20, int(entry.jobs * share)) for entry in rivals]
    runs = rounds_of(contestants, server, jobs=jobs, rounds=rounds)
    columns = tuple(column.replace("Forebay's", f"{THREADS}'s") for column in COLUMNS)
    note = "Jobs are plain functions. Every worker, with its threads and processes, has one core."
    results.add(
        Table(f"Blocking no-op jobs, {rounds} rounds by turns", columns, rows_of(contestants, runs, THREADS), note)
    )
    for mine in ours:
        ratios = {entry.contestant.name: times(runs, mine.name, entry.contestant.name) for entry in rivals}
        known = {name: ratio for name, ratio in ratios.items() if not math.isnan(ratio)}
        best = min(known, key=lambda name: known[name], default="nobody")
        results.add(
            None,
            Figure(
                f"jobs/s of {mine.name}, of the best of Celery and Dramatiq",
                known.get(best, math.nan),
                " ×",
                5,
                at_least=True,
                beside=best,
            ),
        )


def _columns() -> Sequence[str]:
    return tuple(column.replace("Forebay's", "Forebay [fast]'s") for column in COLUMNS)


def _beside_fanferro(name: str, runs: Runs, ours: str, rivals: Sequence[Contestant], limit: float) -> Figure:
    """Return the ratio to fanferro's best row."""
    ratios = [times(runs, ours, rival.name) for rival in rivals]
    known = [ratio for ratio in ratios if not math.isnan(ratio)]
    return Figure(name, min(known, default=math.nan), " ×", limit, at_least=True, beside="its fastest row")


PARTS: Mapping[str, Callable[..., None]] = {"near": near, "far": far, "all": all_of_them, "executors": executors}


def main(arguments: Sequence[str]) -> int:
    """Make the environments, measure, print, and after a whole run write `benchmarks/RESULTS-peers.md`."""
    options = _options().parse_args(arguments)
    field = Field(find_python())
    for add in ADDERS:
        add(field)
    pin_this_process()
    results = Results(described())
    with Server() as server:
        entries = [made for entry in field.entries if (made := with_template(entry, server, field)) is not None]
        for name in options.only or list(PARTS):
            print(f"… {name}", file=sys.stderr, flush=True)
            quick: dict[str, Any] = {"rounds": 1, "share": 0.2}
            whole: dict[str, Any] = {"rounds": 5 if name == "near" else 3, "share": 1.0}
            PARTS[name](server, field, entries, results, **(quick if options.quick else whole))
    told = ", ".join(dict.fromkeys(field.versions))
    results.made_of += f"\nEverybody on {full_version(field.python)}: {told}"
    text = results.markdown("Forebay beside its rivals, measured")
    print(text)
    if not (options.quick or options.only):
        (HOME / "RESULTS-peers.md").write_text(text, encoding="utf-8")
        print("written: benchmarks/RESULTS-peers.md", file=sys.stderr)
    return 0 if all(figure.is_met for figure in results.figures) else 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    parser.add_argument("--only", action="append", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    return parser
