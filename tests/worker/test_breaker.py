"""A dependency that breaks: when a job is suspected, how it is tried meanwhile, and that no message pays for it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.worker.hand import Hand, asked, entries, message, of

from forebay.handlers.registry import Handler
from forebay.model import (
    SUCCEEDED,
    Continued,
    Crashed,
    Failed,
    Interrupted,
    Outcome,
    Postponed,
    Rejected,
    TimedOut,
)
from forebay.worker.vocabulary import Bury, Receive, Release, Start

FAILED = Failed("app.Broken", "f00d")
FAILURES: tuple[Outcome, ...] = (FAILED, TimedOut(20.0), Crashed(-9))


def job(name: str) -> Handler:
    return Handler(name, "loop", lambda attempt: None, 20.0, 2)


def worker(*, slots: int = 20, exit_when_empty: bool = False) -> Hand:
    """Two jobs of two attempts each; what fails for the second time is buried."""
    return Hand(slots=slots, exit_when_empty=exit_when_empty, handlers=[job("shaky"), job("sound")])


def settle(hand: Hand, since: int) -> None:
    """Let every release be answered, so that nothing is held."""
    for release in of(hand.said[since:], Release):
        hand.answer(release)


def run(hand: Hand, outcomes: Sequence[Outcome], *, name: str = "m", job: str = "shaky") -> None:
    """Let a message after the other come and end like this, a hundredth of a second each."""
    for index, outcome in enumerate(outcomes):
        since = len(hand.said)
        hand.wait(hand.now + 0.06)
        (attempt,) = hand.start(message(f"{name}{index}", job=job))
        hand.end(attempt.number, outcome)
        settle(hand, since)


def suspected(*, slots: int = 20) -> Hand:
    """A worker whose job `shaky` has just become suspected, and no other has come lately."""
    hand = worker(slots=slots)
    run(hand, [FAILED] * 50)
    assert hand.reports("dependency.suspected")
    return hand


def started(hand: Hand, since: int = 0) -> list[str]:
    return [
        attempt.message.message_id.removeprefix("id-")
        for start in of(hand.said[since:], Start)
        for attempt in start.attempts
    ]


# ── suspecting ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_is_suspected_when_nine_tenths_of_its_last_fifty_attempts_failed() -> None:
    hand = worker()
    run(hand, [SUCCEEDED] * 5 + [FAILURES[index % 3] for index in range(44)])
    assert hand.reports("dependency.suspected") == []

    run(hand, [FAILED], name="last")

    (told,) = hand.reports("dependency.suspected")
    assert (told["job"], told["failures"], told["window"]) == ("shaky", 45, 50)
    assert 0.7 < told["pause_s"] <= 1.0


def test_six_successes_among_fifty_are_enough_not_to_be_suspected() -> None:
    hand = worker()

    run(hand, ([SUCCEEDED] * 6 + [FAILED] * 44) * 3)

    assert hand.reports("dependency.suspected") == []


def test_what_says_nothing_of_a_dependency_is_left_out() -> None:
    hand = worker()
    neutral: list[Outcome] = [Postponed(1.0), Rejected("no use"), Interrupted()]

    run(hand, [FAILED] * 49 + neutral * 30)
    assert hand.reports("dependency.suspected") == []
    run(hand, [FAILED], name="last")

    assert hand.reports("dependency.suspected")


def test_a_job_that_goes_on_elsewhere_counts_as_a_success() -> None:
    hand = worker()

    run(hand, [Continued()] * 6 + [FAILED] * 44)

    assert hand.reports("dependency.suspected") == []


def test_nothing_is_suspected_by_a_worker_that_is_to_leave_when_its_queue_is_empty() -> None:
    hand = worker(exit_when_empty=True)

    run(hand, [FAILED] * 200)

    assert hand.reports("dependency.suspected") == []


# ── while it is suspected ──────────────────────────────────────────────────────────────────────────────────────


def test_a_source_that_brings_only_a_suspected_job_is_asked_for_one_message_when_a_probe_is_due() -> None:
    hand = suspected()
    hand.deliver(at=hand.now + 0.01)  # The poll that was open already.
    since = len(hand.said)

    hand.wait(hand.now + 0.5)
    assert of(hand.said[since:], Receive) == []
    hand.wait(hand.now + 0.8)

    assert asked(hand.said[since:]) == [1]


def test_the_pauses_between_probes_double_up_to_a_minute() -> None:
    hand = suspected()
    hand.deliver(at=hand.now + 0.01)
    pauses: list[float] = []
    for index in range(9):
        began_at = hand.now
        while not hand.engine._polling.is_open("q"):
            assert hand.engine.wake_at is not None
            hand.wait(hand.engine.wake_at)
        pauses.append(hand.now - began_at)
        run(hand, [FAILED], name=f"probe-{index}-")

    for pause, edge in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert 0.7 * edge < pause <= edge + 0.1


def test_only_one_probe_runs_at_a_time() -> None:
    hand = suspected()
    hand.wait(hand.now + 2.0)
    since = len(hand.said)

    hand.deliver(*(message(name, job="shaky") for name in "abc"))

    assert started(hand, since) == ["a"]


def test_of_what_comes_beside_a_probe_one_waits_and_the_rest_goes_back_until_the_next_is_due() -> None:
    hand = suspected()
    since = len(hand.said)

    hand.deliver(*(message(name, job="shaky") for name in "abc"))

    assert started(hand, since) == []
    assert [entry.receipt for entry in entries(hand.said[since:], Release)] == ["b/1", "c/1"]
    assert all(entry.seconds == 1 for entry in entries(hand.said[since:], Release))
    hand.wait(hand.now + 1.1)
    assert started(hand, since) == ["a"]


def test_a_worker_of_one_slot_keeps_none_waiting_for_the_next_probe() -> None:
    """The slot is for those that can run."""
    hand = suspected(slots=1)
    hand.wait(hand.now + 2.0)
    run(hand, [SUCCEEDED], job="sound")
    run(hand, [FAILED], name="probe")
    hand.wait(hand.now + 0.1)
    since = len(hand.said)

    hand.deliver(message("a", job="shaky"))

    assert [entry.receipt for entry in entries(hand.said[since:], Release)] == ["a/1"]


def test_other_jobs_run_at_full_speed_beside_a_suspected_one() -> None:
    hand = suspected()
    hand.deliver(message("x", job="sound"))
    since = len(hand.said)
    hand.wait(hand.now + 0.1)

    hand.deliver(*(message(f"s{index}", job="sound") for index in range(9)), message("a", job="shaky"))

    assert len(started(hand, since)) == 9
    hand.wait(hand.now + 0.1)
    assert sum(poll.count_max for poll in hand.engine._polling.sources["q"].polls.values()) >= 9


def test_no_failure_of_a_suspected_job_buries_its_message() -> None:
    hand = suspected()
    hand.wait(hand.now + 2.0)
    (attempt,) = hand.start(message("old", job="shaky", delivery=100))

    said = hand.end(attempt.number, FAILED)

    assert of(said, Bury) == []
    assert [entry.receipt for entry in entries(said, Release)] == ["old/100"]


def test_the_failure_that_raises_the_suspicion_buries_nothing_either() -> None:
    hand = worker()
    run(hand, [FAILED] * 49)
    hand.wait(hand.now + 0.1)
    (attempt,) = hand.start(message("last", job="shaky", delivery=2))

    said = hand.end(attempt.number, FAILED)

    assert hand.reports("dependency.suspected")
    assert of(said, Bury) == []


def test_a_rejected_message_is_buried_all_the_same() -> None:
    hand = suspected()
    hand.wait(hand.now + 2.0)
    (attempt,) = hand.start(message("bad", job="shaky"))

    assert len(of(hand.end(attempt.number, Rejected("no use")), Bury)) == 1


def test_a_message_that_runs_short_of_receives_is_hidden_longer() -> None:
    """SQS would move it to the dead-letter queue, though it was never tried."""
    hand = suspected()
    since = len(hand.said)

    hand.deliver(message("a", job="shaky"), message("b", job="shaky", delivery=10))

    (entry,) = entries(hand.said[since:], Release)
    assert entry.receipt == "b/10"
    assert entry.seconds >= 256


def test_a_probe_that_says_nothing_is_followed_by_another_after_the_same_pause() -> None:
    hand = suspected()
    hand.wait(hand.now + 2.0)
    run(hand, [Postponed(100.0)], name="probe")
    began_at = hand.now
    since = len(hand.said)

    hand.wait(hand.now + 1.3)

    assert asked(hand.said[since:]) == [1]
    assert hand.now - began_at <= 1.3


def test_a_probe_that_does_not_end_does_not_keep_others_from_being_tried() -> None:
    hand = Hand(slots=20, stuck="wait", handlers=[job("shaky"), job("sound")])
    run(hand, [FAILED] * 50)
    hand.wait(hand.now + 2.0)
    hand.start(message("stuck", job="shaky"))
    since = len(hand.said)
    hand.wait(hand.now + 20.0 + 25.0 + 3.0)

    assert hand.reports("attempt.stuck")
    assert asked(hand.said[since:]) == [1]


def test_operators_are_told_what_is_suspected() -> None:
    hand = suspected()

    assert any("'shaky'" in note and "one at a time" in note for note in hand.engine.notes)


# ── recovery ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_success_restores_full_speed_at_once() -> None:
    hand = suspected()
    hand.wait(hand.now + 2.0)
    (attempt,) = hand.start(message("probe", job="shaky"))
    since = len(hand.said)

    hand.end(attempt.number, SUCCEEDED)

    (told,) = hand.reports("dependency.recovered")
    assert (told["job"], told["probes"]) == ("shaky", 1)
    assert hand.engine.notes == ()
    hand.wait(hand.now + 0.1)
    assert asked(hand.said[since:])[0] == 10
    assert len(hand.start(*(message(f"n{index}", job="shaky") for index in range(10)))) == 10


def test_an_attempt_that_ran_all_the_time_is_as_good_as_a_probe() -> None:
    hand = worker()
    (old,) = hand.start(message("old", job="shaky"), at=0.5)
    run(hand, [FAILED] * 50)

    hand.end(old.number, SUCCEEDED)

    assert hand.reports("dependency.recovered")


def test_after_a_recovery_failures_count_anew() -> None:
    hand = suspected()
    hand.wait(hand.now + 2.0)
    run(hand, [SUCCEEDED], name="probe")

    run(hand, [FAILED] * 49, name="again")
    assert len(hand.reports("dependency.suspected")) == 1
    run(hand, [FAILED], name="once-more")

    assert len(hand.reports("dependency.suspected")) == 2


def test_what_failed_while_suspected_does_not_count_as_an_attempt_afterwards() -> None:
    hand = suspected()
    hand.wait(hand.now + 2.0)
    since = len(hand.said)
    (attempt,) = hand.start(message("a", job="shaky"))
    hand.end(attempt.number, FAILED)
    settle(hand, since)
    hand.wait(hand.now + 3.0)
    run(hand, [SUCCEEDED], name="probe")
    hand.wait(hand.now + 1.0)

    (attempt,) = hand.start(message("a", job="shaky", delivery=2))

    assert of(hand.end(attempt.number, FAILED), Bury) == []
