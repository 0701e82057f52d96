"""Sending one by one, and by name from where the job's code is not."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from tests.api.calling import CANARY, Outbox, outcome, worker_with_outbox

from forebay import JobError, Queue, SettingsError
from forebay.api.delivery import Wishes
from forebay.api.sending import SqsSender
from forebay.model import SUCCEEDED


def test_a_producer_needs_no_more_than_an_address_and_a_name() -> None:
    outbox = Outbox()
    queue = Queue("https://sqs.eu-west-1.amazonaws.com/1/thumbnails", sender=outbox)

    message_id = queue.enqueue("thumbnail", key="a.png", width=640)

    assert message_id == "id-0"
    assert outbox.messages[0].attributes == {"job": ("String", "thumbnail")}
    assert json.loads(outbox.messages[0].body) == {"key": "a.png", "width": 640}


def test_what_is_sent_by_name_fits_the_job_that_is_declared() -> None:
    worker, outbox = worker_with_outbox()
    got: list[object] = []

    @worker.job
    def thumbnail(key: UUID, at: datetime, price: Decimal, raw: bytes) -> None:
        got.extend([key, at, price, raw])

    given = [UUID(int=7), datetime(2026, 11, 23, tzinfo=UTC), Decimal("9.90"), b"\x00\xff"]
    queue = Queue("shop", sender=outbox)
    asyncio.run(queue.aenqueue("thumbnail", key=given[0], at=given[1], price=given[2], raw=given[3]))

    assert outcome(worker, outbox.messages[0].body, job="thumbnail") == SUCCEEDED
    assert got == given


def test_what_json_cannot_carry_is_refused_without_its_value() -> None:
    class Opaque:
        def __repr__(self) -> str:
            return CANARY

    with pytest.raises(JobError, match="'thumbnail'") as error:
        Queue("shop", sender=Outbox()).enqueue("thumbnail", key=Opaque())

    assert CANARY not in str(error.value)


def test_a_parameter_may_be_called_job() -> None:
    outbox = Outbox()

    Queue("shop", sender=outbox).enqueue("thumbnail", job="x", self="y")

    assert json.loads(outbox.messages[0].body) == {"job": "x", "self": "y"}


@pytest.mark.parametrize("address", ["", "   ", 5, None])
def test_an_address_that_is_no_text_or_empty_is_refused(address: Any) -> None:
    with pytest.raises(SettingsError, match="a queue needs its URL or its name"):
        Queue(address)


def test_a_job_that_is_sent_by_something_else_than_its_name_is_refused() -> None:
    with pytest.raises(JobError, match="5 cannot name a job"):
        Queue("shop", sender=Outbox()).enqueue(cast("Any", 5))


def test_nothing_is_opened_before_the_first_message() -> None:
    queue = Queue("https://sqs.eu-west-1.amazonaws.com/1/never-sent-to")

    assert cast("SqsSender", queue.sender).is_open is False


def test_all_queues_of_one_address_share_their_connections() -> None:
    """A web view may write `Queue("shop").enqueue(…)`: a connection made for it would cost more than the send."""
    assert Queue("shared").sender is Queue("shared").sender
    assert Queue("shared").sender is not Queue("another").sender


def test_a_job_sent_by_name_can_have_wishes() -> None:
    outbox = Outbox()
    queue = Queue("shop", sender=outbox)

    queue.options(delay="2s", group="t1", attributes={"tenant": "x"}).enqueue("thumbnail", key="a.png")
    asyncio.run(queue.options(group="t2").aenqueue("thumbnail", key="b.png"))

    first, second = outbox.messages
    assert (first.delay_s, first.group, first.attributes["tenant"]) == (2, "t1", ("String", "x"))
    assert (second.delay_s, second.group) == (0, "t2")


@pytest.mark.parametrize(
    ("address", "wishes", "told"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/orders.fifo", {}, r"orders\.fifo.*options\(group="),
        ("orders.fifo", {"group": "g", "delay": "1s"}, "FIFO queue delays"),
        ("orders", {"dedupe": "x"}, "only FIFO queues know dedupe"),
    ],
)
def test_what_this_kind_of_queue_does_not_take_is_refused_at_the_call(address: str, wishes: Wishes, told: str) -> None:
    with pytest.raises(JobError, match=told):
        Queue(address).options(**wishes).call("thumbnail", key="a.png")
