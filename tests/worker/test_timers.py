"""Many instants, of which the earliest matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from forebay.worker.timers import Timers

instants = st.floats(min_value=0, max_value=100, allow_nan=False)


def test_the_earliest_instant_is_next_and_moving_it_counts() -> None:
    timers = Timers()
    timers.set(1, 5.0)
    timers.set(2, 3.0)
    timers.set(2, 7.0)

    assert timers.next_at == 5.0
    assert timers.due(10.0) == [1, 2]
    assert timers.next_at is None


def test_a_cancelled_key_is_never_due() -> None:
    timers = Timers()
    timers.set(1, 5.0)
    timers.cancel(1)
    timers.cancel(99)

    assert 1 not in timers
    assert timers.due(10.0) == []


def test_what_is_not_due_yet_stays() -> None:
    timers = Timers()
    timers.set(1, 5.0)

    assert timers.due(4.999) == []
    assert timers.due(5.0) == [1]


def test_memory_follows_the_living_however_often_a_key_is_moved() -> None:
    timers = Timers()

    for step in range(50_000):
        timers.set(step % 10, float(step))
        timers.set(1_000 + step, float(step))
        timers.cancel(1_000 + step)

    assert len(timers) == 10
    assert len(timers._heap) <= 2 * len(timers) + 260


@given(st.lists(st.tuples(st.integers(0, 5), instants)), instants)
def test_due_keys_come_once_each_and_in_the_order_of_their_instants(
    settings: list[tuple[int, float]], now: float
) -> None:
    timers = Timers()
    for key, at in settings:
        timers.set(key, at)
    last = dict(settings)

    due = timers.due(now)

    assert [last[key] for key in due] == sorted(at for at in last.values() if at <= now)
    assert len(timers) == len(last) - len(due)


class AgainstAPlainDict(RuleBasedStateMachine):
    """Whatever is set, cancelled and taken, a dict that is searched says the same."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.plain: dict[int, float] = {}

    @rule(key=st.integers(0, 8), at=instants)
    def set(self, key: int, at: float) -> None:
        self.timers.set(key, at)
        self.plain[key] = at

    @rule(key=st.integers(0, 8))
    def cancel(self, key: int) -> None:
        self.timers.cancel(key)
        self.plain.pop(key, None)

    @rule(now=instants)
    def take(self, now: float) -> None:
        due = self.timers.due(now)

        assert sorted(due) == sorted(key for key, at in self.plain.items() if at <= now)
        for key in due:
            del self.plain[key]

    @invariant()
    def agrees(self) -> None:
        assert self.timers.next_at == min(self.plain.values(), default=None)
        assert len(self.timers) == len(self.plain)


TestAgainstAPlainDict = AgainstAPlainDict.TestCase
