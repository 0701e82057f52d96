"""When to ask which source for how many messages."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import Fault, FaultKind
from forebay.worker.polling import (
    GATHER_S,
    PAUSE_REFUSED_MAX_S,
    PAUSE_UNAVAILABLE_MAX_S,
    POLLS_MAX,
    PROBE_WAIT_S,
    SHORT_WAIT_S,
    Polling,
    Room,
)
from forebay.worker.vocabulary import Receive

MIB = 1_048_576
UNAVAILABLE = Fault(FaultKind.UNAVAILABLE, "ServiceUnavailable")
THROTTLED = Fault(FaultKind.THROTTLED, "RequestThrottled")
MISSING = Fault(FaultKind.MISSING, "QueueDoesNotExist")


def polling(*keys: str, visibility_s: int = 60) -> Polling:
    """Sources that have described themselves."""
    made = Polling(list(keys or ("q",)), visibility_s=visibility_s, rng=Random(1))
    for source in made.sources.values():
        source.is_described = True
    return made


def room(slots: int = 100, *, free: int | None = None, free_bytes: int = 256 * MIB, is_idle: bool = True) -> Room:
    return Room(slots, slots if free is None else free, free_bytes, is_idle)


def fail(made: Polling, fault: Fault, *, now: float) -> float:
    """Ask once and let it fail; return the pause."""
    (receive,) = made.ask(room(), now=now)
    made.close(receive.source, receive.poll)
    return made.failed(receive.source, fault, now=now)


def test_nothing_is_asked_before_a_source_has_described_itself() -> None:
    made = Polling(["q"], visibility_s=60, rng=Random(1))

    assert made.ask(room(), now=0.0) == []


def test_an_idle_worker_keeps_one_long_poll_open() -> None:
    made = polling()

    (receive,) = made.ask(room(), now=0.0)

    assert (receive.count_max, receive.wait_s, receive.visibility_s) == (10, 20.0, 60)
    assert made.ask(room(free=90), now=1.0) == []


def test_no_more_is_asked_for_than_there_are_free_slots() -> None:
    assert [receive.count_max for receive in polling().ask(room(3), now=0.0)] == [3]
    assert polling().ask(room(3, free=0), now=0.0) == []


def test_no_more_is_asked_for_than_bodies_fit_into_the_buffer() -> None:
    assert [receive.count_max for receive in polling().ask(room(free_bytes=4 * MIB), now=0.0)] == [4]


def test_a_small_buffer_never_stops_a_worker_that_holds_nothing() -> None:
    assert [receive.count_max for receive in polling().ask(room(free_bytes=MIB // 2), now=0.0)] == [1]
    assert polling().ask(room(free_bytes=MIB // 2, is_idle=False), now=0.0) == []


def test_a_second_poller_starts_when_messages_come_and_ends_with_an_empty_answer() -> None:
    made = polling()
    (first,) = made.ask(room(), now=0.0)
    made.close("q", first.poll)
    made.answered("q", 10, queue_wait_s=0.0, free=90)

    two = made.ask(room(free=90, is_idle=False), now=0.1)
    assert len(two) == 2
    made.close("q", two[0].poll)
    made.answered("q", 0, queue_wait_s=0.0, free=80)

    assert made.ask(room(free=80, is_idle=False), now=0.2) == []


def test_pollers_grow_while_messages_have_waited_long_and_never_past_their_limit() -> None:
    made = polling()
    open_polls = made.ask(room(100_000), now=0.0)
    for step in range(300):
        receive = open_polls.pop(0)
        made.close("q", receive.poll)
        made.answered("q", 10, queue_wait_s=5.0, free=50_000)
        open_polls += made.ask(room(100_000, free=50_000, is_idle=False), now=0.01 * step)

    assert 10 < len(open_polls) <= POLLS_MAX


def test_with_a_backlog_free_slots_are_gathered_for_a_moment() -> None:
    made = polling()
    (first,) = made.ask(room(20), now=0.0)
    made.close("q", first.poll)
    made.answered("q", 10, queue_wait_s=0.0, free=0)

    assert made.ask(room(20, free=4, is_idle=False), now=1.0) == []
    assert made.wake_at == 1.0 + GATHER_S
    (receive,) = made.ask(room(20, free=7, is_idle=False), now=1.0 + GATHER_S)
    assert receive.count_max == 7


def test_a_full_batch_of_free_slots_waits_for_nothing() -> None:
    made = polling()
    (first,) = made.ask(room(20), now=0.0)
    made.close("q", first.poll)
    made.answered("q", 10, queue_wait_s=0.0, free=0)

    assert [receive.count_max for receive in made.ask(room(20, free=10, is_idle=False), now=1.0)] == [10]


def test_with_fewer_free_slots_than_sources_polls_are_short_and_take_turns() -> None:
    made = polling("a", "b", "c")
    asked: list[str] = []
    for turn in range(6):
        (receive,) = made.ask(room(1), now=float(turn))
        assert receive.wait_s <= SHORT_WAIT_S
        asked.append(receive.source)
        made.close(receive.source, receive.poll)
        made.answered(receive.source, 0, queue_wait_s=0.0, free=1)

    assert asked == ["a", "b", "c", "a", "b", "c"]


def test_a_source_without_work_does_not_keep_the_others_waiting_for_their_turn() -> None:
    made = polling("busy", "idle")
    (receive,) = made.ask(room(1), now=0.0)
    made.close(receive.source, receive.poll)
    made.answered(receive.source, 1, queue_wait_s=0.0, free=0)

    (next_one,) = made.ask(room(1), now=1.0)

    assert (receive.source, next_one.source) == ("busy", "idle")
    assert next_one.wait_s == 0


def test_sources_with_work_share_the_slots_equally() -> None:
    made = polling("a", "b")
    for receive in made.ask(room(11), now=0.0):
        made.close(receive.source, receive.poll)
        made.answered(receive.source, 1, queue_wait_s=0.0, free=11)

    asked = {receive.source: receive.count_max for receive in made.ask(room(11), now=1.0)}

    assert asked == {"a": 5, "b": 6}


def test_the_long_polls_of_idle_sources_leave_the_slots_to_the_one_with_work() -> None:
    """What an open poll has asked for is lost to the others for as long as it waits."""
    made = polling("idle", "busy")
    asked = {receive.source: receive for receive in made.ask(room(8), now=0.0)}
    made.close("busy", asked["busy"].poll)
    made.answered("busy", 1, queue_wait_s=0.0, free=6)

    (receive,) = made.ask(room(8, free=7), now=0.1)

    assert asked["idle"].count_max == 1
    assert (receive.source, receive.count_max) == ("busy", 7)


def test_after_a_failure_one_short_probe_is_made_after_a_pause() -> None:
    made = polling()
    pause_s = fail(made, UNAVAILABLE, now=0.0)

    assert made.ask(room(), now=pause_s - 0.001) == []
    assert made.wake_at == pause_s
    (probe,) = made.ask(room(), now=pause_s)
    assert probe.is_probe
    assert probe.wait_s == PROBE_WAIT_S


def test_pauses_grow_and_stay_short_enough_to_notice_a_return_within_seconds() -> None:
    made = polling()
    now, pauses = 0.0, []
    for _ in range(30):
        pauses.append(fail(made, UNAVAILABLE, now=now))
        now += pauses[-1]

    assert pauses[0] < pauses[2] < pauses[5]
    assert max(pauses) <= PAUSE_UNAVAILABLE_MAX_S
    assert PAUSE_UNAVAILABLE_MAX_S + PROBE_WAIT_S + 1 < 5


def test_a_service_that_says_no_is_asked_ever_more_rarely() -> None:
    made = polling()
    now, pauses = 0.0, []
    for _ in range(30):
        pauses.append(fail(made, THROTTLED, now=now))
        now += pauses[-1]

    assert PAUSE_REFUSED_MAX_S / 2 <= pauses[-1] <= PAUSE_REFUSED_MAX_S


def test_polls_that_fail_together_are_one_failure() -> None:
    made = polling()
    fail(made, UNAVAILABLE, now=0.0)
    failures = made.sources["q"].failures

    for _ in range(9):
        made.failed("q", UNAVAILABLE, now=0.0)

    assert made.sources["q"].failures == failures == 1


def test_an_answer_ends_the_pauses() -> None:
    made = polling()
    pause_s = fail(made, UNAVAILABLE, now=0.0)
    (probe,) = made.ask(room(), now=pause_s)
    made.close("q", probe.poll)
    made.answered("q", 0, queue_wait_s=0.0, free=100)

    (receive,) = made.ask(room(), now=pause_s)

    assert not receive.is_probe
    assert receive.wait_s == 20.0


def test_how_long_a_service_has_said_no_is_counted_from_the_first_no() -> None:
    made = polling()
    fail(made, MISSING, now=10.0)
    fail(made, MISSING, now=20.0)
    assert made.sources["q"].refused_since == 10.0

    fail(made, UNAVAILABLE, now=60.0)

    assert made.sources["q"].refused_since is None


def test_an_abandoned_poll_is_outlasted_but_never_for_longer_than_it_hides() -> None:
    made = polling(visibility_s=60)
    made.ask(room(), now=0.0)
    made.abandon("q")

    assert not made.is_open("q")
    assert made.asked == 0
    assert made.outlast_s("q", 5.0) == 16.0
    assert made.outlast_s("q", 20.0) == 0.0

    short = polling(visibility_s=2)
    short.ask(room(), now=0.0)
    short.abandon("q")
    assert short.outlast_s("q", 5.0) == 2.0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.floats(0, 3)), max_size=60), st.integers(1, 60))
def test_what_is_asked_for_never_exceeds_the_free_slots(steps: list[tuple[int, int, float]], slots: int) -> None:
    """Whatever answers come, and however many attempts end in between."""
    made = polling("a", "b", "c")
    taken, now = 0, 0.0
    open_polls: list[Receive] = []
    for kind, count, pause_s in steps:
        now += pause_s
        if kind == 0 and open_polls:
            receive = open_polls.pop(0)
            got = min(count, receive.count_max)
            made.close(receive.source, receive.poll)
            taken += got
            made.answered(receive.source, got, queue_wait_s=pause_s, free=slots - taken - made.asked)
        elif kind == 1 and open_polls:
            receive = open_polls.pop()
            made.close(receive.source, receive.poll)
            made.failed(receive.source, UNAVAILABLE, now=now)
        elif kind == 2:
            taken -= min(count, taken)
        free = slots - taken - made.asked
        open_polls += made.ask(room(slots, free=free, is_idle=taken == 0), now=now)

        assert taken + made.asked <= slots
        assert made.asked == sum(receive.count_max for receive in open_polls)
