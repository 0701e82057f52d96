"""A task's tally, from lines that real workers wrote.

`tests/local/lines/` was captured from `forebay run --log json`: the sample worker with 30 and with 600 short jobs (the
latter beyond what is told one by one), and a worker of 24 jobs that fail, are rejected and time out, ended by SIGTERM.
Its `log` lines were left out of the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.local.task_events import TaskTally
from forebay.observability.events import LEDGER

LINES = Path(__file__).parent / "lines"
Event = dict[str, Any]


def _events(name: str) -> Iterator[Event]:
    for line in (LINES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _fed(events: Iterator[Event] | list[Event]) -> TaskTally:
    tally = TaskTally()
    for event in events:
        tally.feed(event)
    return tally


def _until(name: str, last: str) -> list[Event]:
    """The events up to and with the first of a kind."""
    found: list[Event] = []
    for event in _events(name):
        found.append(event)
        if event["event"] == last:
            break
    return found


def test_a_task_that_has_told_nothing_is_starting() -> None:
    tally = TaskTally()

    assert (tally.state, tally.running_jobs, tally.slots, tally.ledger["received"]) == ("starting", 0, 0, 0)


def test_a_started_worker_is_idle_and_has_told_its_slots() -> None:
    tally = _fed(_until("sample_30_jobs", "worker.started"))

    assert (tally.state, tally.slots, tally.has_started) == ("idle", 100, True)


def test_a_worker_is_busy_from_its_first_attempt_on() -> None:
    tally = _fed(_until("sample_30_jobs", "attempt.started"))

    assert (tally.state, tally.running_jobs, tally.done_jobs) == ("busy", 1, 0)


def test_the_ledger_of_a_stopped_worker_is_its_own_last_word() -> None:
    last = list(_events("sample_30_jobs"))[-1]

    tally = _fed(_events("sample_30_jobs"))

    assert (tally.state, tally.running_jobs, tally.done_jobs, tally.exit_status) == ("stopped", 0, 30, 0)
    assert tally.ledger == {column: last[column] for column in LEDGER}


def test_attempts_that_are_only_summed_up_are_counted_exactly() -> None:
    events = list(_events("sample_600_jobs"))

    before_the_end = _fed(events[:-1])

    assert [event["event"] for event in events].count("attempt.finished") == 100
    assert (before_the_end.done_jobs, before_the_end.running_jobs) == (600, 0)
    assert before_the_end.ledger["succeeded"] == 600


def test_run_times_come_one_by_one_and_as_the_mean_of_a_summary() -> None:
    tally = TaskTally()

    samples = [sample for event in _events("sample_600_jobs") for sample in tally.feed(event)]

    assert sum(count for _, count in samples) == 600
    assert sorted(count for _, count in samples)[-2:] == [1, 500]
    assert all(0 < lasted_s < 1 for lasted_s, _ in samples)


def test_until_a_summary_tells_what_has_started_nothing_runs_rather_than_less_than_nothing() -> None:
    finished = {"event": "attempt.finished", "outcome": "succeeded", "settlement": "delete", "lasted_s": 0.1}

    tally = _fed([finished, finished])

    assert tally.running_jobs == 0


def test_starts_of_a_summary_count_as_running_until_they_finish() -> None:
    tally = _fed([{"event": "attempts.summary", "count": 0, "succeeded": 0, "started": 40, "lasted_s_total": 0.0}])

    assert tally.running_jobs == 40


def test_what_failed_is_told_apart_from_what_was_done() -> None:
    tally = _fed(_until("failures_then_sigterm", "drain.started"))

    finished = [event["outcome"] for event in _events("failures_then_sigterm") if event["event"] == "attempt.finished"]
    assert tally.done_jobs == finished.count("succeeded")
    assert tally.failed_jobs == len(finished) - finished.count("succeeded") > 0
    assert tally.state == "draining"


def test_the_columns_known_before_the_end_agree_with_the_last_word() -> None:
    """Nothing of what the lines have told has to be taken back when the ledger comes."""
    before = _fed(_until("failures_then_sigterm", "drain.started")).ledger

    after = _fed(_events("failures_then_sigterm")).ledger

    assert {column: after[column] for column in before} == before
    assert after["buried"] > 0
    assert after["retried"] > 0
    assert after["orphaned"] == 0


def test_protection_is_followed_by_the_workers_own_word() -> None:
    held = _fed(_until("sample_30_jobs", "protection.held"))

    after = _fed(_events("sample_30_jobs"))

    assert (held.is_protected, after.is_protected) == (True, False)


def test_a_lease_lost_while_waiting_was_received_though_no_attempt_tells_of_it() -> None:
    tally = _fed([{"event": "lease.lost", "state": "waiting"}, {"event": "lease.lost", "state": "running"}])

    assert (tally.ledger["received"], tally.ledger["lease_lost"]) == (1, 1)


def test_suppressed_lines_are_counted_with_the_line_that_tells_of_them() -> None:
    tally = _fed([{"event": "message.duplicate", "suppressed": 4}, {"event": "protection.refused", "suppressed": 2}])

    assert (tally.ledger["duplicate"], tally.protection_refusals) == (5, 3)


def test_dropped_lines_make_the_counts_inexact() -> None:
    assert not _fed([{"event": "log.dropped", "count": 3}]).is_exact


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"event": None},
        {"event": ["attempt.started"]},
        {"event": "something.else", "count": 3},
        {"event": "log", "message": "attempt.started"},
        {"event": "attempt.finished", "outcome": "vanished"},
        {"event": "attempt.finished", "outcome": {"a": 1}, "settlement": []},
        {"event": "attempts.summary", "count": "many", "succeeded": -4, "started": True, "lasted_s_total": "x"},
        {"event": "worker.stopped", "received": 3},
        {"event": "worker.stopped", **dict.fromkeys(LEDGER, "0")},
    ],
)
def test_a_line_that_is_not_ours_changes_nothing(foreign: Event) -> None:
    """A user's program may print whatever it likes."""
    tally = _fed(_until("sample_30_jobs", "attempt.started"))

    samples = tally.feed(foreign)

    assert list(samples) == []
    assert (tally.state, tally.running_jobs, tally.done_jobs, tally.failed_jobs) == ("busy", 1, 0, 0)
    assert tally.ledger == _fed(_until("sample_30_jobs", "attempt.started")).ledger


@pytest.mark.parametrize(
    ("outcome", "settlement", "column"),
    [
        ("continued", "continue", "continued"),
        ("interrupted", "continue", "continued"),
        ("continued", "release", "released"),
        ("failed", "resend", "retried"),
    ],
)
def test_a_job_that_is_sent_again_is_counted_where_the_worker_counts_it(
    outcome: str, settlement: str, column: str
) -> None:
    started = {"event": "attempt.started", "message_id": "a", "job": "job", "attempt": 1}
    finished = {**started, "event": "attempt.finished", "outcome": outcome, "settlement": settlement, "lasted_s": 1.0}

    tally = _fed([started, finished])

    assert {name: count for name, count in tally.ledger.items() if count} == {"received": 1, column: 1}
