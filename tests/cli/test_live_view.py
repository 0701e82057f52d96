"""The live view of a terminal, drawn into a buffer."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from forebay.cli.live_view import LiveView
from forebay.local.port import Percentiles, Picture, ServiceFigures, TaskFigures

NOTHING: Percentiles = {"p50_s": None, "p90_s": None, "p99_s": None, "count": 0}


def task(number: int, state: str = "busy", exit_code: int | None = None) -> TaskFigures:
    return {
        "task_id": f"{number:032x}", "pid": 1, "revision": 1, "state": state, "is_protected": True,
        "protected_left_s": 300.0, "running_jobs": 3, "done_jobs": 7, "failed_jobs": 0, "age_s": 12.0,
        "exit_code": exit_code, "stop_code": "", "stopped_reason": "", "is_frozen": False,
    }  # fmt: skip


def service(tasks: list[TaskFigures]) -> ServiceFigures:
    return {
        "name": "worker", "queue_url": "http://127.0.0.1:1/000000000000/jobs", "desired": 2, "running": 1, "pending": 1,
        "protected": 1, "count_min": 1, "count_max": 4, "slots": 10, "is_scaled": True, "scaling_metric": 1.0,
        "scaling_target": 2.0,
        "queue": {
            "visible": 1234, "in_flight": 5, "delayed": 0, "dead": 0, "oldest_age_s": 3.0, "sent": 2000, "received": 1,
            "deleted": 766, "empty_receives": 0,
        },
        "wait": NOTHING, "run": NOTHING, "task_seconds": 1.0, "busy_slot_seconds": 1.0, "ledger": {}, "tasks": tasks,
        "deployments": [], "events": [], "decisions": [],
    }  # fmt: skip


def picture(*tasks: TaskFigures) -> Picture:
    return {
        "at_utc": "2026-11-24T10:00:00Z", "up_s": 1.0, "process_id": 1, "endpoint": "", "time_lapse": 20.0,
        "rate_per_s": 0.0, "can_send": True, "services": [service(list(tasks))], "faults": [], "comparison": None,
        "is_stopping": False,
    }  # fmt: skip


def shown(*, width: int, pictures: list[Picture], lines: list[str]) -> str:
    """What a terminal of this width has got when everything is over."""
    written = io.StringIO()
    with LiveView(Console(file=written, width=width, height=30, force_terminal=True, color_system=None)) as view:
        for line in lines:
            view.tell(line)
        for one in pictures:
            view.show(one)
        view.end(picture(task(1, "stopped", 0)))
        view.tell("the ledgers of 1 task")
    return written.getvalue()


@pytest.mark.parametrize("width", [40, 60, 200])
def test_a_line_that_is_to_be_copied_is_never_cut(width: int) -> None:
    exports = "  export " + " ".join(f"NAME_{number}=http://127.0.0.1:{number}" for number in range(12))

    assert exports + "\n" in shown(width=width, pictures=[picture(task(1))], lines=[exports])


def test_the_last_lines_stand_below_the_last_picture() -> None:
    text = shown(width=80, pictures=[picture(task(1))], lines=[])

    last_picture, told = text.rindex("stopped, exit 0"), text.index("the ledgers of 1 task")
    assert last_picture < told
    assert "Ctrl-C drains" not in text[last_picture:]


def test_more_tasks_than_fit_are_counted_and_those_that_live_come_first() -> None:
    ended = [task(number, "stopped", 137) for number in range(20)]

    text = shown(width=80, pictures=[picture(*ended, task(99))], lines=[])

    assert "and 9 more" in text
    assert text.index("busy") < text.index("stopped, exit 137")
