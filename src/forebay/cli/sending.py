"""How `forebay send` gets many messages out: in full batches, several at once, no faster than asked.

Rules kept here and nowhere else:

1. Ids are told in the order of the messages, whatever order the answers come in.
2. A batch holds at most ten messages and 1 MiB, as SQS allows (facts/sqs.md section 2).
3. A message that is not taken is named by its place and reason, never by its body; the others are sent all the same.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from forebay.errors import QueueError
from forebay.queue.port import BATCH_MAX, BODY_MAX_BYTES, Outgoing, Sent, Sink

ATTRIBUTES_ROOM_BYTES = 1024
"""Left in a batch for the attributes of each message: ours hold a job's name."""

BATCHES_PER_SECOND = 10
"""A slow rate is kept with small batches rather than with bursts of ten."""


class OpenedSink(Sink, Protocol):
    """A sink with something to close."""

    async def aclose(self) -> None: ...


class Refusals:
    """Counts the messages that were not sent, and tells each."""

    def __init__(self, complain: Callable[[str], object]) -> None:
        self.count = 0
        self._complain = complain

    def add(self, place: str, reason: object) -> None:
        self.count += 1
        self._complain(f"{place} was not sent: {reason}")


def json_lines(lines: Iterable[str], refusals: Refusals) -> Iterator[str]:
    """Yield each line that is JSON, as it stands; tell those that are not."""
    for number, line in enumerate(lines, start=1):
        body = line.strip()
        if not body:
            continue
        try:
            json.loads(body)
        except ValueError as error:
            # The decoder's own message tells the place and not the text.
            refusals.add(f"line {number}", f"not JSON ({error})")
        else:
            yield body


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many messages a second."""

    per_second: float

    @property
    def batch_max(self) -> int:
        return max(1, min(BATCH_MAX, int(self.per_second / BATCHES_PER_SECOND)))


def batches(messages: Iterable[Outgoing], *, count_max: int) -> Iterator[Sequence[Outgoing]]:
    """Yield the messages in order, in batches that SQS takes."""
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        bytes_ = len(message.body.encode("utf-8", "surrogatepass")) + ATTRIBUTES_ROOM_BYTES
        if batch and (len(batch) >= count_max or size + bytes_ > BODY_MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += bytes_
    if batch:
        yield batch


class Dispatch:
    """Sends messages and tells what became of them."""

    def __init__(
        self, *, tell: Callable[[str], None], refusals: Refusals, rate: Rate | None = None, in_flight_max: int = 8
    ) -> None:
        self._tell = tell
        self._refusals = refusals
        self._rate = rate
        self._in_flight_max = in_flight_max

    async def run(
        self,
        open_sink: Callable[[], Awaitable[OpenedSink]],
        messages: Iterable[Outgoing],
        *,
        sent: Callable[[int], None],
    ) -> None:
        """Send everything; `sent` is told how many messages have just been answered for."""
        sink = await open_sink()
        loop = asyncio.get_running_loop()
        count_max = self._rate.batch_max if self._rate is not None else BATCH_MAX
        open_: deque[tuple[int, int, asyncio.Task[Sequence[Sent]]]] = deque()
        first, next_at = 1, loop.time()
        for batch in batches(messages, count_max=count_max):
            if self._rate is not None:
                await asyncio.sleep(max(0.0, next_at - loop.time()))
                next_at = max(next_at, loop.time() - 1.0) + len(batch) / self._rate.per_second
            while len(open_) >= self._in_flight_max or (open_ and open_[0][2].done()):
                sent(await self._answered(*open_.popleft()))
            open_.append((first, len(batch), asyncio.create_task(_send(sink, batch))))
            first += len(batch)
        while open_:
            sent(await self._answered(*open_.popleft()))
        await sink.aclose()

    async def _answered(self, first: int, count: int, task: asyncio.Task[Sequence[Sent]]) -> int:
        try:
            answers = await task
        except QueueError as error:
            for number in range(first, first + count):
                self._refusals.add(f"message {number}", error.fault)
            return count
        for number, answer in enumerate(answers, start=first):
            if answer.message_id is not None:
                self._tell(answer.message_id)
            else:
                self._refusals.add(f"message {number}", answer.fault)
        return count


async def _send(sink: Sink, batch: Sequence[Outgoing]) -> Sequence[Sent]:
    return await sink.send(batch)
