"""The tasks' lines on one standard output."""

from __future__ import annotations

import json

import pytest

from forebay.local.output import Output, event_of

TASK = "0123456789abcdef0123456789abcdef"
AT = "2026-11-24T10:00:00.000Z"


def told(line: str, *, log: str = "text", names_tasks: bool = True, tells_its_own: bool = False) -> str:
    output = Output(log="json" if log == "json" else "text", names_tasks=names_tasks, tells_its_own=tells_its_own)
    return output.rendered(TASK, line.encode(), event_of(line.encode())) or ""


def event(name: str, **fields: object) -> str:
    return json.dumps({"event": name, "at": AT, **fields})


def test_an_event_is_told_as_the_worker_would_tell_it_with_the_task_after_the_time() -> None:
    line = event("attempt.started", message_id="m1", job="thumbnail", attempt=2)

    assert told(line) == f"{AT} [01234567] m1 - thumbnail started (attempt 2)\n"


def test_a_single_task_is_not_named() -> None:
    line = event("attempt.started", message_id="m1", job="thumbnail", attempt=2)

    assert told(line, names_tasks=False) == f"{AT} m1 - thumbnail started (attempt 2)\n"


def test_the_articles_lines_come_bare() -> None:
    line = event("log", level="INFO", logger="forebay.sample", message="m1 - Done", job="default")

    assert told(line, names_tasks=False) == f"{AT} m1 - Done\n"


def test_a_users_log_record_keeps_its_level_its_logger_and_its_job() -> None:
    line = event("log", level="WARNING", logger="shop", message="slow", job="default", message_id="m1")

    assert told(line, names_tasks=False) == f"{AT} WARNING shop: slow job=default message_id=m1\n"


@pytest.mark.parametrize(
    "line",
    [
        event("attempt.started", message_id="m1", job="default", attempt=1),
        event("attempt.finished", message_id="m1", job="default", attempt=1, outcome="succeeded", lasted_s=1.0),
        event("attempts.summary", count=7, succeeded=7, period_s=1.0),
    ],
)
def test_what_the_sample_tells_itself_is_not_told_twice(line: str) -> None:
    assert told(line, tells_its_own=True) == ""


def test_a_failed_attempt_of_the_sample_is_told_all_the_same() -> None:
    line = event("attempt.finished", message_id="m1", job="default", attempt=1, outcome="rejected", lasted_s=0.0)

    assert "rejected" in told(line, tells_its_own=True)


def test_json_lines_stay_objects_and_say_which_task_they_are_from() -> None:
    line = event("protection.released")

    assert json.loads(told(line, log="json")) == {"task": TASK, "event": "protection.released", "at": AT}


@pytest.mark.parametrize("line", ["Traceback (most recent call last):", "{not json", '{"event": 3}', '["event"]'])
def test_a_line_that_is_no_event_passes_through(line: str) -> None:
    assert told(line) == line + "\n"
    assert told(line, log="json") == line + "\n"


@pytest.mark.parametrize(
    "line",
    [
        '{"event":"order","at":"yesterday"}',
        '{"event":"order","at":"2026-11-24T10:00:00"}',
        '{"event":"\\ud800","at":"2026-11-24T10:00:00Z"}',
        '{"event":"order","at":"2026-11-24T10:00:00Z","n":' + "[" * 100_000,
    ],
)
@pytest.mark.parametrize("log", ["text", "json"])
def test_json_of_the_users_own_passes_through_however_like_ours_it_looks(line: str, log: str) -> None:
    assert told(line, log=log) == line + "\n"
