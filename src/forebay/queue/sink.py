"""How messages go to one queue: in batches, side by side, again where that may be.

Rules kept here and nowhere else:

1. Messages go in batches of at most ten and at most 1 MiB; to a FIFO queue in the order given. One that SQS would
   refuse is refused here, alone, so that its siblings go.
2. What is known not to have been carried out is sent again, up to `ATTEMPTS_MAX` times. What may have been is sent
   again only if SQS will notice (`dedupe`): a producer must not double its jobs by itself. To a FIFO queue nothing is
   sent again that a later one of its group has overtaken.
3. A queue that has not taken a batch for a reason that holds for the next one too is not asked any further, and a FIFO
   queue after any refusal: the rest is `NOT_TRIED`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator, Sequence

from forebay.errors import FaultKind, QueueError
from forebay.queue.calls import Caller
from forebay.queue.contents import problem, size_bytes
from forebay.queue.keyring import Notify, ignore
from forebay.queue.port import BATCH_MAX, BODY_MAX_BYTES, NOT_TRIED, Outgoing, Sent, is_fifo
from forebay.queue.resolve import ClientConfig
from forebay.queue.wire import SqsClient

ATTEMPTS_MAX = 4
"""Tries of one batch: three waits of a tenth to under a second, as the AWS SDKs do."""

FIRST_PAUSE_S = 0.1

LANES_MAX = 8
"""Batches sent at once to a standard queue: at 10 ms each, 8,000 messages a second."""

_UNKNOWN = Sent(None, None)
"""What is not answered for yet."""


def batches(sizes: Sequence[int], indexes: Iterable[int]) -> Iterator[list[int]]:
    """Group `indexes`, in order, into batches that SQS takes. `sizes` are the messages' sizes in bytes."""
    batch: list[int] = []
    batch_bytes = 0
    for index in indexes:
        size = sizes[index]
        if batch and (len(batch) == BATCH_MAX or batch_bytes + size > BODY_MAX_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(index)
        batch_bytes += size
    if batch:
        yield batch


class SqsSink:
    """Sends to one SQS queue. Implements `queue.port.Sink`. Used on one event loop only."""

    def __init__(self, queue_url: str, client: SqsClient, *, dice: random.Random | None = None) -> None:
        self._queue_url = queue_url
        self._client = client
        self._keeps_order = is_fifo(queue_url)
        self._dice = dice if dice is not None else random.Random()

    @classmethod
    def open(cls, queue_url: str, config: ClientConfig, *, notify: Notify = ignore) -> SqsSink:
        """Return a sink with a client of its own. Nothing is looked up or opened before the first send."""
        return cls(queue_url, SqsClient(Caller.from_config(queue_url, config, notify=notify)))

    @property
    def queue_url(self) -> str:
        return self._queue_url

    @property
    def client(self) -> SqsClient:
        """The client in use; its `caller.tally` counts the requests."""
        return self._client

    async def send(self, messages: Sequence[Outgoing], *, are_checked: bool = False) -> Sequence[Sent]:
        """Send any number of messages; the answer has one `Sent` for each, in order.

        `are_checked`: the caller has asked for each one's `problem` already.
        """
        sizes = [size_bytes(message) for message in messages]
        results = [_UNKNOWN] * len(messages)
        if not are_checked:
            results = [Sent(None, problem(message, size)) for message, size in zip(messages, sizes, strict=True)]
        good = [index for index, result in enumerate(results) if result.fault is None]
        waiting = batches(sizes, good)
        trouble = _Trouble(keeps_order=self._keeps_order)

        async def lane() -> None:
            for batch in waiting:
                if trouble.is_final:
                    answers: Sequence[Sent] = [Sent(None, NOT_TRIED)] * len(batch)
                else:
                    answers = await self._send_batch([messages[index] for index in batch])
                    trouble.look_at(answers)
                for index, sent in zip(batch, answers, strict=True):
                    results[index] = sent

        # A FIFO queue keeps the order in which batches arrive, so there is one at a time.
        lanes = 1 if self._keeps_order else min(LANES_MAX, len(good) // BATCH_MAX + 1)
        await asyncio.gather(*(lane() for _ in range(lanes)))
        return results

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _send_batch(self, batch: Sequence[Outgoing]) -> Sequence[Sent]:
        results = [_UNKNOWN] * len(batch)
        left = list(range(len(batch)))
        for attempt in range(1, ATTEMPTS_MAX + 1):
            answers = await self._try([batch[index] for index in left])
            for index, sent in zip(left, answers, strict=True):
                results[index] = sent
            left = [index for index in left if self._may_repeat(index, batch, results)]
            if not left or attempt == ATTEMPTS_MAX:
                break
            await asyncio.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1) * self._dice.uniform(0.5, 1.5))
        return results

    async def _try(self, batch: Sequence[Outgoing]) -> Sequence[Sent]:
        try:
            return await self._client.send_message_batch(
                self._queue_url, batch, is_repeatable=all(message.dedupe is not None for message in batch)
            )
        except QueueError as error:
            return [Sent(None, error.fault)] * len(batch)

    def _may_repeat(self, index: int, batch: Sequence[Outgoing], results: Sequence[Sent]) -> bool:
        fault, message = results[index].fault, batch[index]
        if fault is None or not fault.kind.is_transient:
            return False
        if fault.kind is FaultKind.NO_ANSWER and message.dedupe is None:
            return False
        return not self._keeps_order or not any(
            later.fault is None and other.group == message.group
            for other, later in zip(batch[index + 1 :], results[index + 1 :], strict=True)
        )


class _Trouble:
    """Whether a queue that did not take a batch will take the next one."""

    def __init__(self, *, keeps_order: bool) -> None:
        self.is_final = False
        self._keeps_order = keeps_order
        self._lost_batches = 0

    def look_at(self, answers: Sequence[Sent]) -> None:
        kinds = {sent.fault.kind for sent in answers if sent.fault is not None}
        if not kinds:
            self._lost_batches = 0
        elif self._keeps_order:
            self.is_final = True  # What comes later must not overtake what was not taken.
        elif all(sent.fault is not None for sent in answers) and FaultKind.REFUSED not in kinds:
            # One lost answer is an accident of one connection. As many as there are lanes are not.
            self._lost_batches += 1
            self.is_final = kinds != {FaultKind.NO_ANSWER} or self._lost_batches >= LANES_MAX
