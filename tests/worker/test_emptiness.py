"""When a worker may say that nothing is left to do."""

from __future__ import annotations

from forebay.errors import Fault, FaultKind
from forebay.queue.port import Counts
from forebay.worker.emptiness import RECOUNT_S, Emptiness
from forebay.worker.vocabulary import Counted

ZERO = Counts(0, 0, 0)
TROUBLE = Fault(FaultKind.NO_ANSWER, "NoAnswer")


def counted(emptiness: Emptiness, counts: Counts | None, *, key: str = "q", is_denied: bool = False) -> None:
    emptiness.counted(Counted(key, counts, None if counts else TROUBLE), is_denied=is_denied, now=0.0)


def test_zero_numbers_and_then_an_empty_receive_make_a_source_empty() -> None:
    emptiness = Emptiness(["q"])

    assert [count.source for count in emptiness.ask(now=0.0)] == ["q"]
    counted(emptiness, ZERO)
    assert not emptiness.all_empty
    emptiness.polled_empty("q", waited_s=1.0, now=1.0)

    assert emptiness.all_empty


def test_an_empty_receive_before_the_numbers_proves_nothing() -> None:
    emptiness = Emptiness(["q"])
    emptiness.ask(now=0.0)

    emptiness.polled_empty("q", waited_s=20.0, now=0.5)
    counted(emptiness, ZERO)

    assert not emptiness.all_empty


def test_what_is_in_flight_or_delayed_elsewhere_counts_and_is_asked_for_again() -> None:
    for counts in (Counts(1, 0, 0), Counts(0, 1, 0), Counts(0, 0, 1)):
        emptiness = Emptiness(["q"])
        emptiness.ask(now=0.0)
        counted(emptiness, counts)

        assert emptiness.ask(now=RECOUNT_S / 2) == []
        assert emptiness.wake_at == RECOUNT_S
        assert len(emptiness.ask(now=RECOUNT_S)) == 1


def test_every_source_must_be_empty() -> None:
    emptiness = Emptiness(["a", "b"])
    emptiness.ask(now=0.0)
    for key in ("a", "b"):
        counted(emptiness, ZERO, key=key)
    emptiness.polled_empty("a", waited_s=1.0, now=1.0)

    assert not emptiness.all_empty


def test_a_message_undoes_what_was_found() -> None:
    emptiness = Emptiness(["a", "b"])
    emptiness.ask(now=0.0)
    for key in ("a", "b"):
        counted(emptiness, ZERO, key=key)
        emptiness.polled_empty(key, waited_s=1.0, now=1.0)

    emptiness.undo()

    assert not emptiness.all_empty
    assert [count.source for count in emptiness.ask(now=2.0)] == ["a", "b"]


def test_numbers_asked_for_before_a_message_came_are_asked_for_again() -> None:
    emptiness = Emptiness(["q"])
    emptiness.ask(now=0.0)

    emptiness.undo()
    assert emptiness.ask(now=0.1) == []
    counted(emptiness, ZERO)
    emptiness.polled_empty("q", waited_s=1.0, now=1.0)

    assert not emptiness.all_empty
    assert len(emptiness.ask(now=1.0)) == 1


def test_where_counting_is_denied_a_whole_long_poll_must_come_back_empty() -> None:
    emptiness = Emptiness(["q"])
    emptiness.ask(now=0.0)
    counted(emptiness, None, is_denied=True)

    emptiness.polled_empty("q", waited_s=2.0, now=2.0)
    assert not emptiness.all_empty
    assert emptiness.ask(now=3.0) == []
    emptiness.polled_empty("q", waited_s=20.0, now=23.0)

    assert emptiness.all_empty


def test_where_counting_is_denied_a_retry_of_ours_that_is_hidden_keeps_the_worker() -> None:
    emptiness = Emptiness(["q"])
    emptiness.ask(now=0.0)
    counted(emptiness, None, is_denied=True)
    emptiness.retry_hidden_until = 100.0

    emptiness.polled_empty("q", waited_s=20.0, now=50.0)
    assert not emptiness.all_empty
    emptiness.polled_empty("q", waited_s=20.0, now=101.0)

    assert emptiness.all_empty


def test_a_count_that_failed_is_asked_for_again_a_second_later() -> None:
    emptiness = Emptiness(["q"])
    emptiness.ask(now=0.0)

    counted(emptiness, None)

    assert emptiness.ask(now=0.5) == []
    assert len(emptiness.ask(now=1.0)) == 1
