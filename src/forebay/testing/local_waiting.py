"""Waits for a test's worker, from the test's own thread, and makes it leave when it has been waited for long enough.

Rules kept here and nowhere else:

1. Patience is counted in real time: a job that never ends fails the test instead of hanging it.
2. Whoever interrupts the test (Ctrl-C, a time limit) interrupts the worker too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from anyio.from_thread import BlockingPortal

from forebay.queue.port import Counts
from forebay.testing.local_report import NotDrained, WorkReport
from forebay.testing.local_run import Run

STOP_PATIENCE_S = 5.0
"""How long a worker that has been told to leave at once may take."""


def wait_for(
    run: Run, working: Future[WorkReport], portal: BlockingPortal, *, patience_s: float, left: Callable[[], Counts]
) -> WorkReport:
    """Return the report of the run. Raises `NotDrained` when `patience_s` have passed."""
    try:
        return working.result(patience_s)
    except TimeoutError as late:
        if working.done():
            raise  # The run's own, not ours.
        counts = left()
        _stop(run, working, portal)
        report = portal.call(run.report)
        raise NotDrained(report, too_late(report, patience_s, counts)) from late
    except BaseException:
        if not working.done():
            _stop(run, working, portal)
        raise


def too_late(report: WorkReport, patience_s: float, left: Counts) -> str:
    """Say that patience is at its end, and what there is still to do."""
    return (
        f"after {patience_s:g} real seconds and {len(report.attempts)} attempts the worker has not finished "
        f"({left.visible} visible, {left.in_flight} in flight, {left.delayed} delayed): a job that never ends, or one "
        "that is given back again and again? patience_s=… allows more"
    )


def _stop(run: Run, working: Future[WorkReport], portal: BlockingPortal) -> None:
    portal.call(run.stop_now)
    try:
        working.result(STOP_PATIENCE_S)
    except TimeoutError:
        working.cancel()
