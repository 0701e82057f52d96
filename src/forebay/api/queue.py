"""The producer's side: messages made from calls, and sent one by one. `api.many` sends many.

Rules kept here and nowhere else:

1. A job on the wire is a UTF-8 JSON object of its arguments, and the String attribute `job` naming it. Nothing else,
   but the attributes that the sender adds.
2. What SQS would refuse is refused here, where the call was written, with the job's name.
3. A message that SQS has not taken is an error with its fault, never a silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Unpack

from forebay.api.delivery import Delivery, Wishes
from forebay.api.first_use import loaded
from forebay.api.sending import Sender, SqsSender, is_caught, sqs_sender
from forebay.api.texts import is_filled_text
from forebay.errors import Fault, FaultKind, JobError, QueueError, SettingsError
from forebay.model import JOB_ATTRIBUTE, MessageAttribute, hot_value
from forebay.queue.contents import problem_of_body
from forebay.queue.port import Outgoing, Sent, is_fifo

NAME_MAX = 200
"""Characters in a job's name. Names stand in log lines and metrics."""

OPERATION = "SendMessageBatch"


@hot_value
class Call:
    """A job with its arguments, not sent yet: what `job.call(…)` returns and `enqueue_many` takes."""

    job: str
    queue: Queue
    message: Outgoing = field(repr=False)
    around: tuple[Callable[..., Any], ...] = field(default=(), repr=False)
    """The worker's middleware around sending, the outermost first."""


class Queue:
    """A queue to send jobs to, by URL or by name. All that a producer needs that cannot import the worker's code."""

    def __init__(self, address: str, *, sender: Sender | None = None) -> None:
        """`sender` is the way out, SQS when left out."""
        if not is_filled_text(address):
            raise SettingsError(f"a queue needs its URL or its name, but {address!r} is neither")
        self.address = address
        self.sender: Sender = sender if sender is not None else sqs_sender(address)
        self._plain = Addressed(self, Delivery())

    def __repr__(self) -> str:
        return f"Queue({self.address!r})"

    def enqueue(self, job: str, /, **arguments: object) -> str:
        """Send a job and return its message id. Its code is not here, so nothing checks the arguments."""
        return self._plain.enqueue(job, **arguments)

    async def aenqueue(self, job: str, /, **arguments: object) -> str:
        """Send a job from a coroutine and return its message id."""
        return await self._plain.aenqueue(job, **arguments)

    def call(self, job: str, /, **arguments: object) -> Call:
        """Return the job with its arguments, for `enqueue_many`."""
        return self._plain.call(job, **arguments)

    def options(self, **wishes: Unpack[Wishes]) -> Addressed:
        """Return the queue with wishes for the delivery of what is sent: those of `job.options`."""
        return Addressed(self, Delivery.of(**wishes))


class Addressed:
    """A queue with wishes for the delivery, ready to be sent to."""

    def __init__(self, queue: Queue, delivery: Delivery) -> None:
        self._queue = queue
        self._delivery = delivery

    def enqueue(self, job: str, /, **arguments: object) -> str:
        """Send a job and return its message id."""
        return enqueue_one(self.call(job, **arguments))

    async def aenqueue(self, job: str, /, **arguments: object) -> str:
        """Send a job from a coroutine and return its message id."""
        await loaded("forebay.api.arguments", "pydantic_core")
        return await aenqueue_one(self.call(job, **arguments))

    def call(self, job: str, /, **arguments: object) -> Call:
        """Return the job with its arguments, for `enqueue_many`."""
        from forebay.api.arguments import write_untyped

        return call_of(check_name(job), self._queue, write_untyped(job, arguments), self._delivery)


def check_name(job: str) -> str:
    """Return the name if SQS can carry it. Raises `JobError`."""
    # Control characters are not allowed in a message, attributes included (facts/sqs.md section 2).
    if not is_filled_text(job) or len(job) > NAME_MAX or not job.isprintable():
        raise JobError(f"{job!r:.{NAME_MAX}} cannot name a job: write 1 to {NAME_MAX} printable characters")
    return job


def call_of(job: str, queue: Queue, body: str, delivery: Delivery, around: tuple[Callable[..., Any], ...] = ()) -> Call:
    """Return the call as a message. Raises `JobError` when SQS would not take it."""
    attributes = _naming(job) if not delivery.attributes else {**_naming(job), **delivery.attributes}
    message = Outgoing(body, attributes, delivery.wait_s(), delivery.group, delivery.dedupe)
    fault = problem_of_body(message)  # Its name has been checked, and what its delivery wishes.
    if fault is not None:
        remedy = ". Put the large part into S3 and send its key" if fault.code == "MessageTooLong" else ""
        raise JobError(f"job {job!r} cannot be sent: {fault}{remedy}")
    if isinstance(queue.sender, SqsSender) and not is_caught():  # A test's queue need not be named as the real one.
        _check_kind(job, queue.address, message)
    return Call(job, queue, message, around)


@lru_cache(maxsize=1024)
def _naming(job: str) -> Mapping[str, MessageAttribute]:
    """Return the attributes of a message that has no others, made once for each job."""
    return {JOB_ATTRIBUTE: MessageAttribute("String", job)}


def _check_kind(job: str, address: str, message: Outgoing) -> None:
    """Raise `JobError` for what this kind of queue does not take (facts/sqs.md section 2)."""
    if is_fifo(address):
        if message.group is None:
            raise JobError(f"job {job!r} cannot be sent: the FIFO queue {address!r} needs .options(group=…)")
        if message.delay_s:
            raise JobError(f"job {job!r} cannot be sent: a FIFO queue delays all of its messages alike, and none alone")
    elif message.dedupe is not None:
        raise JobError(f"job {job!r} cannot be sent: only FIFO queues know dedupe=…, and {address!r} is none")


def enqueue_one(call: Call) -> str:
    """Send one call and return its message id. Raises `QueueError`."""
    if call.around:
        from forebay.api.middleware import enqueue_around

        return enqueue_around(call)
    return id_of(call.queue.sender.send([call.message])[0])


async def aenqueue_one(call: Call) -> str:
    """Send one call from a coroutine and return its message id. Raises `QueueError`."""
    if call.around:
        from forebay.api.middleware import aenqueue_around

        return await aenqueue_around(call)
    return id_of((await call.queue.sender.asend([call.message]))[0])


def id_of(sent: Sent) -> str:
    """Return the message's id. Raises `QueueError` when it was not taken, or when nobody can say."""
    if sent.fault is not None:
        raise QueueError(sent.fault, operation=OPERATION)
    if sent.message_id is None:
        raise QueueError(Fault(FaultKind.NO_ANSWER, "NoMessageId", "the answer names no message"), operation=OPERATION)
    return sent.message_id
