"""Code that mypy and pyright must both refuse, on exactly the lines that end in `# error`."""

from __future__ import annotations

from forebay import Context, EventBridgeEvent, S3Event, SnsNotification, Worker
from forebay.testing import WorkerClient

worker = Worker("thumbnails")


@worker.job(timeout="5m")
async def thumbnail(ctx: Context, key: str, width: int = 320) -> None: ...


@worker.job
def blocking(count: int) -> str:
    return str(count)


async def asynchronous(ctx: Context) -> None:
    await thumbnail.aenqueue()  # error
    await thumbnail.aenqueue(key=1)  # error
    await thumbnail.aenqueue(key="a", width="wide")  # error
    await thumbnail.aenqueue(key="a", height=3)  # error
    await thumbnail.aenqueue(ctx, "a")  # error
    await thumbnail.options(delay="5m").aenqueue(key=2)  # error
    await thumbnail(ctx, 1)  # error
    await thumbnail("a")  # error
    await blocking(1)  # error
    await thumbnail(ctx, "a")


def synchronous(ctx: Context) -> None:
    thumbnail.enqueue(width=320)  # error
    thumbnail.call(1)  # error
    thumbnail.options(delay="5m", grup="t1")  # error
    thumbnail.options(delay=[5]).call(key="a")  # error
    blocking.enqueue("3")  # error
    blocking.enqueue(ctx, 3)  # error
    blocking(ctx, 3)  # error
    blocking.enqueue(3).upper()
    ctx.checkpoint()  # error


@worker.job(timeout=["5m"])  # error
async def wrong_timeout() -> None: ...


@worker.job(retries=5)  # error
async def wrong_option() -> None: ...


Worker("thumbnails", protect="sometimes")  # error
Worker()  # error


@worker.job(slots="many")  # error
async def wrong_slots() -> None: ...


@worker.job(aliases=5)  # error
async def wrong_aliases() -> None: ...


@worker.job(retry="always")  # error
async def wrong_retry() -> None: ...


@worker.job(unknown="keep")  # error
async def wrong_unknown() -> None: ...


@worker.job(backoff=("1s", "2s", "3s"))  # error
async def wrong_backoff() -> None: ...


@worker.job(isolate="yes")  # error
def wrong_isolate() -> None: ...


@worker.job(subject=["a", "b"])  # error
async def wrong_subject() -> None: ...


@worker.default(aliases=["other"])  # error
async def default_with_aliases(body: str) -> None: ...


@worker.default(subject="order placed")  # error
async def default_with_a_subject(body: str) -> None: ...


def enveloped(notification: SnsNotification[int], event: EventBridgeEvent[int], stored: S3Event) -> None:
    notification.message.upper()  # error
    event.detail_typ.upper()  # error
    stored.records[0].size + 1  # error
    stored.records = ()  # error
    SnsNotification(message=1)  # error


Worker("thumbnails", job_field=5)  # error


def tested(client: WorkerClient) -> None:
    client.run(thumbnail)  # error
    client.run(thumbnail, key=1)  # error
    client.run(blocking, count=3, attempt=2)  # error
    client.work(until="full")  # error
