"""What the tests of declared jobs share: a queue in memory, and a handler called as an executor calls it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping, Sequence

from forebay import Queue, Worker
from forebay.errors import Fault, FaultKind
from forebay.handlers.failure import outcome_of
from forebay.handlers.registry import DEFAULT
from forebay.model import SUCCEEDED, Attempt, Message, MessageAttribute, Outcome
from forebay.queue.port import Outgoing, Sent

CANARY = "canary-7f3a"


class Outbox:
    """A `Sender` that keeps what it is given."""

    def __init__(self, *, refuses: frozenset[int] = frozenset()) -> None:
        self.batches: list[Sequence[Outgoing]] = []
        self._refuses = refuses

    @property
    def messages(self) -> list[Outgoing]:
        return [message for batch in self.batches for message in batch]

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        first = len(self.messages)
        self.batches.append(list(messages))
        return [self._answer(first + index) for index in range(len(messages))]

    async def asend(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        await asyncio.sleep(0)
        return self.send(messages)

    def _answer(self, number: int) -> Sent:
        if number in self._refuses:
            return Sent(None, Fault(FaultKind.THROTTLED, "ThrottlingException"))
        return Sent(f"id-{number}", None)


def worker_with_outbox() -> tuple[Worker, Outbox]:
    outbox = Outbox()
    return Worker("shop", queue=Queue("shop", sender=outbox)), outbox


def message(body: str, *, job: str | None = None, attributes: Mapping[str, MessageAttribute] | None = None) -> Message:
    named = {"job": MessageAttribute("String", job)} if job is not None else {}
    return Message("queue", "message-1", "receipt", body, receive_count=3, attributes={**named, **(attributes or {})})


def attempt(one: Message, job: str) -> Attempt:
    return Attempt(1, job, one, limit_s=60.0)


def outcome(worker: Worker, body: str, *, job: str = DEFAULT) -> Outcome:
    """Run the handler of `job` on a body, as an executor does."""
    handler = worker.registry[job]
    try:
        result = handler.call(attempt(message(body, job=job), job))
        if inspect.iscoroutine(result):
            asyncio.run(result)
    except BaseException as error:  # noqa: BLE001 - an executor takes whatever comes
        return outcome_of(error)
    return SUCCEEDED
