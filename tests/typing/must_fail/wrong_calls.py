"""Code that mypy and pyright must both refuse, on exactly the lines that end in `# error`."""

from __future__ import annotations

from collections.abc import Iterator

from forebay import Batch, Context, Depends, EventBridgeEvent, Queue, S3Event, SnsNotification, Worker, enqueue_many
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
    thumbnail.options(at="tomorrow").call(key="a")  # error
    thumbnail.options(attributes={"tenant": None}).call(key="a")  # error
    Queue("shop").options(grup="t1")  # error
    Queue("shop").call(5)  # error
    enqueue_many(["a"])  # error
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


def get_number() -> int:
    return 1


@worker.job
def needs_text(key: str, text: str = Depends(get_number)) -> None: ...  # error


@worker.job
def needs_number(key: str, number: int = Depends(get_number)) -> None: ...


@worker.batch(size="many")  # error
def wrong_size(items: Batch[int]) -> None: ...


@worker.batch(size=10)  # error
def no_batch(items: list[int]) -> None: ...


@worker.batch()
def numbers(items: Batch[int]) -> None:
    items.fail("first", "why")  # error
    items.fail(0, 5)  # error


@worker.batch  # error
def no_batch_either(items: list[int]) -> None: ...


@worker.batch
def bare(items: Batch[int]) -> None: ...


needs_number.enqueue(number=1)  # error
needs_number.enqueue("key", 1, 2)  # error
bare.enqueue("1")  # error
bare.enqueue([1])  # error
numbers.enqueue("1")  # error
numbers.enqueue(1, 2)  # error
numbers.call()  # error
numbers([1])  # error
numbers(Batch.of(["1"]))  # error
numbers.enqueue(1)


@worker.around_attempt  # error
def returns_nothing(ctx: Context) -> None: ...


@worker.around_enqueue  # error
def of_a_context(ctx: Context) -> Iterator[None]:
    yield
