"""Fair queues: message groups of a standard queue."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.rules.queues import Bench, bodies

from forebay.rules.queue_fair import FairGroups
from forebay.rules.queue_semantics import Delivery, SendEntry


def _put(bench: Bench, group: str | None, *bodies_: str, delay_s: int | None = None) -> None:
    for body in bodies_:
        bench.rules.send(bench.url, SendEntry(body=body, group=group, delay_s=delay_s), now=bench.now)


def _names(group: str, count: int) -> list[str]:
    return [f"{group}{number}" for number in range(count)]


def test_a_quiet_groups_message_goes_before_the_backlog_of_a_noisy_one() -> None:
    bench = Bench()
    _put(bench, "noisy", *_names("n", 100))
    bench.receive(10)
    _put(bench, "quiet", "q")

    assert bodies(bench.receive(2)) == ["q", "n10"]


def test_a_noisy_group_flows_when_nothing_else_waits() -> None:
    bench = Bench()
    _put(bench, "noisy", *_names("n", 30))
    bench.receive(10)
    _put(bench, "quiet", "q")
    bench.receive(1)

    assert bodies(bench.receive(10)) == [f"n{number}" for number in range(10, 20)]


def test_a_group_alone_is_never_noisy() -> None:
    bench = Bench()
    _put(bench, "only", *_names("n", 20))
    bench.receive(10)
    _put(bench, None, "plain")

    assert bodies(bench.receive(1)) == ["n10"]


def test_a_message_without_a_group_goes_before_a_noisy_one() -> None:
    bench = Bench()
    _put(bench, "noisy", *_names("n", 20))
    _put(bench, "other", "o")
    bench.receive(10)
    bench.receive(1)
    _put(bench, None, "plain")

    assert bodies(bench.receive(2)) == ["plain", "n10"]


def test_while_nobody_is_noisy_the_order_is_that_of_the_sending() -> None:
    bench = Bench()
    sent: list[str] = []
    for number in range(60):
        body = f"m{number}"
        _put(bench, (None, "a", "b", "c")[number % 4], body)
        sent.append(body)

    assert bodies([delivery for _ in range(6) for delivery in bench.receive(10)][:10]) == sent[:10]


def test_a_group_is_quiet_again_when_its_work_is_done() -> None:
    bench = Bench()
    _put(bench, "a", *_names("a", 12))
    in_flight = bench.receive(10)
    _put(bench, "b", *_names("b", 3))
    for delivery in in_flight:
        bench.delete(delivery)

    assert bodies(bench.receive(1)) == ["a10"]


def test_messages_of_a_group_may_be_in_flight_together() -> None:
    bench = Bench()
    _put(bench, "a", "a1", "a2")

    assert bodies(bench.receive(1)) + bodies(bench.receive(1)) == ["a1", "a2"]


def test_a_message_given_back_goes_to_the_front_and_a_poison_one_to_the_back() -> None:
    bench = Bench()
    _put(bench, "a", "a1", "a2")
    _put(bench, "b", "b1")
    bench.change(bench.receive_one(), 0)
    delivery = bench.receive_one()
    assert bodies([delivery]) == ["a1"]
    bench.change(delivery, 0)
    bench.change(bench.receive_one(), 0)

    assert bodies(bench.receive(10)) == ["a2", "b1", "a1"]


def test_a_delayed_message_waits_its_delay_whoever_is_noisy() -> None:
    bench = Bench()
    _put(bench, "noisy", *_names("n", 20))
    _put(bench, "quiet", "q", delay_s=5)
    bench.receive(10)

    assert bodies(bench.receive(1)) == ["n10"]
    assert bodies(bench.at(5.0).receive(1)) == ["q"]


def test_the_threshold_is_two_in_flight_and_twice_the_mean_of_the_others() -> None:
    bench = Bench()
    _put(bench, "a", *_names("a", 40))
    _put(bench, "b", *_names("b", 40))
    _put(bench, "c", *_names("c", 40))
    groups = bench.rules.registry.find(bench.url).shelves.groups
    assert isinstance(groups, FairGroups)
    groups.in_flight = 12

    assert not groups.is_noisy(1)
    assert not groups.is_noisy(6), "the others have three each: six is twice that, and not more"
    assert groups.is_noisy(7)


@pytest.mark.parametrize("seed", range(5))
def test_quiet_tenants_hardly_wait_beside_a_flood(seed: int) -> None:
    """A hundred workers, one tenant's flood of ten thousand, and nine tenants with a message now and then."""
    rng = Random(seed)
    bench = Bench(VisibilityTimeout="1000")
    _put(bench, "flood", *_names("f", 10_000))
    working: list[tuple[float, Delivery]] = []
    waits: list[float] = []
    for tick in range(400):
        bench.at(tick / 10)
        for ends_at, delivery in [entry for entry in working if entry[0] <= bench.now]:
            bench.delete(delivery)
            working.remove((ends_at, delivery))
        if tick % 4 == 0:
            _put(bench, f"tenant-{rng.randrange(9)}", f"at {bench.now}")
        while len(working) < 100 and (deliveries := bench.receive(min(10, 100 - len(working)))):
            for delivery in deliveries:
                working.append((bench.now + rng.uniform(0.5, 1.5), delivery))
                if delivery.content.body.startswith("at"):
                    waits.append(bench.now - float(delivery.content.body[3:]))

    assert len(waits) == 100, "every tenant was served, though the flood's backlog is far from done"
    assert max(waits) <= 0.5
    assert bench.counts()[0] > 5_000


def test_random_lives_lose_nothing_and_end_with_nothing_kept() -> None:
    rng = Random(3)
    bench = Bench(VisibilityTimeout="5")
    sent: Counter[str] = Counter()
    deleted: Counter[str] = Counter()
    for step in range(6_000):
        bench.at(bench.now + rng.choice([0.0, 0.0, 0.1, 1.0]))
        if rng.random() < 0.5 and step < 4_000:
            body = f"m{step}"
            sent[body] += 1
            _put(bench, rng.choice([None, "a", "b", "b", "b", f"g{step % 50}"]), body, delay_s=rng.choice([0, 0, 3]))
        for delivery in bench.receive(rng.randint(1, 10)):
            fate = rng.random()
            if fate < 0.6:
                bench.delete(delivery)
                deleted[delivery.content.body] += 1
            elif fate < 0.8:
                bench.change(delivery, 0)
    while sum(bench.counts()):
        bench.at(bench.now + 5)
        for delivery in bench.receive(10):
            bench.delete(delivery)
            deleted[delivery.content.body] += 1

    groups = bench.rules.registry.find(bench.url).shelves.groups
    assert deleted == sent
    assert groups.by_name == {}
    assert isinstance(groups, FairGroups)
    assert groups.in_flight == 0
