"""Batch handlers: items read one by one, ends of their own, and everything else around the whole call."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from pydantic import BaseModel
from tests.api.calling import CANARY, message, worker_with_outbox

from forebay import Batch, Context, Depends, JobError, Message, Reject, RetryLater, SettingsError, Worker, enqueue_many
from forebay.handlers.batches import ends_of
from forebay.handlers.failure import outcome_of
from forebay.handlers.registry import DEFAULT
from forebay.model import SUCCEEDED, Attempt, Failed, Outcome, Postponed, Rejected, Signals


class Event(BaseModel):
    """An item."""

    number: int


def attempts_of(job: str, *bodies: str) -> list[Attempt]:
    return [Attempt(n, job, message(body, job=job), 60.0, Signals(), batch=4) for n, body in enumerate(bodies, 1)]


def ends(worker: Worker, job: str, *bodies: str, attempts: Sequence[Attempt] = ()) -> list[Outcome]:
    """Run a batch as an executor does."""
    attempts = attempts or attempts_of(job, *bodies)
    call: Any = worker.registry[job].call
    try:
        result: Any = call(attempts)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except BaseException as error:  # noqa: BLE001 - an executor takes whatever comes
        return ends_of(error, attempts, outcome_of)
    assert isinstance(result, list)
    return result  # pyright: ignore[reportUnknownVariableType]


def numbered(*numbers: int) -> list[str]:
    return [f'{{"number": {number}}}' for number in numbers]


@pytest.fixture(params=["loop", "thread"])
def shop(request: pytest.FixtureRequest) -> tuple[Worker, list[Batch[Event]], list[Any]]:
    """A worker with batch job `ingest` on loop or thread, the batches it was called with, and what it is to do."""
    worker, _ = worker_with_outbox()
    batches: list[Batch[Event]] = []
    acts: list[Any] = []

    def work(items: Batch[Event]) -> None:
        batches.append(items)
        for act in acts:
            act(items)

    if request.param == "loop":

        @worker.batch(name="ingest", size=3)
        async def on_loop(items: Batch[Event]) -> None:
            work(items)
    else:

        @worker.batch(name="ingest", size=3)
        def on_thread(items: Batch[Event]) -> None:
            work(items)

    return worker, batches, acts


Shop = tuple[Worker, list[Batch[Event]], list[Any]]


def test_all_items_succeed_when_the_handler_returns(shop: Shop) -> None:
    worker, batches, _ = shop

    assert ends(worker, "ingest", *numbered(1, 2)) == [SUCCEEDED, SUCCEEDED]

    [batch] = batches
    assert [item.number for item in batch] == [1, 2]
    assert [one.body for one in batch.messages] == numbered(1, 2)
    assert worker.registry["ingest"].batch is not None


def test_an_item_that_does_not_fit_is_rejected_alone_and_is_not_in_the_batch(shop: Shop) -> None:
    worker, batches, _ = shop

    outcomes = ends(worker, "ingest", '{"number": 1}', f'{{"number": "{CANARY}"}}', "nonsense", '{"number": 4}')

    assert [type(outcome) for outcome in outcomes] == [type(SUCCEEDED), Rejected, Rejected, type(SUCCEEDED)]
    assert CANARY not in repr(outcomes)
    assert [item.number for item in batches[0]] == [1, 4]


def test_a_handler_is_not_called_when_no_item_is_left(shop: Shop) -> None:
    worker, batches, _ = shop

    assert [type(outcome) for outcome in ends(worker, "ingest", "no", "neither")] == [Rejected, Rejected]
    assert batches == []


def test_items_fail_on_their_own_with_what_was_given_and_the_last_word_counts(shop: Shop) -> None:
    worker, _, acts = shop
    acts += [
        lambda items: items.fail(0, ValueError(CANARY)),
        lambda items: items.fail(1, Reject("too old")),
        lambda items: items.fail(2, "first word"),
        lambda items: items.fail(2, RetryLater("5s")),
        lambda items: items.fail(-1, f"only words {CANARY}"),
    ]

    failed, rejected, postponed, fine, in_words = ends(worker, "ingest", *numbered(1, 2, 3, 4, 5))

    assert isinstance(failed, Failed)
    assert failed.error == "ValueError"
    assert (rejected, postponed, fine) == (Rejected("too old"), Postponed(5.0), SUCCEEDED)
    assert isinstance(in_words, Failed)
    assert in_words.error == "forebay.api.batch.ItemFailed"
    assert CANARY not in repr([failed, in_words])


def test_what_the_handler_raises_is_the_end_of_every_item_without_one_of_its_own(shop: Shop) -> None:
    worker, _, acts = shop

    def gives_up(items: Batch[Event]) -> None:
        items.fail(2, Reject("own"))
        raise ConnectionError from OSError("kept")

    acts.append(gives_up)

    first, unfit, second, own = ends(worker, "ingest", *numbered(1), "unfit", *numbered(3, 4))

    assert first == second
    assert isinstance(first, Failed)
    assert first.error == "ConnectionError"
    assert "kept" in first.traceback
    assert isinstance(unfit, Rejected)
    assert own == Rejected("own")


def test_an_answer_that_is_raised_is_the_answer_for_all(shop: Shop) -> None:
    worker, _, acts = shop

    def later(items: Batch[Event]) -> None:
        raise RetryLater("1m")

    acts.append(later)

    assert ends(worker, "ingest", *numbered(1, 2)) == [Postponed(60.0), Postponed(60.0)]


def test_nothing_can_be_said_after_the_handler_has_ended_or_of_an_item_that_is_not_there(shop: Shop) -> None:
    worker, batches, acts = shop
    raised: list[BaseException] = []

    def out_of_range(items: Batch[Event]) -> None:
        with pytest.raises(IndexError) as error:
            items.fail(2, "there is none")
        raised.append(error.value)

    acts.append(out_of_range)

    assert ends(worker, "ingest", *numbered(1, 2)) == [SUCCEEDED, SUCCEEDED]

    assert len(raised) == 1
    with pytest.raises(JobError, match="the handler has ended"):
        batches[0].fail(0, "too late")


def test_an_item_fails_with_a_class_as_raise_would_have_it_and_with_nothing_else() -> None:
    worker, _ = worker_with_outbox()
    refused: list[str] = []

    @worker.batch
    def ingest(items: Batch[int]) -> None:
        items.fail(0, RetryLater)
        try:
            items.fail(1, cast("Any", None))
        except JobError as error:
            refused.append(str(error))

    first, second = ends(worker, "ingest", "1", "2")

    assert isinstance(first, Postponed)
    assert second == SUCCEEDED
    assert refused == ["fail() was given a value of type NoneType: give it an exception, or a text"]


def test_each_item_has_a_lease_of_its_own_and_the_batch_one_end(shop: Shop) -> None:
    worker, batches, _ = shop
    attempts = attempts_of("ingest", *numbered(1, 2))
    attempts[1].signals.lease_lost = True

    ends(worker, "ingest", attempts=attempts)

    [batch] = batches
    assert [batch.lease_lost(0), batch.lease_lost(1)] == [False, True]
    assert not batch.stopping
    attempts[0].signals.stopping = True
    assert batch.stopping


def test_the_context_of_a_batch_speaks_for_all_of_it() -> None:
    worker, _ = worker_with_outbox()
    asked: list[tuple[int, float]] = []
    seen: list[Any] = []

    @worker.batch()
    def ingest(ctx: Context, items: Batch[Event]) -> None:
        ctx.extend("10m")
        seen.extend([ctx.messages == items.messages, ctx.message.body, dict(ctx.log.extra or {}), repr(ctx), ctx.state])
        with pytest.raises(JobError, match="a batch has no state"):
            ctx.checkpoint(1)

    attempts = attempts_of("ingest", *numbered(1, 2))
    for attempt in attempts:
        attempt.signals.extend = lambda number, limit_s: asked.append((number, limit_s))

    assert ends(worker, "ingest", attempts=attempts) == [SUCCEEDED, SUCCEEDED]
    assert asked == [(1, 600.0), (2, 600.0)]
    assert seen == [
        True, '{"number": 1}', {"job": "ingest", "batch": 4}, "<Context job='ingest' of a batch of 2>", None
    ]  # fmt: skip


def test_middleware_and_dependencies_are_around_the_call_once() -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    @worker.around_attempt
    def counted(ctx: Context) -> Iterator[None]:
        log.append(f"before {len(ctx.messages)}")
        yield
        log.append("after")

    def connection() -> Iterator[str]:
        yield "connection"
        log.append("closed")

    @worker.batch()
    async def ingest(items: Batch[Event], db: str = Depends(connection)) -> None:
        log.append(f"{db} for {len(items)}")

    assert ends(worker, "ingest", *numbered(1), "unfit", *numbered(3))[::2] == [SUCCEEDED, SUCCEEDED]
    assert log == ["before 2", "connection for 2", "closed", "after"]


@pytest.mark.parametrize("body", ['{"number": 1}', "[1, 2]", "text"])
def test_a_default_batch_gets_whole_messages_that_name_no_job(body: str) -> None:
    worker, _ = worker_with_outbox()
    got: list[Message] = []

    @worker.batch(default=True)
    def everything(items: Batch[Message]) -> None:
        got.extend(items)

    assert ends(worker, DEFAULT, body) == [SUCCEEDED]
    assert [one.body for one in got] == [body]
    with pytest.raises(JobError, match="cannot be sent"):
        everything.enqueue(got[0])


def test_one_item_is_sent_as_the_whole_body_and_read_back() -> None:
    worker, outbox = worker_with_outbox()
    got: list[object] = []

    @worker.batch()
    def models(items: Batch[Event]) -> None:
        got.extend(items)

    @worker.batch()
    def texts(items: Batch[str]) -> None:
        got.extend(items)

    @worker.batch()
    def raw(items: Batch[bytes]) -> None:
        got.extend(items)

    models.enqueue(Event(number=7))
    texts.options(delay="5s").enqueue('a "text"')
    enqueue_many(raw.call(item) for item in (b"\x00\xff",))

    sent = [(one.attributes["job"].value, one.body) for one in outbox.messages]
    assert sent[:2] == [("models", '{"number":7}'), ("texts", '"a \\"text\\""')]
    for job, body in sent:
        assert ends(worker, str(job), body) == [SUCCEEDED]
    assert got == [Event(number=7), 'a "text"', b"\x00\xff"]


def test_an_item_that_does_not_fit_is_not_sent_and_its_value_not_told() -> None:
    worker, outbox = worker_with_outbox()

    @worker.batch()
    def ingest(items: Batch[Event]) -> None: ...

    with pytest.raises(JobError, match="number: ") as raised:
        ingest.enqueue({"number": CANARY})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="one item at a time"):
        ingest.enqueue(Event(number=1), Event(number=2))  # type: ignore[call-arg]

    assert CANARY not in str(raised.value)
    assert outbox.messages == []


def test_a_batch_handler_is_called_directly_with_a_batch_made_of_items() -> None:
    worker, _ = worker_with_outbox()

    @worker.batch()
    def ingest(items: Batch[Event]) -> int:
        items.fail(1, "no")
        return sum(item.number for item in items)

    batch = Batch.of([Event(number=1), Event(number=2)])

    assert ingest(batch) == 3
    assert [type(error).__name__ for error in batch.failures.values()] == ["ItemFailed"]
    assert list(batch.failures) == [1]
    assert batch[0:1] == (Event(number=1),)
    with pytest.raises(JobError, match="never called without items"):
        Batch.of([])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"size": 0}, "size=0"),
        ({"size": True}, "size=True"),
        ({"linger": "6m"}, "linger=360 s"),
        ({"linger": "soon"}, "linger of batch job 'ingest'"),
        ({"default": True, "name": "own"}, "name"),
    ],
)
def test_settings_that_make_no_sense_are_refused_where_they_are_written(settings: dict[str, Any], told: str) -> None:
    worker, _ = worker_with_outbox()

    def ingest(items: Batch[Event]) -> None: ...

    with pytest.raises((SettingsError, TypeError), match=told):
        worker.batch(**settings)(ingest)


def test_a_batch_handler_without_a_batch_is_refused() -> None:
    worker, _ = worker_with_outbox()

    def ingest(items: list[Event]) -> None: ...

    worker.batch()(ingest)  # type: ignore[arg-type]
    with pytest.raises(JobError, match=r"needs one parameter that is a batch, such as `items: Batch\[Event\]`"):
        _ = worker.registry


def test_fields_of_an_item_are_its_models_business() -> None:
    worker, _ = worker_with_outbox()

    @worker.batch(unknown="reject")
    def ingest(items: Batch[Event]) -> None: ...

    with pytest.raises(JobError, match="an item knows its fields itself"):
        _ = worker.registry


def test_a_name_is_taken_by_batches_too() -> None:
    worker, _ = worker_with_outbox()

    @worker.job
    def ingest(number: int) -> None: ...

    with pytest.raises(JobError, match="two jobs of worker 'shop' are named 'ingest'"):

        @worker.batch(name="ingest")
        def other(items: Batch[Event]) -> None: ...
