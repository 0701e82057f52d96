"""Fair queues against the rule itself, written down naively: every receive must bring exactly what the rule says."""

from __future__ import annotations

from random import Random

import pytest
from tests.rules.queues import Bench, bodies

from forebay.rules.queue_semantics import Delivery, SendEntry

VISIBILITY_S = 20


class Naive:
    """What waits, in the order of a queue without groups; and what is in flight. Everything is searched through."""

    def __init__(self) -> None:
        self.returned: list[str] = []
        self.fresh: list[str] = []
        self.hidden: list[tuple[float, int, str]] = []
        self.group_of: dict[str, str | None] = {}
        self.receives: dict[str, int] = {}
        self.in_flight: set[str] = set()
        self.number = 0

    def send(self, body: str, group: str | None, until: float | None) -> None:
        self.group_of[body], self.receives[body] = group, 0
        if until is None:
            self.fresh.append(body)
        else:
            self.hide(body, until)

    def hide(self, body: str, until: float) -> None:
        self.number += 1
        self.hidden = [entry for entry in self.hidden if entry[2] != body] + [(until, self.number, body)]

    def show(self, body: str) -> None:
        self.hidden = [entry for entry in self.hidden if entry[2] != body]
        self.in_flight.discard(body)
        (self.returned if 0 < self.receives[body] < 3 else self.fresh).append(body)

    def wake(self, now: float) -> None:
        for until, _, body in sorted(self.hidden):
            if until <= now:
                self.show(body)

    def delete(self, body: str) -> None:
        self.hidden = [entry for entry in self.hidden if entry[2] != body]
        self.in_flight.discard(body)
        for line in (self.returned, self.fresh):
            if body in line:
                line.remove(body)
        del self.group_of[body]

    def is_noisy(self, group: str | None) -> bool:
        groups = {other for other in self.group_of.values() if other is not None}
        loads = {other: sum(self.group_of[body] == other for body in self.in_flight) for other in groups}
        if group is None or loads[group] < 2 or len(groups) == 1:
            return False
        others = [loads[other] for other in groups if other != group]
        return loads[group] > 2 * sum(others) / len(others)

    def receive(self, count_max: int, now: float) -> list[str]:
        noisy = {group for group in set(self.group_of.values()) if self.is_noisy(group)}
        taken: list[str] = []
        while len(taken) < count_max and (waiting := self.returned + self.fresh):
            quiet = [body for body in waiting if self.group_of[body] not in noisy]
            body = (quiet or waiting)[0]
            (self.returned if body in self.returned else self.fresh).remove(body)
            taken.append(body)
        for body in taken:
            self.receives[body] += 1
            self.in_flight.add(body)
            self.hide(body, now + VISIBILITY_S)
        return taken


def _settle(bench: Bench, naive: Naive, held: list[Delivery], rng: Random) -> None:
    delivery = held.pop(rng.randrange(len(held)))
    body, is_ours = delivery.content.body, False
    if body in naive.group_of:
        is_ours = delivery.receive_count == naive.receives[body]
    if rng.random() < 0.6:
        bench.delete(delivery)
        if is_ours:
            naive.delete(body)
    else:
        seconds = rng.choice([0, 0, 5])
        is_refused = bench.change(delivery, seconds) is not None
        assert is_refused != (is_ours and body in naive.in_flight)
        if not is_refused and seconds:
            naive.hide(body, bench.now + seconds)
            held.append(delivery)
        elif not is_refused:
            naive.show(body)


@pytest.mark.parametrize("seed", range(20))
def test_every_receive_brings_what_the_rule_says(seed: int) -> None:
    rng = Random(seed)
    bench, naive = Bench(seed=seed, VisibilityTimeout=str(VISIBILITY_S)), Naive()
    held: list[Delivery] = []
    noisy_seen = 0
    for step in range(700):
        bench.at(bench.now + rng.choice([0.0, 0.0, 0.0, 1.0, 3.0]))
        naive.wake(bench.now)
        deed = rng.random()
        if deed < 0.45:
            body, group = f"m{step}", rng.choice([None, "a", "a", "a", "b", "c", f"g{step % 7}"])
            delay_s = rng.choice([0, 0, 0, 4])
            bench.rules.send(bench.url, SendEntry(body=body, group=group, delay_s=delay_s), now=bench.now)
            naive.send(body, group, bench.now + delay_s if delay_s else None)
        elif deed < 0.7:
            count_max = rng.randint(1, 10)
            deliveries = bench.receive(count_max)
            assert bodies(deliveries) == naive.receive(count_max, bench.now)
            held += deliveries
        elif held:
            _settle(bench, naive, held, rng)
        noisy_seen += any(naive.is_noisy(group) for group in set(naive.group_of.values()))

    assert noisy_seen > 50, "some group was noisy for a part of the time"
