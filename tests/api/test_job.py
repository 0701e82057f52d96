"""Declaring jobs and sending them."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.api.calling import CANARY, Outbox, attempt, message, outcome, worker_with_outbox

from forebay import Batch, Context, JobError, Message, Queue, QueueError, Reject, SettingsError, Worker
from forebay.model import SUCCEEDED, Failed, Rejected
from forebay.settings import LIMIT_DEFAULT_S

if TYPE_CHECKING:
    from forebay import Context as OnlyForTypeCheckers


def test_a_job_is_named_after_its_function_unless_it_says_otherwise() -> None:
    worker = Worker("shop")

    @worker.job
    def thumbnail() -> None: ...

    @worker.job(name="thumb.nail/2")
    def another() -> None: ...

    assert (thumbnail.name, another.name) == ("thumbnail", "thumb.nail/2")


def test_two_jobs_of_one_name_are_an_error_that_names_both() -> None:
    worker = Worker("shop")

    @worker.job(name="thumbnail")
    def first() -> None: ...

    with pytest.raises(JobError, match=r"'thumbnail' \(.*first and .*second\)"):

        @worker.job(name="thumbnail")
        def second() -> None: ...


def test_two_workers_may_each_have_a_job_of_one_name() -> None:
    for worker in (Worker("shop"), Worker("bank")):

        @worker.job
        def thumbnail() -> None: ...

        assert [handler.name for handler in worker.registry] == ["thumbnail"]


def test_two_default_handlers_are_an_error() -> None:
    worker = Worker("shop")
    worker.default(lambda body: None)

    with pytest.raises(JobError, match="two default handlers"):
        worker.default(lambda body: None)


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "with\nline", "with\x00null", "default"])
def test_names_that_sqs_or_we_cannot_carry_are_refused(name: str) -> None:
    with pytest.raises(JobError):
        Worker("shop").job(name=name)(lambda: None)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(JobError, match="name="):
        Worker("shop").job(lambda: None)


def test_coroutines_run_on_the_loop_and_functions_on_threads() -> None:
    worker = Worker("shop")

    @worker.job
    async def waits() -> None: ...

    @worker.job
    def computes() -> None: ...

    assert {handler.name: handler.runs for handler in worker.registry} == {"waits": "loop", "computes": "thread"}


@pytest.mark.parametrize(
    ("timeout", "limit_s"),
    [(None, LIMIT_DEFAULT_S), ("5m", 300.0), (90, 90.0), (timedelta(hours=11), 39_600.0), ("11h50m", 42_600.0)],
)
def test_the_timeout_becomes_a_limit_in_seconds(timeout: str | float | timedelta | None, limit_s: float) -> None:
    worker = Worker("shop")

    @worker.job(timeout=timeout, attempts=3)
    def thumbnail() -> None: ...

    handler = worker.registry["thumbnail"]
    assert (handler.limit_s, handler.attempts_max) == (limit_s, 3)


@pytest.mark.parametrize("timeout", ["0s", 0.5, "12h", "soon", -5])
def test_a_timeout_that_cannot_be_kept_is_refused_by_name(timeout: str | float) -> None:
    with pytest.raises(SettingsError, match="'thumbnail'"):
        Worker("shop").job(name="thumbnail", timeout=timeout)(lambda: None)


@pytest.mark.parametrize("attempts", [0, -1, True, 2.5])
def test_attempts_are_a_whole_number(attempts: int) -> None:
    with pytest.raises(SettingsError, match="attempts"):
        Worker("shop").job(name="thumbnail", attempts=attempts)(lambda: None)


def test_an_isolated_job_runs_in_a_process_as_what_it_is() -> None:
    worker = Worker("shop")

    @worker.job(isolate=True)
    def crunches() -> None: ...

    @worker.job(isolate=True, memory="512MiB", recycle=100)
    async def waits() -> None: ...

    plain, coroutine = worker.registry["crunches"], worker.registry["waits"]
    assert (plain.runs, plain.runs_inside) == ("process", "thread")
    assert (coroutine.runs, coroutine.runs_inside) == ("process", "loop")
    assert (coroutine.memory_bytes, coroutine.recycle_after) == (512 * 1024 * 1024, 100)


def _yields() -> Iterator[int]:
    yield 1


async def _yields_slowly() -> AsyncIterator[int]:
    yield 1


def _positional(key: str, /) -> None: ...


def _star(*keys: str) -> None: ...


def _double_star(**keys: str) -> None: ...


def _late_context(key: str, ctx: Context) -> None: ...


class _Class:
    pass


@pytest.mark.parametrize(
    "function", [_yields, _yields_slowly, _positional, _star, _double_star, _late_context, _Class, dict.fromkeys]
)
def test_what_can_never_work_is_refused_where_it_is_declared(function: Callable[..., object]) -> None:
    with pytest.raises(JobError, match="'it'"):
        Worker("shop").job(name="it")(function)


def test_a_job_called_is_the_function_itself() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def double(number: int) -> int:
        """Return twice the number."""
        return number * 2

    @worker.job
    async def told(ctx: Context, word: str) -> str:
        return f"{word} {ctx.attempt}"

    context = Context(attempt(message("{}"), "told"))
    assert double(4) == 8
    assert asyncio.run(told(context, "again")) == "again 3"
    assert double.__doc__ == "Return twice the number."
    assert list(inspect.signature(double).parameters) == ["number"]
    assert outbox.messages == []


def test_the_handler_gets_its_context_first_and_arguments_by_name() -> None:
    worker = Worker("shop")
    got: list[object] = []

    @worker.job
    async def thumbnail(ctx: Context, key: str, *, width: int = 320) -> None:
        got.extend([ctx.message.message_id, key, width])

    assert outcome(worker, '{"key": "a", "width": "640"}', job="thumbnail") == SUCCEEDED
    assert got == ["message-1", "a", 640]


def test_a_type_that_only_type_checkers_know_is_an_error_with_the_remedy() -> None:
    """An alias of our Context that does not exist at run time could be anything: it is said, not guessed."""
    worker = Worker("shop")

    @worker.job
    def thumbnail(ctx: OnlyForTypeCheckers, key: str) -> None: ...

    with pytest.raises(JobError, match=r"thumbnail.*TYPE_CHECKING"):
        assert worker.registry


def test_a_name_unknown_at_run_time_is_ours_if_it_is_called_so() -> None:
    worker = Worker("shop")
    got: list[object] = []
    functions: dict[str, Callable[..., object]] = {}
    source = (
        "from __future__ import annotations\n"
        "def job(ctx: Context, key: str) -> None: note(ctx, key)\n"
        "def raw(message: Message) -> None: note(message, None)\n"
    )
    exec(source, {"note": lambda *given: got.append(given)}, functions)
    worker.job(functions["job"])
    worker.default(functions["raw"])

    assert outcome(worker, '{"key": "a"}', job="job") == SUCCEEDED
    assert outcome(worker, "any") == SUCCEEDED
    assert isinstance(cast("tuple[object, ...]", got[0])[0], Context)
    assert isinstance(cast("tuple[object, ...]", got[1])[0], Message)


def test_types_may_be_defined_further_down() -> None:
    worker = Worker("shop")
    scope: dict[str, Any] = {"worker": worker}
    exec(
        "from __future__ import annotations\n"
        "from pydantic import BaseModel\n"
        "@worker.job\n"
        "def thumbnail(size: Size) -> None: assert isinstance(size, Size)\n"
        "class Size(BaseModel):\n"
        "    width: int\n",
        scope,
    )

    assert outcome(worker, '{"size": {"width": 3}}', job="thumbnail") == SUCCEEDED


def test_partials_methods_and_callable_objects_can_be_jobs() -> None:
    worker = Worker("shop")
    got: list[object] = []

    class Thumbnails:
        def make(self, key: str) -> None:
            got.append(key)

        def __call__(self, ctx: Context, number: int) -> None:
            got.append(number)

    def scaled(factor: int, number: int) -> None:
        got.append(factor * number)

    worker.job(name="method")(Thumbnails().make)
    worker.job(name="object")(Thumbnails())
    worker.job(name="partial")(functools.partial(scaled, 10))

    assert outcome(worker, '{"key": "a"}', job="method") == SUCCEEDED
    assert outcome(worker, '{"number": "4"}', job="object") == SUCCEEDED
    assert outcome(worker, '{"number": "4"}', job="partial") == SUCCEEDED
    assert got == ["a", 4, 40]


def test_a_function_that_returns_a_coroutine_has_not_done_its_job() -> None:
    worker = Worker("shop")

    async def really() -> None: ...

    @worker.job
    def thumbnail() -> object:
        return really()

    ended = outcome(worker, "{}", job="thumbnail")

    assert isinstance(ended, Failed)
    assert "async def" in ended.message


def test_a_reject_of_the_handlers_own_reaches_its_outcome() -> None:
    worker = Worker("shop")

    @worker.job
    async def thumbnail() -> None:
        raise Reject("no such picture")

    assert outcome(worker, "{}", job="thumbnail") == Rejected("no such picture")


def test_options_travel_with_the_message() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def thumbnail(key: str) -> None: ...

    assert thumbnail.options(delay="1.2s", group="t1", dedupe="x").enqueue(key="b.png") == "id-0"
    assert asyncio.run(thumbnail.aenqueue(key="c.png")) == "id-1"

    first, second = outbox.messages
    assert (first.delay_s, first.group, first.dedupe) == (2, "t1", "x"), "SQS takes whole seconds: never too early"
    assert (second.delay_s, second.group, second.dedupe) == (0, None, None)


def test_a_delay_beyond_what_sqs_gives_is_refused() -> None:
    worker, _ = worker_with_outbox()

    @worker.job
    def thumbnail() -> None: ...

    with pytest.raises(SettingsError, match="15 minutes"):
        thumbnail.options(delay="16m")


def test_wrong_arguments_are_refused_before_anything_is_sent() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def thumbnail(key: str, width: int = 320) -> None: ...

    wrong = cast("Any", thumbnail)
    for arguments, named in (((), {}), (("a", 1, 2), {}), ((), {"key": "a", "height": 1})):
        with pytest.raises(TypeError, match="'thumbnail'"):
            wrong.enqueue(*arguments, **named)
    with pytest.raises(JobError, match="width: Input should be a valid integer"):
        wrong.enqueue("a", width=CANARY)
    assert outbox.messages == []


def test_a_message_that_is_too_large_is_refused_at_the_call() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def thumbnail(key: str) -> None: ...

    with pytest.raises(JobError, match=r"MessageTooLong.*S3"):
        thumbnail.enqueue(key="x" * 1_048_576)
    assert outbox.messages == []


def test_a_message_that_is_not_taken_is_an_error() -> None:
    worker = Worker("shop", queue=Queue("shop", sender=Outbox(refuses=frozenset({0}))))

    @worker.job
    def thumbnail() -> None: ...

    with pytest.raises(QueueError, match="ThrottlingException"):
        thumbnail.enqueue()


def test_arguments_are_in_no_repr() -> None:
    worker, _ = worker_with_outbox()

    @worker.job
    def thumbnail(key: str) -> None: ...

    call = thumbnail.call(key=CANARY)

    assert CANARY in call.message.body
    assert CANARY not in f"{call!r} {call.message!r} {thumbnail!r} {worker!r}"


def test_a_method_is_refused_since_its_self_cannot_travel() -> None:
    worker = Worker("shop")

    class Mailer:
        def send(self, to: str) -> None: ...

        @classmethod
        def send_all(cls, to: str) -> None: ...

    with pytest.raises(JobError, match=r"job 'Mailer\.send' is a method, and its 'self' cannot travel"):
        worker.job(Mailer.send)
    with pytest.raises(JobError, match="job 'send_all' is a class method"):
        worker.job(name="send_all")(vars(Mailer)["send_all"])
    worker.job(Mailer().send)
    worker.job(Mailer.send_all)


def test_a_batch_that_only_a_batch_handler_can_be_given_is_refused() -> None:
    worker = Worker("shop")

    @worker.job
    def ingest(items: Batch[int]) -> None: ...

    with pytest.raises(JobError, match=r"'items' is a batch, and only @worker\.batch gives one"):
        assert worker.registry
    with pytest.raises(JobError, match=r"'items' is a batch, and only @worker\.batch gives one"):
        ingest.enqueue(Batch.of([1]))
