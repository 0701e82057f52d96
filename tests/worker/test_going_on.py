"""Jobs that go on elsewhere, and attempts that are counted by sending the job again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.worker.hand import DENIED, LEASE_LOST, NO_ANSWER, Hand, entries, message, of

from forebay.errors import Fault, FaultKind
from forebay.model import (
    ATTEMPT_ATTRIBUTE,
    CHECKPOINT_ATTRIBUTE,
    CONTINUED,
    FIRST_SENT_ATTRIBUTE,
    Crashed,
    Failed,
    Interrupted,
    Message,
    Outcome,
    Postponed,
    TimedOut,
)
from forebay.protection.port import Held, Refused, Unheld
from forebay.queue.continuation import copy_of
from forebay.queue.port import Outgoing
from forebay.worker.vocabulary import (
    Bury,
    Command,
    Conclude,
    Delete,
    ExtendRequested,
    Hold,
    Interrupt,
    LookAtProtection,
    Notify,
    Release,
    Renew,
    Resend,
    Start,
)

FAILED = Failed("app.Broken", "f00d")
FAILURES: list[Outcome] = [FAILED, TimedOut(20.0), Crashed(-9)]
REFUSED = Fault(FaultKind.REFUSED, "InvalidMessageContents")
TWELVE_HOURS_S = 43_190.0


def came_again(name: str = "a", *, state: str | None = None, attempts: int = 0, delivery: int = 1) -> Message:
    """A job that was sent again, as it is received."""
    copy = copy_of(replace(message("first"), sent_at_ms=1_000), attempts=attempts, state=state)
    return Message("q", f"id-{name}", f"{name}/{delivery}", copy.body, delivery, 2_000, attributes=copy.attributes)


def sent(commands: list[Command]) -> Outgoing:
    """The one message that is sent again."""
    (resend,) = of(commands, Resend)
    return resend.message


def number_in(copy: Outgoing, attribute: str) -> int | None:
    found = copy.attributes.get(attribute)
    return None if found is None else int(found.value)


def word(commands: list[Command]) -> str:
    (conclude,) = of(commands, Conclude)
    return conclude.conclusions[0].settlement


def kept(hand: Hand, until: float) -> list[Command]:
    """Let time pass with every renewal confirmed."""
    commands: list[Command] = []
    while (due := hand.engine.wake_at) is not None and due <= until:
        for command in (said := hand.wait(max(due, hand.now))):
            if isinstance(command, Renew):
                said = [*said, *hand.answer(command)]
        commands += said
    hand.now = until
    return commands


# ── going on ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_original_is_deleted_only_after_its_copy_is_confirmed() -> None:
    hand = Hand()
    (one,) = hand.start(message(), at=1.0)

    said = hand.end(one.number, CONTINUED, checkpoint='{"page":3}', at=2.0)

    assert sent(said).body == '{"forebay.checkpoint":{"page":3}}'
    assert word(said) == "continue"
    assert of(said, Delete) == []

    said = hand.resent(one.number, at=2.1)

    assert [entry.number for entry in entries(said, Delete)] == [one.number]
    assert hand.reports("message.continued")[0]["state_bytes"] == len('{"page":3}')
    hand.answer(of(said, Delete)[0], at=2.2)
    assert hand.ledger == {"received": 1, "continued": 1}


def test_a_job_that_came_with_a_state_has_its_body_back_and_the_state_beside_it() -> None:
    hand = Hand()

    (one,) = hand.start(came_again(state='{"page":3}', attempts=2), at=1.0)

    assert (one.message.body, one.message.state) == ("{}", '{"page":3}')
    assert one.count == 3


def test_a_rewritten_body_starts_anew_and_is_told() -> None:
    hand = Hand()
    odd = replace(came_again(state="3"), body='{ "forebay.checkpoint": 3}')

    (one,) = hand.start(odd, at=1.0)

    assert (one.message.body, one.message.state) == ('{ "forebay.checkpoint": 3}', None)
    assert [report["message_id"] for report in hand.reports("checkpoint.unreadable")] == ["id-a"]


def test_deliveries_before_the_copy_count_and_the_one_that_goes_on_does_not() -> None:
    hand = Hand()
    (one,) = hand.start(replace(came_again(attempts=2, delivery=3), sent_at_ms=9_000), at=1.0)
    assert one.count == 5

    copy = sent(hand.end(one.number, CONTINUED, checkpoint="1", at=2.0))

    assert number_in(copy, ATTEMPT_ATTRIBUTE) == 4
    assert number_in(copy, FIRST_SENT_ATTRIBUTE) == 1_000


@pytest.mark.parametrize(("retry", "expected"), [("count", 3), ("resend", 2)])
def test_deliveries_that_are_not_held_against_a_message_are_not_held_against_its_copy(
    retry: str, expected: int
) -> None:
    hand = Hand(retry=retry)
    hand.engine._desk.uncounted.add(("q", "id-a"))
    (one,) = hand.start(came_again(attempts=2, delivery=3), at=1.0)

    copy = sent(hand.end(one.number, CONTINUED, checkpoint="1", at=2.0))

    assert number_in(copy, ATTEMPT_ATTRIBUTE) == expected


@pytest.mark.parametrize("outcome", [Interrupted(), Postponed(5.0), FAILED])
def test_what_a_drain_interrupts_goes_on_from_its_last_checkpoint(outcome: Outcome) -> None:
    hand = Hand(drain_s=10.0)
    (one,) = hand.start(message(), at=1.0)
    hand.stop(at=1.0)
    assert of(kept(hand, 11.0), Interrupt)

    said = hand.end(one.number, outcome, checkpoint="7", at=11.1)

    assert sent(said).attributes[CHECKPOINT_ATTRIBUTE].value == "1"
    assert of(said, Release) == []


def test_what_a_drain_interrupts_without_a_checkpoint_goes_back() -> None:
    hand = Hand(drain_s=10.0)
    (one,) = hand.start(came_again(state="3"), at=1.0)
    hand.stop(at=1.0)
    kept(hand, 11.0)

    said = hand.end(one.number, Interrupted(), at=11.1)

    assert [entry.number for entry in entries(said, Release)] == [one.number]
    assert of(said, Resend) == []


def test_a_copy_made_while_stopping_is_hidden_until_our_own_poll_has_ended() -> None:
    hand = Hand()
    (one,) = hand.start(message(), at=1.0)
    hand.wait(1.5)
    (poll,) = hand.engine._polling.sources["q"].polls.values()
    hand.stop(at=2.0)

    copy = sent(hand.end(one.number, CONTINUED, checkpoint="1", at=3.0))

    ends_at = poll.asked_at + poll.wait_s
    assert ends_at > 3.0
    assert ends_at - 3.0 <= copy.delay_s < ends_at - 3.0 + 1.0


def test_a_stop_asks_running_attempts_to_go_on_elsewhere() -> None:
    hand = Hand()
    (one,) = hand.start(message(), at=1.0)

    assert of(hand.stop(at=2.0), Notify) == [Notify(one, stopping=True, hand_on=True)]


def test_a_second_signal_still_sends_the_state_on() -> None:
    hand = Hand()
    (one,) = hand.start(message(), at=1.0)
    hand.stop_now(at=2.0)

    said = hand.end(one.number, Interrupted(), checkpoint="7", at=2.1)

    assert of(said, Resend)


def test_a_copy_that_is_not_answered_is_sent_again_while_the_lease_holds() -> None:
    hand = Hand()
    (one,) = hand.start(message(), at=1.0)
    first = sent(hand.end(one.number, CONTINUED, checkpoint="1", at=2.0))

    hand.resent(one.number, NO_ANSWER, at=3.0)
    again = sent(hand.wait(4.0))

    assert again == first
    assert hand.ledger == {"received": 1}


@pytest.mark.parametrize(("fault", "event"), [(DENIED, "permission.missing"), (REFUSED, "settle.failed")])
def test_a_copy_that_is_never_taken_becomes_a_release_and_says_what_is_lost(fault: Fault, event: str) -> None:
    hand = Hand()
    one, two = hand.start(message("a"), message("b"), at=1.0)
    for attempt in (one, two):
        hand.end(attempt.number, CONTINUED, checkpoint="1", at=2.0)

    said = hand.resent(one.number, fault, at=3.0)

    assert [entry.number for entry in entries(said, Release)] == [one.number]
    assert of(said, Delete) == []
    (report,) = hand.reports(event)
    assert "state" in report.get("consequence", report.get("detail", ""))
    hand.answer(of(said, Release)[0], at=3.1)
    assert hand.ledger == {"received": 2, "released": 1}
    if fault is DENIED:
        hand.resent(two.number, fault, at=3.2)
        assert len(hand.reports(event)) == 1, "told once"


def test_nothing_is_sent_on_the_strength_of_a_lost_lease() -> None:
    hand = Hand(limit_s=600.0)
    (one,) = hand.start(message(), at=1.0)
    renew = of(hand.wait(30.0), Renew)[0]
    hand.answer(renew, LEASE_LOST)

    said = hand.end(one.number, CONTINUED, checkpoint="1", at=31.0)

    assert of(said, Resend) == []
    assert hand.ledger == {"received": 1, "lease_lost": 1}


def test_nothing_is_sent_of_a_result_that_is_forfeited() -> None:
    hand = Hand(limit_s=600.0)
    (one,) = hand.start(message(), at=1.0)
    hand.answer(of(hand.wait(30.0), Renew)[0], LEASE_LOST)
    hand.deliver(message(delivery=2), at=31.0)

    said = hand.end(one.number, CONTINUED, checkpoint="1", at=32.0)

    assert of(said, Resend) == []
    assert [entry.receipt for entry in entries(said, Release)] == ["a/2"]


def test_a_delivery_that_comes_while_its_copy_is_under_way_is_deleted_with_it() -> None:
    hand = Hand()
    (one,) = hand.start(message(), at=1.0)
    hand.end(one.number, CONTINUED, checkpoint="1", at=2.0)

    assert of(hand.deliver(message(delivery=2), at=3.0), Resend) == []
    said = hand.resent(one.number, at=4.0)

    assert [entry.receipt for entry in entries(said, Delete)] == ["a/2"]


def test_an_answer_that_comes_after_the_lease_is_lost_deletes_nothing() -> None:
    hand = Hand(visibility_s=60)
    (one,) = hand.start(message(), at=1.0)
    hand.end(one.number, CONTINUED, checkpoint="1", at=2.0)
    hand.wait(70.0)

    assert of(hand.resent(one.number, at=71.0), Delete) == []
    assert hand.ledger == {"received": 1, "lease_lost": 1}


def test_an_original_that_comes_back_beside_its_copy_is_not_run_beside_it() -> None:
    hand = Hand()
    (one,) = hand.start(message(), at=1.0)
    hand.end(one.number, CONTINUED, checkpoint="1", at=2.0)
    hand.answer(of(hand.resent(one.number, at=3.0), Delete)[0], LEASE_LOST, at=4.0)

    said = hand.deliver(message(delivery=2), at=5.0)

    assert of(said, Start) == []
    assert [entry.receipt for entry in entries(said, Delete)] == ["a/2"]
    hand.answer(of(said, Delete)[0], at=6.0)
    assert hand.ledger == {"received": 2, "lease_lost": 1, "duplicate": 1}


def test_a_delete_after_a_copy_that_is_answered_late_has_counted() -> None:
    hand = Hand(visibility_s=60)
    (one,) = hand.start(message(), at=1.0)
    hand.end(one.number, CONTINUED, checkpoint="1", at=2.0)
    (delete,) = of(hand.resent(one.number, at=3.0), Delete)
    hand.wait(70.0)

    hand.answer(delete, at=71.0)

    assert hand.reports("lease.lost") == []
    assert hand.ledger == {"received": 1, "continued": 1}


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_checkpoint_reached_after_the_limit_is_a_timeout_all_the_same() -> None:
    hand = Hand(limit_s=20.0)
    (one,) = hand.start(message(), at=1.0)
    assert of(kept(hand, 21.0), Interrupt)

    said = hand.end(one.number, CONTINUED, checkpoint="1", at=22.0)

    assert of(said, Conclude)[0].conclusions[0].outcome == TimedOut(20.0)
    assert entries(said, Release)


def test_a_quarter_of_an_hour_before_the_twelve_hours_are_over_the_job_is_asked_to_go_on() -> None:
    hand = Hand(limit_s=42_600.0, visibility_s=7_200, slots=1)
    (one,) = hand.start(message(), at=0.0)
    kept(hand, 3_000.0)
    hand.tell(ExtendRequested(one.number, 42_600.0))

    said = kept(hand, TWELVE_HOURS_S - 901.0)
    assert of(said, Notify) == []
    said = kept(hand, TWELVE_HOURS_S - 899.0)

    assert of(said, Notify) == [Notify(one, hand_on=True)]
    (asked,) = hand.reports("checkpoint.asked")
    assert (asked["running"], asked["left_s"]) == (1, 900.0)


@pytest.mark.parametrize("outcome", [TimedOut(42_600.0), CONTINUED])
def test_at_the_end_of_the_twelve_hours_the_last_checkpoint_is_sent_in_time(outcome: Outcome) -> None:
    hand = Hand(limit_s=42_600.0, visibility_s=7_200, slots=1, attempts_max=1)
    (one,) = hand.start(message(), at=0.0)
    kept(hand, 3_000.0)
    hand.tell(ExtendRequested(one.number, 42_600.0))
    said = kept(hand, TWELVE_HOURS_S - 59.0)
    assert of(said, Interrupt)

    said = hand.end(one.number, outcome, checkpoint="1", at=TWELVE_HOURS_S - 50.0)

    assert of(said, Resend)
    assert entries(hand.resent(one.number, at=TWELVE_HOURS_S - 49.0), Delete)


def test_a_job_without_a_checkpoint_that_needs_more_than_twelve_hours_has_timed_out() -> None:
    hand = Hand(limit_s=42_600.0, visibility_s=7_200, slots=1, attempts_max=1)
    (one,) = hand.start(message(), at=0.0)
    kept(hand, 3_000.0)
    hand.tell(ExtendRequested(one.number, 42_600.0))
    kept(hand, TWELVE_HOURS_S - 59.0)

    assert of(hand.end(one.number, TimedOut(42_600.0), at=TWELVE_HOURS_S - 50.0), Bury)


# ── protection at risk ──────────────────────────────────────────────────────────────────────────────────────


def asked_by_refusals(*, is_lasting: bool) -> tuple[Hand, list[float]]:
    """A worker whose one long job runs under a hold that ends at 10,000 s and is refused every renewal.

    Returns the instants at which the job was asked to go on elsewhere.
    """
    hand = Hand(protect="auto", limit_s=36_000.0, visibility_s=600)
    hand.protected(Unheld(), at=0.1)
    hand.deliver(message(), at=1.0)
    assert of(hand.protected(Held(10_000.0), at=1.0), Start)
    refusal = Refused("TASK_NOT_VALID" if is_lasting else "DEPLOYMENT_BLOCKED", is_lasting=is_lasting)
    asked_at: list[float] = []
    while hand.now < 10_500.0:
        said = kept(hand, hand.now + 10.0)
        if of(said, LookAtProtection):
            said = hand.protected(Held(10_000.0))
        if of(said, Hold):
            said = hand.protected(refusal)
        asked_at += [hand.now for notify in of(said, Notify) if notify.hand_on and not notify.stopping]
    return hand, asked_at


@pytest.mark.parametrize("is_lasting", [False, True])
def test_a_hold_that_ends_soon_and_is_not_renewed_asks_once_to_go_on(is_lasting: bool) -> None:
    hand, asked_at = asked_by_refusals(is_lasting=is_lasting)

    (at,) = asked_at
    assert 10_000.0 - 900.0 <= at <= 10_000.0 - 900.0 + 400.0, "neither with hours left, nor too late to do it"
    (asked,) = hand.reports("checkpoint.asked")
    assert asked["left_s"] == pytest.approx(10_000.0 - at, abs=0.1)
