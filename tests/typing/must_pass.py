"""Code that mypy and pyright must accept, both at their strictest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from forebay import (
    Call,
    Context,
    EventBridgeEvent,
    Job,
    Message,
    Queue,
    Reject,
    RetryLater,
    S3Event,
    S3Record,
    SnsNotification,
    Worker,
    enqueue_many,
)
from forebay.testing import AttemptResult, WorkerClient

worker = Worker("thumbnails", queue=["first", "second"], slots=10, drain="25s", protect="auto", log="json")


@worker.job(name="thumbnail", timeout="5m", attempts=5)
async def thumbnail(ctx: Context, key: str, width: int = 320) -> None:
    ctx.checkpoint({"page": ctx.state["page"] + 1 if ctx.state else 0})
    if ctx.stopping:
        raise RetryLater("1m")
    if not key:
        raise Reject("no key")
    await ctx.lease_lost
    ctx.extend(timedelta(minutes=5))
    ctx.log.info("attempt %d ends by %s", ctx.attempt, ctx.deadline)


@worker.job
async def plain(key: str, *, at: datetime | None = None) -> int:
    return len(key)


@worker.job
def blocking(ctx: Context, count: int) -> str:
    return str(ctx.stopping.wait(0.0)) * count


@worker.job(timeout=90)
def nothing() -> None: ...


@worker.job(timeout=timedelta(hours=1))
def only_context(ctx: Context) -> None: ...


@worker.default
async def raw(message: Message) -> None:
    await asynchronous(message)


@worker.default(timeout="11h", attempts=2)
def raw_text(body: str) -> int:
    return len(body)


async def asynchronous(message: Message) -> None:
    assert_type(await thumbnail.aenqueue(key="a.png"), str)
    assert_type(await thumbnail.aenqueue("a.png", width=640), str)
    assert_type(await thumbnail.options(delay="5m").aenqueue("a.png"), str)
    assert_type(await plain("a"), int)
    assert_type(await raw(message), None)


def synchronous(ctx: Context) -> None:
    assert_type(thumbnail.enqueue(key="a.png", width=640), str)
    assert_type(thumbnail.options(delay="5m", group="t1", dedupe="x").enqueue(key="b.png"), str)
    assert_type(thumbnail.options(delay=5).call(key="b.png"), Call)
    assert_type(plain.enqueue("a", at=datetime.now(UTC)), str)
    assert_type(blocking.enqueue(3), str)
    assert_type(blocking(ctx, 3), str)
    assert_type(blocking(ctx, count=3), str)
    assert_type(nothing.enqueue(), str)
    assert_type(only_context.enqueue(), str)
    assert_type(raw_text("a"), int)
    assert_type(enqueue_many(thumbnail.call(key=key) for key in ("a", "b")), list[str])
    Queue("https://sqs.eu-west-1.amazonaws.com/1/thumbnails").enqueue("thumbnail", key="a.png")


whole: Callable[[Context, str, int], Coroutine[Any, Any, None]] = thumbnail
several: list[Job[Any, Any, Any]] = [thumbnail, plain, blocking]


@worker.job(
    aliases=["old"], backoff=("1s", "5m"), retry="resend", queue="slow", slots=3, isolate=False, unknown="reject",
    subject="order placed", detail_type="Order Placed",
)  # fmt: skip
def every_setting(number: int) -> None: ...


@worker.job(queue=Queue("slow"), backoff=5, aliases=("a", "b"), name=None)
async def other_forms() -> None: ...


@worker.job(subject="order placed")
async def notified(ctx: Context, notification: SnsNotification[dict[str, int]]) -> None:
    assert_type(notification.message, dict[str, int])
    assert_type(notification.subject, str | None)


@worker.default(slots=2, retry="count", unknown="ignore")
async def enveloped(event: EventBridgeEvent[list[str]] | SnsNotification[S3Event]) -> None:
    if isinstance(event, EventBridgeEvent):
        assert_type(event.detail, list[str])
    else:
        assert_type(event.message.records[0], S3Record)
        assert_type(event.message.records[0].size, int | None)


built = SnsNotification(message="hello", message_id="1", topic_arn="arn:aws:sns:::t", timestamp=datetime.now(UTC))
assert_type(built, SnsNotification[str])


async def tested(client: WorkerClient) -> None:
    assert_type(client.run(thumbnail, "a", width=3), AttemptResult)
    assert_type(await client.arun(plain, "a"), AttemptResult)
    assert_type(client.attempt(thumbnail.call(key="a"), attempt=2, stopping=True).enqueued[0].job, str | None)
    assert_type(client.work(stop_after="5m").lasted_s, float)
