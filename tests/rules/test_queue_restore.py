"""What a queue must keep to be itself again after a restart: its messages with their places, and a few tables.

A queue is copied in the middle of a random life, through nothing but the state that is said to be durable; from then on
the copy and the original must do the same.
"""

from __future__ import annotations

from random import Random

import pytest
from tests.rules.fifo_queues import FifoBench, carry_over
from tests.rules.queues import Bench

from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_semantics import DeleteEntry, Delivery, SendEntry, Waiter
from forebay.rules.queue_store import StandardQueue

TOKENS = (None, None, "t1", "t2")


def _restored(bench: Bench) -> Bench:
    """A service with the same queue, made from what is durable of the first."""
    other = type(bench)(seed=1, **dict(bench.rules.registry.find(bench.url).attributes.given))
    carry_over(bench.rules.registry.find(bench.url), other.rules.registry.find(other.url))
    other.rules.next_event_at()
    other.rules.advance(bench.now)
    other.now = bench.now
    return other


def _step(rng: Random, benches: list[Bench], held: list[Delivery]) -> None:
    """Do the same with every queue, and see the same."""
    is_fifo = isinstance(benches[0].rules.registry.find(benches[0].url), FifoQueue)
    moment = benches[0].now + rng.choice([0.0, 0.5, 1.0, 7.0])
    deed = rng.random()
    # Which group's turn it is, is not kept; so there is one.
    group = "a" if is_fifo else rng.choice([None, "a", "b"])
    entry = SendEntry(
        body=f"m{rng.randrange(10**6)}",
        group=group,
        dedupe=f"d{rng.randrange(200)}" if is_fifo else None,
        delay_s=None if is_fifo else rng.choice([0, 0, 20]),
    )
    count_max, token = rng.randint(1, 5), rng.choice(TOKENS) if is_fifo else None
    chosen = rng.choice(held) if held else None
    seconds = rng.choice([0, 3, 60])
    seen: list[object] = []
    for bench in benches:
        bench.at(moment)
        if deed < 0.4:
            bench.rules.send(bench.url, entry, now=moment)
            seen.append(None)
        elif deed < 0.7 or chosen is None:
            answer = bench.rules.receive(bench.url, now=moment, wait_s=0, count_max=count_max, attempt_id=token)
            assert not isinstance(answer, Waiter)
            seen.append([(delivery.content.body, delivery.receipt, delivery.receive_count) for delivery in answer])
            if bench is benches[0]:
                held += answer
        elif deed < 0.85:
            failure = bench.change(chosen, seconds)
            seen.append(None if failure is None else failure.message)
        else:
            seen.append(bench.rules.delete_batch(bench.url, [DeleteEntry("1", chosen.receipt)], now=moment)[0] is None)
        seen[-1] = (seen[-1], bench.counts())
    assert all(one == seen[0] for one in seen)


def _queue(kind: str) -> Bench:
    if kind == "fifo":
        return FifoBench(VisibilityTimeout="20", DelaySeconds="5")
    return Bench(VisibilityTimeout="20")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["fifo", "standard"])
def test_a_queue_restored_from_its_durable_state_goes_on_as_the_queue_itself(kind: str, seed: int) -> None:
    rng = Random(seed)
    original = _queue(kind)
    held: list[Delivery] = []
    for _ in range(150):
        _step(rng, [original], held)

    copied = _restored(original)
    for _ in range(250):
        _step(rng, [original, copied], held)

    queue: StandardQueue = copied.rules.registry.find(copied.url)
    assert queue.shelves.serial == original.rules.registry.find(original.url).shelves.serial
