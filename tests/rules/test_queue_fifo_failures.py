"""Effects in order whatever becomes of consumers: some fail, some vanish, some come back too late; groups go on.

Each consumer works a receive's messages in order, and gives back a failed message together with those of the same group
behind it. The effect counted is that a message is deleted for good.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random

import pytest
from tests.rules.fifo_queues import FifoBench

from forebay.rules.queue_semantics import Delivery, ServiceFailure

GROUPS = 8
MESSAGES = 400
CONSUMERS = 6


class Consumer:
    """One consumer, as far as it has come with what it received."""

    def __init__(self) -> None:
        self.held: list[Delivery] = []
        self.busy_until = 0.0


class Factory:
    """Consumers at one queue, and the effects of their work by group."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.bench = FifoBench(seed=seed, VisibilityTimeout="10")
        self.effects: dict[str, list[int]] = defaultdict(list)
        self.refused = 0
        self.side_by_side = 0
        for number in range(MESSAGES):
            self.bench.put(str(number), f"g{self.rng.randrange(GROUPS)}")

    def run(self) -> None:
        consumers = [Consumer() for _ in range(CONSUMERS)]
        while sum(self.bench.counts()) > 0:
            self.bench.at(self.bench.now + 0.25)
            for consumer in consumers:
                if consumer.busy_until <= self.bench.now:
                    self.turn(consumer)
            groups = {delivery.content.group for consumer in consumers for delivery in consumer.held}
            self.side_by_side = max(self.side_by_side, len(groups))

    def turn(self, consumer: Consumer) -> None:
        if not consumer.held:
            consumer.held = self.bench.receive(self.rng.randint(1, 5))
        elif (fate := self.rng.random()) < 0.02:
            consumer.held = []  # It is gone: the leases must time out.
        elif fate < 0.08:
            consumer.busy_until = self.bench.now + 12.0  # It comes back when its leases are over.
        elif fate < 0.18:
            self.give_back(consumer)
        else:
            self.finish(consumer)

    def give_back(self, consumer: Consumer) -> None:
        failed = consumer.held[0].content.group
        for delivery in reversed([delivery for delivery in consumer.held if delivery.content.group == failed]):
            self.bench.change(delivery, 0)
        consumer.held = [delivery for delivery in consumer.held if delivery.content.group != failed]

    def finish(self, consumer: Consumer) -> None:
        delivery = consumer.held.pop(0)
        before = sum(self.bench.counts())
        try:
            self.bench.delete(delivery)
        except ServiceFailure:
            self.refused += 1
        # A delete of what another has deleted since is answered as success, and has no effect.
        if sum(self.bench.counts()) < before:
            self.effects[str(delivery.content.group)].append(int(delivery.content.body))


@pytest.mark.parametrize("seed", range(12))
def test_effects_of_a_group_are_in_order_and_groups_side_by_side(seed: int) -> None:
    factory = Factory(seed)

    factory.run()

    done = [number for effects in factory.effects.values() for number in effects]
    assert sorted(done) == list(range(MESSAGES)), "every message has its effect, once"
    assert all(effects == sorted(effects) for effects in factory.effects.values())
    assert factory.refused > 0, "some came too late, and the queue told them"
    assert factory.side_by_side > 1
