"""How many lines a worker writes, in virtual time."""

from __future__ import annotations

from time import perf_counter

import pytest
from tests.observability.kept_lines import CANARY, Ended, KeptLines, attempt

from forebay.clock import VirtualClock
from forebay.model import Crashed, Failed, Interrupted, Outcome, Postponed, Rejected, TimedOut
from forebay.observability.events import Keep
from forebay.observability.reporter import ATTEMPTS_PER_SECOND, Reporter

FAILED = Failed("ValueError", "f00d", ("jobs.py:3 resize", "png.py:9 read"), CANARY, f"Traceback … {CANARY}")


@pytest.fixture
def lines() -> KeptLines:
    return KeptLines()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_a_few_attempts_are_told_one_by_one(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")

    reporter.started([attempt(1)])
    reporter.concluded([Ended(attempt(1, receive_count=2))])

    assert lines.events == [
        {
            "event": "attempt.started", "at": "2026-01-01T00:00:00.000Z", "job": "resize", "message_id": "id-1",
            "attempt": 1, "queue": "thumbnails",
        },
        {
            "event": "attempt.finished", "at": "2026-01-01T00:00:00.000Z", "job": "resize", "message_id": "id-1",
            "attempt": 2, "queue": "thumbnails", "outcome": "succeeded", "lasted_s": 0.25, "settlement": "delete",
        },
    ]  # fmt: skip


def test_beyond_a_hundred_a_second_attempts_are_counted_and_none_is_told_twice(
    lines: KeptLines, clock: VirtualClock
) -> None:
    reporter = Reporter(lines, clock, log="json")
    count = ATTEMPTS_PER_SECOND + 150

    reporter.started([attempt(n) for n in range(count)])
    reporter.concluded([Ended(attempt(n), lasted_s=0.5) for n in range(count)])
    clock.advance(1.0)
    reporter.tick()

    assert len(lines.named("attempt.started")) == ATTEMPTS_PER_SECOND
    assert len(lines.named("attempt.finished")) == ATTEMPTS_PER_SECOND
    [summary] = lines.named("attempts.summary")
    assert summary == {
        "event": "attempts.summary", "at": "2026-01-01T00:00:01.000Z", "count": 150, "started": 150, "succeeded": 150,
        "lasted_s_total": 75.0, "lasted_s_max": 0.5, "period_s": 1.0,
        "job.resize.lasted_s_total": 75.0, "job.resize.succeeded": 150,
    }  # fmt: skip


def test_at_25_000_jobs_a_second_there_is_one_summary_a_second(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")
    batch = [Ended(attempt(n)) for n in range(25)]

    for _ in range(3_000):
        reporter.concluded(batch)
        clock.advance(0.001)
    reporter.close()

    summaries = lines.named("attempts.summary")
    assert 3 <= len(summaries) <= 4
    assert sum(line["succeeded"] for line in summaries) + len(lines.named("attempt.finished")) == 75_000


def test_a_flood_of_successes_hides_no_failure(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")

    reporter.concluded([Ended(attempt(n)) for n in range(5_000)])
    reporter.concluded([Ended(attempt(5_000), FAILED, settlement="release", delay_s=7.0)])

    assert lines.events[-1]["message_id"] == "id-5000"
    assert lines.events[-1]["outcome"] == "failed"
    assert lines.events[-1]["delay_s"] == 7.0
    assert lines.keeps[-1] is Keep.IMPORTANT


def test_a_flood_of_failures_is_told_up_to_its_limit_and_counted_beyond(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")

    reporter.concluded([Ended(attempt(n), FAILED, settlement="release") for n in range(1_000)])
    reporter.close()

    assert len(lines.named("attempt.finished")) == ATTEMPTS_PER_SECOND
    assert lines.named("attempts.summary")[0]["failed"] == 900


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (FAILED, {"error": "ValueError", "fingerprint": "f00d", "frames": "jobs.py:3 resize > png.py:9 read"}),
        (Postponed(30.0, "rate limit"), {"outcome": "postponed", "reason": "rate limit"}),
        (Rejected("not a number"), {"outcome": "rejected", "reason": "not a number"}),
        (TimedOut(60.0, stopped=False), {"outcome": "timed_out", "limit_s": 60.0, "stopped": False}),
        (Crashed(-9), {"outcome": "crashed", "exit_code": -9}),
        (Interrupted(), {"outcome": "interrupted"}),
    ],
)
def test_every_end_is_told_with_its_reason(
    lines: KeptLines, clock: VirtualClock, outcome: Outcome, told: dict[str, object]
) -> None:
    Reporter(lines, clock, log="json").concluded([Ended(attempt(), outcome, settlement="release")])

    assert told.items() <= lines.events[0].items()


@pytest.mark.parametrize("log", ["text", "json"])
def test_bodies_and_exception_messages_stay_out_of_lines(lines: KeptLines, clock: VirtualClock, log: str) -> None:
    reporter = Reporter(lines, clock, log="json" if log == "json" else "text")

    reporter.started([attempt()])
    reporter.concluded([Ended(attempt(), FAILED, settlement="bury"), Ended(attempt(2))])

    assert len(lines.lines) == 3
    assert CANARY not in "".join(lines.lines)


def test_an_exceptions_message_is_told_by_choice(lines: KeptLines, clock: VirtualClock) -> None:
    Reporter(lines, clock, log="json", error_detail="full").concluded([Ended(attempt(), FAILED, settlement="bury")])

    assert lines.events[0]["error_message"] == CANARY
    assert CANARY in lines.events[0]["traceback"]


def test_text_lines_of_attempts_are_sentences(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock)

    reporter.started([attempt()])
    reporter.concluded([Ended(attempt()), Ended(attempt(2), FAILED, settlement="release", delay_s=12.0)])

    assert lines.lines == [
        "2026-01-01T00:00:00.000Z id-1 - resize started (attempt 1)\n",
        "2026-01-01T00:00:00.000Z id-1 - resize succeeded in 0.25 s (attempt 1)\n",
        "2026-01-01T00:00:00.000Z id-2 - resize failed in 0.25 s (attempt 1); again in 12 s: ValueError"
        " at jobs.py:3 resize > png.py:9 read\n",
    ]


def test_the_sample_worker_tells_its_successes_itself_in_text_but_not_in_json(clock: VirtualClock) -> None:
    text, as_json = KeptLines(), KeptLines()
    for lines, log in ((text, "text"), (as_json, "json")):
        reporter = Reporter(lines, clock, log="json" if log == "json" else "text", tell_successes=False)
        reporter.started([attempt()])
        reporter.concluded([Ended(attempt())])

    assert text.lines == []
    assert [line["event"] for line in as_json.events] == ["attempt.started", "attempt.finished"]


def test_a_failing_poll_is_told_once_a_second_for_each_queue(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")

    for _ in range(1_000):
        reporter.report("poll.failed", {"queue": "a", "code": "RequestThrottled"})
        reporter.report("poll.failed", {"queue": "b", "code": "ServiceUnavailable"})
        clock.advance(0.01)
        reporter.tick()

    for queue in "ab":
        told = [line for line in lines.events if line["queue"] == queue]
        assert 10 <= len(told) <= 11
        assert sum(1 + line.get("suppressed", 0) for line in told) >= 900


def test_the_last_of_a_burst_is_told_when_the_second_is_over(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")

    for code in ("first", "second", "last"):
        reporter.report("poll.failed", {"queue": "a", "code": code})
    clock.advance(1.0)
    reporter.tick()
    clock.advance(5.0)
    reporter.tick()

    assert [(line["code"], line.get("suppressed", 0)) for line in lines.events] == [("first", 0), ("last", 1)]


def test_what_was_only_counted_is_told_at_the_end(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")
    for _ in range(3):
        reporter.report("poll.failed", {"queue": "a", "code": "x"})
    lines.dropped = 9

    reporter.close()

    assert [line.get("suppressed", 0) for line in lines.named("poll.failed")] == [0, 1]
    assert lines.named("log.dropped")[0]["count"] == 9


def test_the_ledger_is_the_last_line_whatever_was_only_counted_so_far(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")
    reporter.concluded([Ended(attempt(n)) for n in range(ATTEMPTS_PER_SECOND + 1)])
    lines.dropped = 3

    reporter.report("worker.stopped", {"received": 101})
    reporter.close()

    assert [line["event"] for line in lines.events[-3:]] == ["attempts.summary", "log.dropped", "worker.stopped"]


def test_on_a_terminal_a_drain_says_what_a_second_ctrl_c_does(clock: VirtualClock) -> None:
    terminal, pipe = KeptLines(), KeptLines()
    fields = {"reason": "SIGINT", "running": 0, "waiting": 0, "limit_s": 25.0, "poll_ends_in_s": 17.0}

    Reporter(terminal, clock, is_on_terminal=True).report("drain.started", fields)
    Reporter(pipe, clock).report("drain.started", fields)

    assert terminal.lines[0].endswith("; the open poll ends in 17 s. A second Ctrl-C stops now\n")
    assert pipe.lines[0].endswith("; the open poll ends in 17 s\n")


def test_the_ledger_is_never_held_back(lines: KeptLines, clock: VirtualClock) -> None:
    reporter = Reporter(lines, clock, log="json")

    for _ in range(100):
        reporter.report("worker.stopped", {"received": 1})

    assert len(lines.lines) == 100
    assert set(lines.keeps) == {Keep.VITAL}


def test_counting_an_attempt_costs_little(clock: VirtualClock) -> None:
    """Beyond the limit nothing is rendered: counting must be far cheaper than telling, on any machine."""
    lines = KeptLines()
    reporter = Reporter(lines, clock, log="json")
    batch = [Ended(attempt(n)) for n in range(ATTEMPTS_PER_SECOND)]

    began = perf_counter()
    reporter.concluded(batch)
    telling_s = perf_counter() - began
    counting_s = min(_timed(reporter, batch) for _ in range(20))

    assert counting_s < telling_s / 4


def _timed(reporter: Reporter, batch: list[Ended]) -> float:
    began = perf_counter()
    reporter.concluded(batch)
    return perf_counter() - began
