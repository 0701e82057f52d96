"""Middleware around sending: what it sees of a message that leaves, and what it may change.

Rules kept here and nowhere else:

1. It is entered once for each message, when its call is about to be sent, and left when SQS has answered for it: with
   the message id, or with the error, which it may turn into another but not make vanish.
2. What it changes is checked as if it had been written in `options(…)`. The arguments are not its business.
3. Asynchronous middleware runs on the caller's event loop; for a plain thread on the private loop of producers, which
   the thread waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from dataclasses import replace
from typing import Any, TypeVar

from forebay.api.callables import told
from forebay.api.delivery import AttributeValue, Delivery
from forebay.api.durations import Duration
from forebay.api.generators import Opened, Steps, finished, here
from forebay.api.queue import Call, call_of, id_of
from forebay.errors import QueueError
from forebay.model import JOB_ATTRIBUTE
from forebay.queue.port import Outgoing, Sent

_T = TypeVar("_T")


class Sending:
    """A message on its way, as `@worker.around_enqueue` sees it."""

    __slots__ = ("_before", "attributes", "dedupe", "delay", "group", "job", "message_id", "queue")

    def __init__(self, call: Call) -> None:
        message = call.message
        self.job = call.job
        self.queue = call.queue.address
        """The queue's URL, or its name."""
        self.delay: Duration = message.delay_s
        """How long the message is hidden first: seconds, or as in `options(delay=…)`."""
        self.group = message.group
        self.dedupe = message.dedupe
        self.attributes: dict[str, AttributeValue] = {
            name: value for name, value in message.attributes.items() if name != JOB_ATTRIBUTE
        }
        """Message attributes beside the job's name. Text, numbers and bytes can be added."""
        self.message_id: str | None = None
        """Known after the `yield`."""
        self._before = self._wishes()

    def __repr__(self) -> str:
        return f"<Sending job={self.job!r} queue={self.queue!r}>"

    def changed(self, call: Call) -> Call:
        """Return the call as it is to be sent now. Raises `SettingsError` and `JobError` for what SQS does not take."""
        wishes = self._wishes()
        if wishes == self._before:
            return call
        delay, group, dedupe, attributes = wishes
        delivery = Delivery.of(delay=delay, group=group, dedupe=dedupe, attributes=attributes)
        return replace(call_of(call.job, call.queue, call.message.body, delivery), around=call.around)

    def _wishes(self) -> tuple[Duration, str | None, str | None, Mapping[str, AttributeValue]]:
        return self.delay, self.group, self.dedupe, dict(self.attributes)


class Underway:
    """A call whose middleware has been entered, and is to be left when the call has been answered for."""

    def __init__(self, call: Call, sending: Sending, opened: Opened) -> None:
        self.call = call
        self._sending = sending
        self._opened = opened

    async def leave(self, answer: Sent | BaseException) -> str:
        """Return the message id. Raises what is left to be raised when each middleware has seen it."""
        error: BaseException | None = None
        if isinstance(answer, BaseException):
            error = answer
        else:
            try:
                self._sending.message_id = id_of(answer)
            except QueueError as refused:
                error = refused
        error = await self._opened.leave(error)
        if error is not None:
            try:
                raise error
            finally:
                del error  # Its traceback has this frame, which would keep it alive.
        assert self._sending.message_id is not None
        return self._sending.message_id

    async def abandon(self, error: BaseException) -> None:
        """Let each middleware see what has ended the sending. It is raised anyway, by whoever calls this."""
        await self._opened.leave(error)


async def entered(call: Call, step: Steps) -> Underway:
    """Enter the middleware of `call`. Raises what one of them raises; those before it have seen it then."""
    sending = Sending(call)
    opened = Opened(step)
    try:
        for middleware in call.around:
            await opened.enter(middleware(sending), f"middleware {told(middleware)!r}")
        return Underway(sending.changed(call), sending, opened)
    except BaseException as error:
        left = await opened.leave(error)
        if left is not error and left is not None:
            raise left from None
        raise


def on_private_loop() -> Steps:
    """Return how a plain thread carries out steps: on the private loop of producers, all in one copy of its context."""
    context = copy_context()

    async def carried(one: Coroutine[Any, Any, _T]) -> _T:
        return await asyncio.get_running_loop().create_task(one, context=context)

    async def step(one: Coroutine[Any, Any, _T]) -> _T:
        from forebay.queue.sender import in_private_loop

        try:
            return in_private_loop(carried(one))
        finally:
            one.close()  # It has ended, or never began.

    return step


def enqueue_around(call: Call) -> str:
    """Send one call within its middleware and return its message id."""

    async def send(message: Outgoing) -> Sent:
        return call.queue.sender.send([message])[0]

    return finished(_carried(call, on_private_loop(), send))


async def aenqueue_around(call: Call) -> str:
    """Send one call within its middleware, from a coroutine, and return its message id."""

    async def send(message: Outgoing) -> Sent:
        return (await call.queue.sender.asend([message]))[0]

    return await _carried(call, here, send)


async def _carried(call: Call, step: Steps, send: Callable[[Outgoing], Coroutine[Any, Any, Sent]]) -> str:
    underway = await entered(call, step)
    try:
        answer: Sent | BaseException = await send(underway.call.message)
    except BaseException as error:  # noqa: BLE001 - `leave` raises it, when each middleware has seen it
        answer = error
    return await underway.leave(answer)
