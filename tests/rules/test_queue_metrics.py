"""What is counted of a queue, and since when its oldest message counts (facts/sqs.md section 5)."""

from __future__ import annotations

import json

from tests.rules.queues import Bench

from forebay.rules.queue_metrics import Gauges, Totals, gauges


def _gauges(bench: Bench, url: str | None = None) -> Gauges:
    return gauges(bench.rules.registry.find(url or bench.url), bench.now)


def _totals(bench: Bench, url: str | None = None) -> Totals:
    return bench.rules.registry.find(url or bench.url).tally.totals


def test_the_oldest_message_counts_from_its_sending_in_flight_or_not() -> None:
    bench = Bench(VisibilityTimeout="600")
    bench.send("first")
    bench.at(10.0).send("second")
    first = bench.receive_one()

    assert _gauges(bench.at(30.0)).oldest_age_s == 30.0
    bench.delete(first)
    assert _gauges(bench).oldest_age_s == 20.0


def test_an_empty_queue_has_no_age() -> None:
    assert _gauges(Bench().at(500.0)).oldest_age_s == 0.0


def test_a_message_received_three_times_ages_unseen() -> None:
    bench = Bench()
    bench.send("poison")
    ages: list[float] = []
    for now in (10.0, 20.0, 30.0):
        bench.at(now).receive_one(visibility_s=0)
        ages.append(_gauges(bench).oldest_age_s)
    bench.send("healthy")

    assert ages == [10.0, 20.0, 0.0]
    assert _gauges(bench.at(45.0)).oldest_age_s == 15.0


def test_a_dead_letter_ages_from_its_move() -> None:
    bench = Bench()
    dead = bench.create("dead")
    policy = {"deadLetterTargetArn": bench.rules.arn("dead"), "maxReceiveCount": 1}
    url = bench.create("source", RedrivePolicy=json.dumps(policy), VisibilityTimeout="0")
    bench.send(url=url)
    bench.receive_one(url=url)
    bench.at(100.0).receive(url=url)

    bench.at(130.0)

    assert _gauges(bench, dead).oldest_age_s == 30.0
    assert _totals(bench, dead).sent == 0, "an automatic move is no send"


def test_deletes_count_though_they_repeat() -> None:
    bench = Bench()
    bench.send("ab", "cd")
    delivery = bench.receive_one()
    bench.delete(delivery)
    bench.delete(delivery)

    assert _totals(bench) == Totals(sent=2, received=1, deleted=2, sent_bytes=4)


def test_short_and_long_receives_that_bring_nothing_are_empty() -> None:
    bench = Bench()
    bench.receive()
    bench.poll(20)
    bench.at(20.0)

    assert _totals(bench).empty_receives == 2


def test_a_message_waits_once_and_lives_until_its_delete() -> None:
    bench = Bench()
    tally = bench.rules.registry.find(bench.url).tally
    bench.send("x")
    bench.at(5.0).receive_one(visibility_s=0)
    delivery = bench.at(20.0).receive_one()
    bench.delete(delivery)

    waited, lived = tally.wait.percentiles(20.0), tally.total.percentiles(20.0)

    assert (waited.count, lived.count) == (1, 1)
    assert waited.p50_s is not None
    assert 4.9 < waited.p50_s < 5.1
    assert lived.p50_s is not None
    assert 19.6 < lived.p50_s < 20.4


def test_the_order_of_arrivals_lets_go_of_what_is_gone() -> None:
    bench = Bench(VisibilityTimeout="43200")
    bench.send("stays")
    bench.receive_one()
    for _ in range(5_000):
        bench.send("x")
        bench.delete(bench.receive_one())

    assert len(bench.rules.registry.find(bench.url).tally.arrivals) < 2_000
