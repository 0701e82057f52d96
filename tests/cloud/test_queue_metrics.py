"""The points that the local SQS makes of its queues: when there is one, and when data are missing."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from tests.cloud.sqs_clients import Wire, control

from forebay.clock import VirtualClock
from forebay.cloud.queue_metrics import POINTS_KEPT, QueueMetrics
from forebay.cloud.sqs_server import SqsServer
from forebay.local.queue_meter import LocalQueueMeter
from forebay.rules.queue_semantics import QueueService, SendEntry

HOUR_S = 3600.0


class Measured:
    """One queue with its metrics, and a time that tests move."""

    def __init__(self, *, time_lapse: float = 1.0) -> None:
        self.clock = VirtualClock()
        self.service = QueueService("us-east-1", "000000000000", Random(1))
        self.metrics = QueueMetrics(self.service, self.clock, time_lapse=time_lapse)
        self.url = self.service.create_queue("jobs", now=0.0)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.service.advance(self.clock.now())

    def send(self, body: str = "x", delay_s: int | None = None) -> None:
        self.service.send(self.url, SendEntry(body=body, delay_s=delay_s), now=self.clock.now())

    def ends(self) -> list[float]:
        return [point.at for point in self.metrics.points(self.url)]


def test_counts_belong_to_their_period_and_gauges_to_its_end() -> None:
    queue = Measured()
    queue.send("abc")
    queue.pass_time(61)
    queue.send("de")
    queue.send("f")
    queue.pass_time(60)

    first, second = queue.metrics.points(queue.url)

    assert (first.counts.sent, first.gauges.visible, first.sent_bytes_max) == (1, 1, 3)
    assert (second.counts.sent, second.gauges.visible, second.sent_bytes_min) == (2, 3, 1)
    assert second.at - first.at == queue.metrics.period_s == 60.0


def test_each_point_is_that_of_its_moment_though_time_leaps() -> None:
    queue = Measured()
    queue.send(delay_s=90)
    queue.pass_time(180)

    delayed = [point.gauges.delayed for point in queue.metrics.points(queue.url)]

    assert delayed == [1, 0, 0]


def test_a_queue_that_nobody_touches_has_no_data_after_six_hours() -> None:
    queue = Measured()
    queue.pass_time(8 * HOUR_S)

    assert max(queue.ends()) <= 6 * HOUR_S + 60
    assert queue.metrics.last_point(queue.url) is None, "missing, not nought"
    queue.metrics.touch(queue.url, queue.clock.now())
    queue.pass_time(60)
    assert queue.metrics.last_point(queue.url) is not None


def test_a_queue_that_holds_a_message_stays_active() -> None:
    queue = Measured()
    queue.send()
    queue.pass_time(24 * HOUR_S)

    assert queue.metrics.last_point(queue.url) is not None


def test_the_time_lapse_shortens_the_minute_and_the_six_hours() -> None:
    queue = Measured(time_lapse=60)
    queue.pass_time(600)

    assert queue.metrics.period_s == 1.0
    assert 360 <= max(queue.ends()) <= 361


def test_no_more_points_are_kept_than_six_hours_of_them() -> None:
    queue = Measured()
    queue.send()
    queue.pass_time(10 * HOUR_S)

    assert len(queue.ends()) == POINTS_KEPT
    assert len(queue.metrics.points(queue.url, since=10 * HOUR_S - 120)) == 2


def test_a_queue_made_anew_does_not_inherit_counts() -> None:
    queue = Measured()
    queue.send()
    queue.pass_time(60)
    queue.service.delete_queue(queue.url, now=queue.clock.now())
    queue.pass_time(61)
    queue.service.create_queue("jobs", now=queue.clock.now())
    queue.pass_time(60)

    assert queue.metrics.points(queue.url)[-1].counts.sent == 0


@pytest.mark.parametrize("time_lapse", [0, -1, 1e9])
def test_an_impossible_time_lapse_is_named(time_lapse: float) -> None:
    with pytest.raises(ValueError, match="time_lapse"):
        Measured(time_lapse=time_lapse)


def test_a_scaling_law_reads_the_period_that_has_just_ended_or_nothing() -> None:
    queue = Measured()
    meter = LocalQueueMeter(queue.metrics, queue.url)
    before = asyncio.run(meter.read())
    queue.send()
    queue.pass_time(70)

    reading = asyncio.run(meter.read())

    assert before is None
    assert reading is not None
    assert (reading.at, reading.visible, reading.sent, reading.oldest_age_s) == (60.0, 1, 1, 60.0)


def test_only_a_fifo_queue_shows_what_fifo_queues_have() -> None:
    with SqsServer.in_thread() as running:
        port = running.service.port
        running.call(lambda server: server.create_queue("jobs"))
        url = running.call(lambda server: server.create_queue("jobs.fifo", FifoQueue="true"))
        with Wire(port) as wire:
            for _ in range(2):
                message = {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "once"}
                wire.call("SendMessage", {"QueueUrl": url, **message})
            wire.call("ReceiveMessage", {"QueueUrl": url})
        shown = control(port, "GET", "/_forebay/metrics").json["queues"]

    names = ("NumberOfDeduplicatedSentMessages", "ApproximateNumberOfGroupsWithInflightMessages")
    assert [shown["jobs.fifo"]["live"][name] for name in names] == [1, 1]
    assert not set(names) & set(shown["jobs"]["live"])


def test_the_server_shows_metrics_and_makes_points_by_itself() -> None:
    """Nobody calls between the send and the look: the alarm ends the periods."""
    with SqsServer.in_thread(time_lapse=1_000) as running:
        port, url = running.service.port, running.call(lambda server: server.create_queue("jobs"))
        with Wire(port) as wire:
            wire.call("SendMessage", {"QueueUrl": url, "MessageBody": "abc"})
            wire.call("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 0})
            wire.call("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 1})
        shown = control(port, "GET", "/_forebay/metrics?queue=jobs").json
        of_all = control(port, "GET", "/_forebay/metrics?newest=1").json["queues"]

    assert shown["live"]["ApproximateNumberOfMessagesNotVisible"] == 1
    assert shown["wait"]["count"] == 1
    assert sum(point["NumberOfMessagesSent"] for point in shown["points"]) == 1
    assert len(shown["points"]) > 3
    assert len(of_all["jobs"]["points"]) == 1


@pytest.mark.parametrize(("query", "status"), [("queue=nowhere", 400), ("newest=many", 400), ("", 200)])
def test_metrics_of_nothing_are_refused_with_a_reason(query: str, status: int) -> None:
    with SqsServer.in_thread() as running:
        answer = control(running.service.port, "GET", f"/_forebay/metrics?{query}")

    assert answer.status == status
    assert ("error" in answer.json) == (status != 200)
