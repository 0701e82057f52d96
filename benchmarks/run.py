"""`python -m benchmarks.run`: Forebay beside a bare loop and boto3, in one run, and the table of what was promised.

Rules kept here and nowhere else:

1. Everything is measured in one run on one machine, contestants by turns: such machines are noisy, so ratios count.
2. Only a whole run writes `benchmarks/RESULTS.md` and the README's table; `--quick` and `--only` just print.
3. The exit status is 1 when a promised figure was missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import calling, local_polls, local_server, page, places, producing, quiet, speed
from benchmarks.drain import RunFailed
from benchmarks.machine import HOME, REPOSITORY, described, pin_this_process, versions
from benchmarks.report import Results, write_between_marks
from benchmarks.server import Server

MEASURES: dict[str, Callable[..., Any]] = {
    "full-queue": speed.full_queue,
    "far-away": speed.far_away,
    "slow-backlog": speed.slow_backlog,
    "reaction": quiet.reaction,
    "start": quiet.start,
    "idle": quiet.idle,
    "in-flight": speed.in_flight,
    "places": places.places,
    "crash": places.crash,
    "calling": calling.calling,
    "producing": producing.producing,
    "local-server": local_server.capacity,
    "idle-polls": local_polls.idle_polls,
    "page": page.page_updates,
}

METHOD = """\
Every worker and the local SQS server are processes of their own; the server counts the requests and takes the times,
from the first delivery to the last delete. Rounds alternate between contestants; figures are medians. Machines like
this one are noisy: compare figures of one table, not of two.
"""


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and after a whole run write the results; return the exit status."""
    options = _options().parse_args(arguments)
    names = options.only or list(MEASURES)
    pin_this_process()
    made_of = f"{described()}\n{versions('forebay', 'uvloop', 'orjson', 'anyio', 'pydantic', 'boto3')}\n\n{METHOD}"
    results = Results(made_of)
    failed = False
    for name in names:
        print(f"… {name}", file=sys.stderr, flush=True)
        try:
            with Server() as server:
                MEASURES[name](server, results, is_quick=options.quick)
        except RunFailed as failure:
            failed = True
            print(f"FAILED: {name}: {failure}", file=sys.stderr)
    text = results.markdown("What Forebay costs, measured")
    print(text)
    if not (options.quick or options.only or failed):
        (HOME / "RESULTS.md").write_text(text, encoding="utf-8")
        write_between_marks(REPOSITORY / "README.md", _for_readme(results))
        print("written: benchmarks/RESULTS.md and the table in README.md", file=sys.stderr)
    return 0 if not failed and all(figure.is_met for figure in results.figures) else 1


def _for_readme(results: Results) -> str:
    """Return the first table and the promised figures, under what they were made of."""
    tables = [
        table.markdown(heading="**").replace("** ", "**", 1).replace("\n", "**\n", 1) for table in _chosen(results)
    ]
    where = results.made_of.partition("\n")[0]
    return "\n".join([*tables, f"{where}. [All figures](benchmarks/RESULTS.md)"])


def _chosen(results: Results) -> list[Any]:
    return [*results.tables[:2], results.figures_table()]


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short, under a minute; writes nothing")
    parser.add_argument("--only", action="append", choices=list(MEASURES), metavar="NAME", help=", ".join(MEASURES))
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
