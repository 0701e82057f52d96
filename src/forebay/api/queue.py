"""The producer's side: messages made from calls, and sent one by one or in batches.

Rules kept here and nowhere else:

1. A job on the wire is a UTF-8 JSON object of its arguments, and the String attribute `job` naming it. Nothing else.
2. What SQS would refuse is refused here, where the call was written, with the job's name.
3. A message that SQS has not taken is an error with its fault, never a silence: `QueueError` for one, `NotAllSent` for
   many, which says what became of each.
4. Batches go in the order of the calls, at most ten messages and 1 MiB each; only one is in memory at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from forebay.api.durations import Duration, seconds
from forebay.api.sending import Sender, SqsSender
from forebay.errors import Fault, FaultKind, JobError, QueueError, SettingsError
from forebay.model import JOB_ATTRIBUTE, MessageAttribute
from forebay.queue.contents import problem, size_bytes
from forebay.queue.port import BATCH_MAX, BODY_MAX_BYTES, Outgoing, Sent

DELAY_MAX_S = 900
"""15 minutes: the longest delay that SQS gives a message (facts/sqs.md section 2)."""

NAME_MAX = 200
"""Characters in a job's name. Names stand in log lines and metrics."""

OPERATION = "SendMessageBatch"


class NotAllSent(QueueError):
    """Some messages were not taken. `sent` says what became of each that was tried, in the order of the calls."""

    def __init__(self, sent: Sequence[Sent], fault: Fault) -> None:
        self.sent = tuple(sent)
        super().__init__(fault, operation=OPERATION)
        taken = sum(1 for one in sent if one.fault is None)
        self.args = (f"{OPERATION}: {taken} of {len(sent)} messages tried were taken; the last refusal: {fault}",)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one message is to be delivered."""

    delay_s: int = 0
    group: str | None = None
    dedupe: str | None = None

    @classmethod
    def of(cls, *, delay: Duration | None = None, group: str | None = None, dedupe: str | None = None) -> Delivery:
        """Return the checked wishes. Raises `SettingsError` for what SQS cannot do."""
        delay_s = 0 if delay is None else math.ceil(seconds("delay", delay))
        if delay_s > DELAY_MAX_S:
            raise SettingsError(f"delay={delay_s} s is over 15 minutes, the longest that SQS delays a message")
        return cls(delay_s=delay_s, group=group, dedupe=dedupe)


@dataclass(frozen=True, slots=True)
class Call:
    """A job with its arguments, not sent yet: what `job.call(…)` returns and `enqueue_many` takes."""

    job: str
    queue: Queue
    message: Outgoing = field(repr=False)


class Queue:
    """A queue to send jobs to, by URL or by name. All that a producer needs that cannot import the worker's code."""

    def __init__(self, address: str, *, sender: Sender | None = None) -> None:
        """`sender` is the way out, SQS when left out."""
        if not address.strip():
            raise SettingsError("a queue needs its URL or its name, but the address is empty")
        self.address = address
        self.sender: Sender = sender if sender is not None else SqsSender(address)

    def __repr__(self) -> str:
        return f"Queue({self.address!r})"

    def enqueue(self, job: str, /, **arguments: object) -> str:
        """Send a job and return its message id. Its code is not here, so nothing checks the arguments."""
        return enqueue_one(self.call(job, **arguments))

    async def aenqueue(self, job: str, /, **arguments: object) -> str:
        """Send a job from a coroutine and return its message id."""
        return await aenqueue_one(self.call(job, **arguments))

    def call(self, job: str, /, **arguments: object) -> Call:
        """Return the job with its arguments, for `enqueue_many`."""
        from forebay.api.arguments import write_untyped

        return call_of(check_name(job), self, write_untyped(job, arguments), Delivery())


def check_name(job: str) -> str:
    """Return the name if SQS can carry it. Raises `JobError`."""
    # Control characters are not allowed in a message, attributes included (facts/sqs.md section 2).
    if not job.strip() or len(job) > NAME_MAX or not job.isprintable():
        raise JobError(f"{job[:NAME_MAX]!r} cannot name a job: write 1 to {NAME_MAX} printable characters")
    return job


def call_of(job: str, queue: Queue, body: str, delivery: Delivery) -> Call:
    """Return the call as a message. Raises `JobError` when SQS would not take it."""
    message = Outgoing(
        body=body,
        attributes={JOB_ATTRIBUTE: MessageAttribute("String", job)},
        delay_s=delivery.delay_s,
        group=delivery.group,
        dedupe=delivery.dedupe,
    )
    fault = problem(message)
    if fault is not None:
        remedy = ". Put the large part into S3 and send its key" if fault.code == "MessageTooLong" else ""
        raise JobError(f"job {job!r} cannot be sent: {fault}{remedy}")
    return Call(job, queue, message)


def enqueue_one(call: Call) -> str:
    """Send one call and return its message id. Raises `QueueError`."""
    return _id_of(call.queue.sender.send([call.message])[0])


async def aenqueue_one(call: Call) -> str:
    """Send one call from a coroutine and return its message id. Raises `QueueError`."""
    return _id_of((await call.queue.sender.asend([call.message]))[0])


def enqueue_many(calls: Iterable[Call]) -> list[str]:
    """Send the calls in batches and return their message ids, in order. Raises `NotAllSent`."""
    sent: list[Sent] = []
    for queue, messages in _batches(calls):
        try:
            sent.extend(queue.sender.send(messages))
        except QueueError as error:
            raise _cut_short(sent, messages, error) from error
    return _ids_of(sent)


async def aenqueue_many(calls: Iterable[Call]) -> list[str]:
    """Send the calls in batches from a coroutine and return their message ids, in order. Raises `NotAllSent`."""
    sent: list[Sent] = []
    for queue, messages in _batches(calls):
        try:
            sent.extend(await queue.sender.asend(messages))
        except QueueError as error:
            raise _cut_short(sent, messages, error) from error
    return _ids_of(sent)


def _batches(calls: Iterable[Call]) -> Iterator[tuple[Queue, list[Outgoing]]]:
    """Yield runs of calls to one queue that fit into one request."""
    queue: Queue | None = None
    batch: list[Outgoing] = []
    held_bytes = 0
    for call in calls:
        call_bytes = size_bytes(call.message)
        is_full = len(batch) == BATCH_MAX or held_bytes + call_bytes > BODY_MAX_BYTES
        if queue is not None and batch and (is_full or call.queue is not queue):
            yield queue, batch
            batch, held_bytes = [], 0
        queue = call.queue
        batch.append(call.message)
        held_bytes += call_bytes
    if queue is not None and batch:
        yield queue, batch


def _cut_short(sent: Sequence[Sent], messages: Sequence[Outgoing], error: QueueError) -> NotAllSent:
    """The call as a whole failed: what was in it counts as refused, and the rest is not tried."""
    return NotAllSent([*sent, *(Sent(None, error.fault) for _ in messages)], error.fault)


def _ids_of(sent: Sequence[Sent]) -> list[str]:
    refused = [one.fault for one in sent if one.fault is not None]
    if refused:
        raise NotAllSent(sent, refused[-1])
    return [_id_of(one) for one in sent]


def _id_of(sent: Sent) -> str:
    if sent.fault is not None:
        raise QueueError(sent.fault, operation=OPERATION)
    if sent.message_id is None:
        raise QueueError(Fault(FaultKind.NO_ANSWER, "NoMessageId", "the answer names no message"), operation=OPERATION)
    return sent.message_id
