"""The cost of a call does not grow with what the queue holds, and what is gone is let go."""

from __future__ import annotations

import pytest
from tests.rules.cost import lines_run
from tests.rules.queues import Bench

from forebay.rules.queue_semantics import ChangeEntry, DeleteEntry, SendEntry
from forebay.rules.queue_store import StandardQueue

SMALL, LARGE = 100, 50_000
FEW_LINES = 20


def _filled(count: int, *, in_flight: int = 0, delayed: int = 0) -> Bench:
    bench = Bench(MessageRetentionPeriod="1209600", VisibilityTimeout="43200")
    for start in range(0, count, 10):
        bench.rules.send_batch(
            bench.url, [SendEntry(body="x", entry_id=str(number)) for number in range(10)], now=start / 1e6
        )
    bench.now = 1.0
    for _ in range(0, delayed, 10):
        bench.rules.send_batch(
            bench.url, [SendEntry(body="x", delay_s=900, entry_id=str(number)) for number in range(10)], now=1.0
        )
    for _ in range(0, in_flight, 10):
        bench.receive(10)
    return bench


def _cycle(bench: Bench) -> list[int]:
    """Return the cost of each call of a usual life: send, receive, renew, release, delete, count, and of time."""
    bench.now += 1
    costs = [
        lines_run(
            lambda: bench.rules.send_batch(
                bench.url, [SendEntry(body="x", entry_id=str(number)) for number in range(10)], now=bench.now
            )
        )
    ]
    deliveries = bench.receive(10)
    changes = [ChangeEntry(str(number), delivery.receipt, 600) for number, delivery in enumerate(deliveries)]
    releases = [ChangeEntry(str(number), delivery.receipt, 0) for number, delivery in enumerate(deliveries[:5])]
    deletes = [DeleteEntry(str(number), delivery.receipt) for number, delivery in enumerate(deliveries[5:])]
    costs.append(lines_run(lambda: bench.receive(10)))
    costs.append(lines_run(lambda: bench.rules.change_visibility_batch(bench.url, changes, now=bench.now)))
    costs.append(lines_run(lambda: bench.rules.change_visibility_batch(bench.url, releases, now=bench.now)))
    costs.append(lines_run(lambda: bench.rules.delete_batch(bench.url, deletes, now=bench.now)))
    costs.append(lines_run(lambda: bench.counts()))
    costs.append(lines_run(lambda: bench.rules.advance(bench.now + 0.5)))
    costs.append(lines_run(bench.rules.next_event_at))
    return costs


@pytest.mark.parametrize("kind", ["visible", "in flight", "delayed"])
def test_no_call_costs_more_with_a_large_backlog(kind: str) -> None:
    def bench(size: int) -> Bench:
        if kind == "in flight":
            return _filled(size + 100, in_flight=size)
        return _filled(100, delayed=size) if kind == "delayed" else _filled(size)

    for large, small in zip(_cycle(bench(LARGE)), _cycle(bench(SMALL)), strict=True):
        assert large <= small + FEW_LINES


def test_polls_that_wait_cost_nothing_to_others() -> None:
    def cost(waiting: int) -> int:
        bench = Bench()
        for _ in range(waiting):
            bench.poll(20)
        return lines_run(lambda: bench.send("x"))

    assert cost(5_000) <= cost(10) + FEW_LINES


def _structures(queue: StandardQueue) -> int:
    """Return how many entries the queue's structures hold, stale ones included."""
    owners: list[object] = [queue, queue.shelves, *vars(queue).values(), *vars(queue.shelves).values()]
    sized = [
        value
        for owner in owners
        if hasattr(owner, "__dict__")
        for value in vars(owner).values()
        if hasattr(value, "__len__") and not isinstance(value, str | tuple)
    ]
    return sum(len(value) for value in {id(value): value for value in sized}.values())


def test_what_is_gone_is_let_go_though_an_old_message_stays() -> None:
    """A message that nobody deletes must not keep the entries of a hundred thousand others alive."""
    bench = Bench(MessageRetentionPeriod="1209600")
    bench.send("stays")
    bench.receive_one(visibility_s=43_200)

    for start in range(2_000):
        bench.now = 1.0 + start / 1e3
        bench.rules.send_batch(
            bench.url, [SendEntry(body="x", entry_id=str(number)) for number in range(10)], now=bench.now
        )
        deliveries = bench.receive(10, visibility_s=43_200)
        bench.rules.delete_batch(
            bench.url,
            [DeleteEntry(str(number), delivery.receipt) for number, delivery in enumerate(deliveries)],
            now=bench.now,
        )

    assert bench.counts() == (0, 1, 0)
    assert _structures(bench.rules.registry.find(bench.url)) < 5_000


def test_heartbeats_leave_no_trail() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one(visibility_s=43_000)

    for step in range(10_000):
        bench.now = step / 1e3
        assert bench.change(delivery, 43_000) is None

    assert _structures(bench.rules.registry.find(bench.url)) < 5_000


def test_polls_that_end_empty_leave_no_trail() -> None:
    bench = Bench()
    for step in range(5_000):
        bench.at(step * 20.0).poll(20)
        bench.rules.take_answered()

    assert _structures(bench.rules.registry.find(bench.url)) < 5_000


def test_polls_that_are_cancelled_leave_no_trail() -> None:
    bench = Bench()
    bench.poll(20)
    for _ in range(5_000):
        bench.rules.cancel(bench.poll(20))

    assert _structures(bench.rules.registry.find(bench.url)) < 5_000
