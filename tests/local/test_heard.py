"""What the tasks of a service have told, summed."""

from __future__ import annotations

from forebay.local.heard import Heard
from forebay.observability.events import LEDGER

STARTED: dict[str, object] = {"event": "worker.started", "at": "2026-11-24T10:00:00.000Z", "slots": 5}
BEGUN: dict[str, object] = {
    "event": "attempt.started",
    "at": "2026-11-24T10:00:01.000Z",
    "message_id": "m",
    "job": "default",
}
DONE: dict[str, object] = {
    **BEGUN,
    "event": "attempt.finished",
    "outcome": "succeeded",
    "settlement": "delete",
    "lasted_s": 0.5,
}
STOPPED: dict[str, object] = {
    "event": "worker.stopped",
    "at": "2026-11-24T10:00:02.000Z",
    **dict.fromkeys(LEDGER, 0),
    "received": 1,
    "succeeded": 1,
    "exit_status": 0,
}


def heard(**told: list[dict[str, object]]) -> Heard:
    tasks = Heard()
    for task_id, events in told.items():
        for event in events:
            tasks.feed(task_id, event, now=1.0)
    return tasks


def test_the_summed_ledger_balances_for_a_killed_task_has_none() -> None:
    tasks = heard(stopped=[STARTED, BEGUN, DONE, STOPPED], killed=[STARTED, BEGUN, BEGUN])

    assert tasks.printed_ledger()["received"] == 1
    assert tasks.ledger()["received"] == 3
    assert (tasks.ledgers(), tasks.killed(alive=())) == (1, 1)


def test_a_task_that_lives_was_not_killed() -> None:
    assert heard(one=[STARTED]).killed(alive={"one"}) == 0


def test_a_task_that_never_worked_was_not_killed() -> None:
    assert heard(one=[]).killed(alive=()) == 0


def test_how_long_handlers_ran_is_of_all_tasks() -> None:
    tasks = heard(one=[STARTED, BEGUN, DONE], other=[STARTED, BEGUN, {**DONE, "lasted_s": 0.1}])

    assert tasks.run(now=2.0).count == 2
    assert tasks.slots() == 5
