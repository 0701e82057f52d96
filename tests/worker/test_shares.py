"""How the slots are shared among sources."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forebay.queue.port import BATCH_MAX
from forebay.worker.shares import enough, idle_share, is_crowded, shares

SLOTS = st.integers(1, 1_000)
SOURCES = st.lists(st.booleans(), min_size=1, max_size=12)


@given(SLOTS, SLOTS, SOURCES)
def test_never_more_is_shared_than_is_free_and_never_nothing(slots: int, taken: int, has_work: list[bool]) -> None:
    free = max(1, slots - taken)

    counts = shares(free, slots, has_work, sources=len(has_work))

    assert sum(counts) <= free
    assert counts[0] >= 1
    assert all(0 <= count <= BATCH_MAX for count in counts)


@given(SLOTS, SOURCES)
def test_a_source_with_work_gets_no_less_than_one_without(slots: int, has_work: list[bool]) -> None:
    counts = shares(slots, slots, has_work, sources=len(has_work))

    busy = [count for count, is_busy in zip(counts, has_work, strict=True) if is_busy and count]
    idle = [count for count, is_busy in zip(counts, has_work, strict=True) if not is_busy and count]
    assert min(busy, default=BATCH_MAX) >= max(idle, default=0) or slots < 2 * len(has_work)


@given(SLOTS, st.integers(2, 12))
def test_idle_sources_keep_no_more_than_a_quarter_of_the_slots_or_one_each(slots: int, sources: int) -> None:
    assert idle_share(slots, sources) * sources <= max(slots / 4, sources)


@given(SLOTS)
def test_a_source_that_is_alone_may_ask_for_everything(slots: int) -> None:
    for has_work in (False, True):
        assert shares(slots, slots, [has_work], sources=1) == [min(BATCH_MAX, slots)]
        assert enough(slots, busy=int(has_work), sources=1) == min(BATCH_MAX, slots)
    assert not is_crowded(slots, 1)


@given(SLOTS, st.integers(2, 12), st.data())
def test_what_is_waited_for_can_come(slots: int, sources: int, data: st.DataObject) -> None:
    """Or every receive would wait in vain for a fuller one."""
    busy = data.draw(st.integers(1, sources))
    has_work = [index < busy for index in range(sources)]
    if is_crowded(slots, sources):
        return

    counts = shares(slots, slots, has_work, sources=sources)

    assert max(counts[:busy]) >= enough(slots, busy=busy, sources=sources)
