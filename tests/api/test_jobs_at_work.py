"""Declared jobs on a real queue: sent over the wire, routed by a worker, settled by its engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from tests.api.test_envelopes import S3_TEST, event, s3, sns
from typing_extensions import TypedDict

from forebay import EventBridgeEvent, S3Event, SnsNotification, Worker
from forebay.testing import LocalCloud, LocalQueue


class Colour(Enum):
    RED = "red"


class Size(BaseModel):
    width: int


@dataclass
class Point:
    x: float


class Named(TypedDict):
    name: str


def test_arguments_of_every_kind_arrive_as_they_were_sent(forebay_queue: LocalQueue) -> None:
    worker = Worker("shop", queue=forebay_queue.url)
    got: list[tuple[object, ...]] = []

    @worker.job
    async def every(
        size: Size, point: Point, named: Named, at: datetime, key: UUID, price: Decimal, raw: bytes, colour: Colour
    ) -> None:
        got.append((size, point, named, at, key, price, raw, colour))

    given: tuple[Any, ...] = (
        Size(width=3), Point(0.5), {"name": "ä"}, datetime(2026, 11, 23, 14, 13, 33, 343_000, tzinfo=UTC),
        UUID(int=7), Decimal("1.10"), b"\x00\xff", Colour.RED,
    )  # fmt: skip
    every.enqueue(*given)

    report = forebay_queue.work(worker)

    assert report.outcomes == ["succeeded"]
    assert got == [given]
    assert str(got[0][5]) == "1.10", "a Decimal keeps its digits"


def test_a_missing_argument_is_buried_with_its_name(forebay_queue: LocalQueue) -> None:
    worker = Worker("shop", queue=forebay_queue.url)

    @worker.job
    def thumbnail(key: str, width: int) -> None: ...

    forebay_queue.send({"key": "a"}, job="thumbnail")

    report = forebay_queue.work(worker, failures="return")

    assert report.outcomes == ["rejected"]
    assert forebay_queue.dead_letter is not None
    [dead] = forebay_queue.dead_letter.messages()
    assert "width: Field required" in dead.error.values()


def test_each_way_of_routing_leads_to_its_job(forebay_queue: LocalQueue) -> None:
    worker = Worker("shop", queue=forebay_queue.url, job_field="type")
    got: list[tuple[str, object]] = []

    @worker.job(aliases=["dispatch"])
    def ship(number: int) -> None:
        got.append(("ship", number))

    @worker.job(subject="order placed")
    async def placed(number: int) -> None:
        got.append(("placed", number))

    @worker.job(detail_type="Order Paid")
    async def paid(event: EventBridgeEvent[dict[str, int]]) -> None:
        got.append(("paid", event.detail["number"]))

    @worker.default
    def anything(body: str) -> None:
        got.append(("anything", body))

    forebay_queue.send({"number": 1}, job="dispatch")
    forebay_queue.send({"type": "ship", "number": 2})
    forebay_queue.send(sns('{"number": 3}'))
    forebay_queue.send(event({"number": 4}, **{"detail-type": "Order Paid"}))
    forebay_queue.send("plain")

    report = forebay_queue.work(worker)

    assert report.outcomes == ["succeeded"] * 5
    assert sorted(got, key=str) == [
        ("anything", "plain"), ("paid", 4), ("placed", 3), ("ship", 1), ("ship", 2),
    ]  # fmt: skip


def test_the_test_event_of_s3_is_deleted_as_done_and_no_handler_sees_it(forebay_queue: LocalQueue) -> None:
    worker = Worker("shop", queue=forebay_queue.url)
    got: list[str] = []

    @worker.default
    async def stored(event: S3Event | SnsNotification[S3Event]) -> None:
        s3_event = event if isinstance(event, S3Event) else event.message
        got.extend(record.key for record in s3_event.records)

    for body in (S3_TEST, sns(S3_TEST), s3("a+b.png"), sns(s3("c.png"))):
        forebay_queue.send(body)

    report = forebay_queue.work(worker)

    assert (report.succeeded, report.received, sorted(got)) == (4, 4, ["a b.png", "c.png"])
    assert forebay_queue.counts() == (0, 0, 0)


def test_a_message_that_leads_nowhere_is_buried_with_the_reason(forebay_queue: LocalQueue) -> None:
    worker = Worker("shop", queue=forebay_queue.url)

    @worker.job(subject="order placed")
    def placed(number: int) -> None: ...

    forebay_queue.send(sns("{}", Subject="order cancelled"))

    report = forebay_queue.work(worker, failures="return")

    assert report.buried == 1
    assert forebay_queue.dead_letter is not None
    [dead] = forebay_queue.dead_letter.messages()
    assert any("'Subject' of the body lead to one" in str(told) for told in dead.error.values())


def test_a_worker_of_two_queues_does_the_job_that_has_one_of_its_own(forebay_cloud: LocalCloud) -> None:
    worker = Worker("shop", queue="shop")
    got: list[str] = []

    @worker.job
    async def quick() -> None:
        got.append("quick")
        await slow.aenqueue()

    @worker.job(queue="slow")
    def slow() -> None:
        got.append("slow")

    shop, aside = forebay_cloud.create_queue("shop"), forebay_cloud.create_queue("slow")
    shop.send({}, job="quick")

    report = forebay_cloud.run(worker)

    assert got == ["quick", "slow"]
    assert report.succeeded == 2
    assert aside.counts() == (0, 0, 0)
