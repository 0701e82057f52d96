"""Code that mypy and pyright must accept, both at their strictest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from forebay import (
    Batch,
    Call,
    Context,
    Depends,
    EventBridgeEvent,
    Job,
    Message,
    NotAllSent,
    Queue,
    Reject,
    RetryLater,
    S3Event,
    S3Record,
    Sending,
    SnsNotification,
    Worker,
    aenqueue_many,
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
    moment = datetime.now(UTC) + timedelta(minutes=1)
    assert_type(thumbnail.options(at=moment, attributes={"tenant": "x", "size": 3, "raw": b"x"}).call("a"), Call)
    assert_type(Queue("shop").options(group="g", dedupe="d").enqueue("thumbnail", key="a.png"), str)


async def many(calls: AsyncIterator[Call]) -> None:
    try:
        assert_type(await aenqueue_many(calls), list[str])
        assert_type(await aenqueue_many([thumbnail.call("a")]), list[str])
    except NotAllSent as error:
        assert_type(error.failures[0].call, Call)
        assert_type(error.failures[0].index, int)
        assert_type(error.ids[0], str | None)


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


class Db:
    """Something that handlers need."""


async def get_db() -> Db:
    return Db()


async def open_session(db: Db = Depends(get_db)) -> AsyncIterator[list[str]]:
    yield []


def lock() -> Iterator[int]:
    yield 1


def settings() -> dict[str, str]:
    return {}


assert_type(Depends(get_db), Db)
assert_type(Depends(open_session), list[str])
assert_type(Depends(lock), int)
assert_type(Depends(settings, use_cache=False), dict[str, str])
assert_type(Depends(Db), Db)


@worker.job
async def with_dependencies(
    ctx: Context, key: str, session: list[str] = Depends(open_session), db: Db = Depends(get_db)
) -> None:
    assert_type(ctx.shared(Db), Db)
    with_dependencies.enqueue(key)
    await with_dependencies.options(group="a").aenqueue(key=key)
    await with_dependencies(ctx, key, session=[], db=Db())


@worker.on_start
async def start_db() -> AsyncIterator[Db]:
    yield Db()


@worker.on_start
def start_plain(db: Db) -> int:
    return 1


@worker.on_stop
async def stop_db(db: Db) -> None: ...


@worker.around_attempt
def timed(ctx: Context) -> Iterator[None]:
    yield


@worker.around_attempt
async def traced(ctx: Context) -> AsyncIterator[None]:
    assert_type(ctx.messages, tuple[Message, ...])
    yield


@worker.around_enqueue
def stamped(sending: Sending) -> Iterator[None]:
    sending.attributes["tenant"] = "a"
    sending.attributes["weight"] = 3
    sending.delay = "5m"
    yield
    assert_type(sending.message_id, str | None)


@worker.batch(size=100, linger="1s", timeout="5m", attempts=3, slots=200)
async def ingest(items: Batch[int]) -> None:
    for index, item in enumerate(items):
        assert_type(item, int)
        items.fail(index, Reject("no"))
        items.fail(index, "in words")
        items.fail(index, RetryLater)
    assert_type(items.messages[0], Message)
    assert_type(items.lease_lost(0), bool)


@worker.batch()
def ingest_with_all(ctx: Context, items: Batch[dict[str, int]], db: Db = Depends(get_db)) -> str:
    return "done"


@worker.batch
async def ingest_bare(items: Batch[int]) -> None: ...


@worker.batch
def ingest_bare_with_all(ctx: Context, items: Batch[str], db: Db = Depends(get_db)) -> int:
    return 1


@worker.batch(default=True, linger=0)
async def ingest_whole(items: Batch[Message]) -> None: ...


async def batches(ctx: Context) -> None:
    assert_type(ingest.enqueue(1), str)
    assert_type(await ingest.aenqueue(1), str)
    assert_type(await ingest.options(delay="5m").aenqueue(1), str)
    assert_type(enqueue_many(ingest_with_all.call({"a": number}) for number in range(3)), list[str])
    assert_type(ingest_with_all(ctx, Batch.of([{"a": 1}]), db=Db()), str)
    assert_type(ingest_bare.call(1), Call)
    assert_type(await ingest_bare_with_all.aenqueue("a"), str)
    assert_type(ingest_bare_with_all(ctx, Batch.of(["a"])), int)
    assert_type(Batch.of([1]), Batch[int])
    await ingest(Batch.of([1]))


with worker.override(get_db, Db):
    pass
