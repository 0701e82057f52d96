"""Middleware around sending: what it sees and changes, for one message and for many, from threads and coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import ContextVar

import pytest
from tests.api.calling import Outbox

from forebay import (
    Job,
    JobError,
    NotAllSent,
    Queue,
    QueueError,
    Sending,
    SettingsError,
    Worker,
    aenqueue_many,
    enqueue_many,
)
from forebay.queue.port import Outgoing, Sent

TRACE: ContextVar[str] = ContextVar("trace", default="none")


def shop(*, refuses: frozenset[int] = frozenset()) -> tuple[Worker, Job[[int], [int], None], Outbox]:
    outbox = Outbox(refuses=refuses)
    worker = Worker("shop", queue=Queue("shop", sender=outbox))

    @worker.job
    def work(order: int) -> None: ...

    return worker, work, outbox


def sync(job: Job[[int], [int], None], *orders: int) -> list[str]:
    return [job.enqueue(order) for order in orders]


def from_coroutine(job: Job[[int], [int], None], *orders: int) -> list[str]:
    async def send() -> list[str]:
        return [await job.aenqueue(order) for order in orders]

    return asyncio.run(send())


def many(job: Job[[int], [int], None], *orders: int) -> list[str]:
    return enqueue_many(job.call(order) for order in orders)


def many_from_coroutine(job: Job[[int], [int], None], *orders: int) -> list[str]:
    return asyncio.run(aenqueue_many(job.call(order) for order in orders))


Send = Callable[..., list[str]]
WAYS: list[Send] = [sync, from_coroutine, many, many_from_coroutine]


@pytest.mark.parametrize("send", WAYS)
def test_each_message_is_seen_and_may_be_changed_and_its_id_is_known_afterwards(send: Send) -> None:
    worker, work, outbox = shop()
    log: list[str] = []

    @worker.around_enqueue
    def outer(sending: Sending) -> Iterator[None]:
        sending.attributes["trace"] = TRACE.get()
        sending.attributes["weight"] = 3
        yield
        log.append(f"{sending.job} {sending.message_id} to {sending.queue}")

    @worker.around_enqueue
    async def inner(sending: Sending) -> AsyncIterator[None]:
        await asyncio.sleep(0)
        sending.delay = "1m"
        sending.group = str(sending.attributes["trace"])
        yield

    token = TRACE.set("abc")
    try:
        assert send(work, 1, 2) == ["id-0", "id-1"]
    finally:
        TRACE.reset(token)

    assert log == ["work id-0 to shop", "work id-1 to shop"]
    for order, message in enumerate(outbox.messages, 1):
        assert message.body == f'{{"order":{order}}}'
        attributes = {name: (one.data_type, one.value) for name, one in message.attributes.items()}
        assert attributes == {"job": ("String", "work"), "trace": ("String", "abc"), "weight": ("Number", "3")}
        assert (message.delay_s, message.group) == (60, "abc")


@pytest.mark.parametrize("send", [sync, from_coroutine])
def test_a_refusal_is_raised_at_the_yield_and_cannot_be_made_to_vanish(send: Send) -> None:
    worker, work, _ = shop(refuses=frozenset({0}))
    seen: list[str] = []

    @worker.around_enqueue
    def forgets(sending: Sending) -> Iterator[None]:
        try:
            yield
        except QueueError as error:
            seen.append(f"{error.fault.kind.value} {sending.message_id}")

    with pytest.raises(QueueError):
        send(work, 1)
    assert seen == ["throttled None"]


@pytest.mark.parametrize("send", [many, many_from_coroutine])
def test_of_many_each_sees_its_own_end(send: Send) -> None:
    worker, work, _ = shop(refuses=frozenset({1}))
    seen: list[str] = []

    @worker.around_enqueue
    async def counts(sending: Sending) -> AsyncIterator[None]:
        try:
            yield
        except QueueError:
            seen.append("refused")
            raise
        seen.append(str(sending.message_id))

    with pytest.raises(NotAllSent) as raised:
        send(work, 1, 2, 3)
    assert seen == ["id-0", "refused", "id-2"]
    assert raised.value.ids == ("id-0", None, "id-2")


@pytest.mark.parametrize("send", [many, many_from_coroutine])
@pytest.mark.parametrize("is_before", [True, False])
def test_what_a_middleware_raises_among_many_ends_the_sending_and_loses_no_report(send: Send, is_before: bool) -> None:
    worker, work, outbox = shop()
    seen = [0]

    @worker.around_enqueue
    def breaks(sending: Sending) -> Iterator[None]:
        seen[0] += 1
        is_third = seen[0] == 3
        if is_third and is_before:
            raise ValueError
        yield
        if is_third and not is_before:
            raise ValueError

    with pytest.raises(NotAllSent, match="ValueError") as raised:
        send(work, 1, 2, 3, 4)
    sent = 2 if is_before else 4
    assert raised.value.ids == tuple(f"id-{number}" for number in range(sent))
    assert len(outbox.messages) == sent
    assert isinstance(raised.value.__cause__, ValueError)


@pytest.mark.parametrize("send", [sync, from_coroutine])
def test_a_middleware_that_raises_before_the_yield_keeps_the_message_from_being_sent(send: Send) -> None:
    worker, work, outbox = shop()
    log: list[str] = []

    @worker.around_enqueue
    def outer(sending: Sending) -> Iterator[None]:
        try:
            yield
        except PermissionError:
            log.append("outer saw it")
            raise

    @worker.around_enqueue
    def refuses(sending: Sending) -> Iterator[None]:
        if sending.message_id is None:
            raise PermissionError
        yield

    with pytest.raises(PermissionError):
        send(work, 1)
    assert (outbox.messages, log) == ([], ["outer saw it"])


@pytest.mark.parametrize("send", [sync, from_coroutine])
@pytest.mark.parametrize(
    ("name", "value"), [("job", "another"), ("forebay.v", "2"), ("flag", True)], ids=["job", "ours", "bool"]
)
def test_a_change_that_sqs_or_the_wire_format_does_not_allow_is_an_error(send: Send, name: str, value: str) -> None:
    worker, work, outbox = shop()

    @worker.around_enqueue
    def changes(sending: Sending) -> Iterator[None]:
        sending.attributes[name] = value
        yield

    with pytest.raises((SettingsError, JobError), match=f"'{name}'"):
        send(work, 1)
    assert outbox.messages == []


def test_asynchronous_middleware_of_a_plain_thread_keeps_its_context_from_step_to_step() -> None:
    worker, work, _ = shop()
    seen: list[str] = []

    @worker.around_enqueue
    async def traced(sending: Sending) -> AsyncIterator[None]:
        token = TRACE.set("inside")
        seen.append(threading.current_thread().name)
        yield
        seen.append(TRACE.get())
        TRACE.reset(token)

    assert work.enqueue(1) == "id-0"
    assert seen == ["forebay producer", "inside"]


@pytest.mark.parametrize("send", WAYS)
def test_what_ends_the_sending_itself_is_seen_by_all_that_were_entered(send: Send) -> None:
    class Broken(Outbox):
        def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
            raise SettingsError("no such profile")

    worker = Worker("shop", queue=Queue("shop", sender=Broken()))
    seen: list[str] = []

    @worker.job
    def work(order: int) -> None: ...

    @worker.around_enqueue
    def sees(sending: Sending) -> Iterator[None]:
        try:
            yield
        except SettingsError:
            seen.append(sending.job)

    with pytest.raises(SettingsError, match="no such profile"):
        send(work, 1)
    assert seen == ["work"]


def test_asynchronous_middleware_that_blocks_for_another_send_is_an_error_and_no_standstill() -> None:
    worker, work, outbox = shop()

    @worker.around_enqueue
    async def audited(sending: Sending) -> AsyncIterator[None]:
        if sending.job == "work":
            audit.enqueue(1)
        yield

    @worker.job
    def audit(order: int) -> None: ...

    with pytest.raises(JobError, match="in asynchronous middleware use aenqueue"):
        work.enqueue(1)
    assert outbox.messages == []


def test_a_worker_without_middleware_sends_as_before() -> None:
    _, work, _ = shop()

    assert work.call(1).around == ()
    assert "around" not in repr(work.call(1))
