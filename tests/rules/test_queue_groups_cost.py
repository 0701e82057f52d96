"""The cost of a call does not grow with how many groups there are, nor with what waits in one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tests.rules.cost import lines_run
from tests.rules.fifo_queues import FifoBench
from tests.rules.queues import Bench

from forebay.rules.queue_semantics import ChangeEntry, DeleteEntry, SendEntry
from forebay.rules.queue_store import StandardQueue

SMALL, LARGE = 200, 30_000
FEW_LINES = 40


def _entries(bench: Bench, first: int, group: Callable[[int], str]) -> list[SendEntry]:
    dedupe = isinstance(bench, FifoBench)
    return [
        SendEntry(body="x", group=group(number), dedupe=f"{number}" if dedupe else None, entry_id=str(number))
        for number in range(first, first + 10)
    ]


GROUPINGS: dict[str, Callable[[int], str]] = {
    "one group": lambda _: "only",
    "a group each": str,
    "a thousand groups": lambda number: str(number % 1_000),
}


def _filled(kind: str, count: int, group: Callable[[int], str]) -> Bench:
    """A queue of which a part has come back and, where the groups allow it, a part is in flight."""
    bench = FifoBench() if kind == "fifo" else Bench()
    bench.rules.set_queue_attributes(
        bench.url, {"MessageRetentionPeriod": "1209600", "VisibilityTimeout": "43200"}, now=0.0
    )
    for start in range(0, count, 10):
        bench.rules.send_batch(bench.url, _entries(bench, start, group), now=start / 1e6)
    bench.now = 1.0
    taken = [delivery for _ in range(count // 50) for delivery in bench.receive(10)]
    for delivery in taken if group(0) == group(1) else taken[::2]:
        bench.change(delivery, 0)
    return bench


def _cycle(bench: Bench, group: Callable[[int], str]) -> list[int]:
    bench.now += 1
    entries = _entries(bench, 10**6, group)
    costs = [lines_run(lambda: bench.rules.send_batch(bench.url, entries, now=bench.now))]
    for _ in range(3):
        deliveries = bench.receive(10)
        releases = [ChangeEntry(str(number), delivery.receipt, 0) for number, delivery in enumerate(deliveries[:5])]
        deletes = [DeleteEntry(str(number), delivery.receipt) for number, delivery in enumerate(deliveries[5:])]
        if deliveries:
            costs.append(lines_run(partial(bench.rules.change_visibility_batch, bench.url, releases, now=bench.now)))
        if deletes:
            costs.append(lines_run(partial(bench.rules.delete_batch, bench.url, deletes, now=bench.now)))
    costs.append(lines_run(lambda: bench.receive(10)))
    costs.append(lines_run(bench.counts))
    costs.append(lines_run(lambda: bench.rules.advance(bench.now + 0.5)))
    costs.append(lines_run(bench.rules.next_event_at))
    return costs


@pytest.mark.parametrize("kind", ["fifo", "fair"])
@pytest.mark.parametrize("grouping", GROUPINGS)
def test_no_call_costs_more_with_a_large_backlog(kind: str, grouping: str) -> None:
    group = GROUPINGS[grouping]
    large, small = (sum(_cycle(_filled(kind, size, group), group)) for size in (LARGE, SMALL))

    assert large <= 1.5 * small + FEW_LINES


def test_a_receive_looks_through_neither_a_noisy_groups_backlog_nor_a_locked_ones() -> None:
    def cost(bench: Bench, size: int) -> int:
        for start in range(0, size, 10):
            bench.rules.send_batch(bench.url, _entries(bench, start, lambda _: "flood"), now=0.0)
        bench.receive(10)
        bench.rules.send(bench.url, SendEntry(body="q", group="q", dedupe="q" if kind is FifoBench else None), now=0.0)
        return lines_run(lambda: bench.receive(1))

    for kind in (FifoBench, Bench):
        assert cost(kind(), LARGE) <= cost(kind(), SMALL) + FEW_LINES


def _structures(owner: object, depth: int = 4) -> int:
    """Return how many entries an owner's structures hold, stale ones included."""
    if hasattr(owner, "__len__"):
        inner = owner.values() if isinstance(owner, dict) else ()
        return len(owner) + sum(_structures(value, depth - 1) for value in inner if isinstance(value, list))
    if depth == 0 or not hasattr(owner, "__dict__"):
        return 0
    return sum(_structures(value, depth - 1) for value in vars(owner).values() if not isinstance(value, str | tuple))


def _queue(bench: Bench) -> StandardQueue:
    return bench.rules.registry.find(bench.url)


@pytest.mark.parametrize("kind", ["fifo", "fair"])
@pytest.mark.parametrize("grouping", ["one group", "a group each"])
def test_what_is_gone_is_let_go(kind: str, grouping: str) -> None:
    bench = FifoBench() if kind == "fifo" else Bench()
    for step in range(1_500):
        bench.at(step * 2.0)
        entries = _entries(bench, step * 10, GROUPINGS[grouping])
        bench.rules.send_batch(bench.url, entries, now=bench.now)
        for delivery in bench.receive(10):
            bench.delete(delivery)

    assert bench.counts() == (0, 0, 0)
    # Ids are remembered for five minutes: of the last 150 steps.
    assert _structures(_queue(bench).shelves) < 6_000
    assert _structures(_queue(bench)) < 6_000 + 1_500 + 3_000
    assert _queue(bench).shelves.groups.by_name == {}


@pytest.mark.parametrize("kind", ["fifo", "fair"])
@pytest.mark.parametrize("grouping", ["one group", "a group each"])
def test_messages_that_expire_unseen_leave_no_trail(kind: str, grouping: str) -> None:
    bench = FifoBench() if kind == "fifo" else Bench()
    bench.rules.set_queue_attributes(bench.url, {"MessageRetentionPeriod": "60"}, now=0.0)
    for step in range(1_500):
        bench.at(step * 2.0)
        bench.rules.send_batch(bench.url, _entries(bench, step * 10, GROUPINGS[grouping]), now=bench.now)

    assert sum(bench.counts()) == 300
    lines = [len(group.fresh) + len(group.returned) for group in _queue(bench).shelves.groups.by_name.values()]
    assert sum(lines) < 3_000
    assert _structures(_queue(bench).shelves.groups) < 6_000


def test_a_noisy_group_that_gives_back_and_takes_again_leaves_no_trail() -> None:
    bench = Bench(VisibilityTimeout="43200")
    for start in range(0, 100, 10):
        bench.rules.send_batch(bench.url, _entries(bench, start, str), now=0.0)
        bench.rules.send_batch(bench.url, _entries(bench, start, lambda _: "noisy"), now=0.0)
    held = [delivery for _ in range(15) for delivery in bench.receive(10)]
    for _ in range(3_000):
        bench.change(held.pop(0), 0)
        held += bench.receive(1)

    assert _structures(_queue(bench).shelves.groups) < 3_000


@pytest.mark.parametrize("kind", ["fifo", "fair"])
@pytest.mark.parametrize("grouping", GROUPINGS)
def test_no_call_costs_more_after_long_use(kind: str, grouping: str) -> None:
    bench = FifoBench() if kind == "fifo" else Bench()
    for start in range(0, 8_000, 10):
        bench.rules.send_batch(bench.url, _entries(bench, start, GROUPINGS[grouping]), now=0.0)

    def cycle() -> None:
        for delivery in bench.receive(10):
            bench.delete(delivery)

    costs = [lines_run(cycle) for _ in range(600)]

    assert max(costs[-50:]) <= 2 * max(costs[:50]) + FEW_LINES
