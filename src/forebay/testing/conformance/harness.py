"""What a scenario needs of the world around the source under test, and the steps that scenarios share.

Rules kept here and nowhere else:

1. A receive of a scenario takes what SQS may spread over several answers: it asks until it has what it needs, and
   fails when a long poll has ended empty before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from forebay.errors import Fault, QueueError
from forebay.model import Message
from forebay.queue.port import Outgoing, Sent, Source, Visibility


class Harness(Protocol):
    """Makes queues, and sources under test for them."""

    async def create_queue(self, name: str, **attributes: str) -> str:
        """Create a queue that no other scenario uses; return the key of its source. Attributes as SQS names them."""
        ...

    async def arn(self, key: str) -> str:
        """Return the queue's ARN."""
        ...

    def missing(self) -> str:
        """Return the key of a queue that does not exist."""
        ...

    def source(self, key: str) -> Source:
        """Return the source under test for this queue; the harness closes it."""
        ...

    async def send(self, key: str, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        """Send up to ten messages."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass for the queues, or a little more."""
        ...

    def now(self) -> float:
        """The time, in seconds from any start."""
        ...


Scenario = Callable[[Harness], Awaitable[None]]

HIDDEN_S = 30
"""A visibility that does not end within a scenario."""


async def send_one(harness: Harness, key: str, body: str = "a body") -> str:
    """Send one message; return its id."""
    return (await send(harness, key, Outgoing(body)))[0]


async def send(harness: Harness, key: str, *messages: Outgoing) -> list[str]:
    """Send messages, all of which must be taken; return their ids."""
    sent = await harness.send(key, messages)
    for one in sent:
        assert one.fault is None, f"a message was not taken: {one.fault}"
    return [one.message_id for one in sent if one.message_id is not None]


async def receive(source: Source, count: int, *, visibility_s: int = HIDDEN_S) -> list[Message]:
    """Receive exactly `count` messages, in as many answers as it takes."""
    messages: list[Message] = []
    while len(messages) < count:
        wanted = min(10, count - len(messages))
        received = await source.receive(count_max=wanted, wait_s=5, visibility_s=visibility_s)
        assert len(received.messages) <= wanted, f"asked for {wanted} messages, got {len(received.messages)}"
        assert received.messages, f"a long poll ended empty after {len(messages)} of {count} messages"
        messages += received.messages
    return messages


async def receive_one(source: Source, *, visibility_s: int = HIDDEN_S) -> Message:
    """Receive one message."""
    return (await receive(source, 1, visibility_s=visibility_s))[0]


async def refusal(call: Awaitable[object]) -> Fault | None:
    """Return why a call as a whole failed, or None when it did not."""
    try:
        await call
    except QueueError as error:
        return error.fault
    return None


async def look(source: Source) -> list[Message]:
    """Return what one short poll brings. It hides nothing for long."""
    return list((await source.receive(count_max=10, wait_s=0, visibility_s=HIDDEN_S)).messages)


async def change(source: Source, receipt: str, seconds: int) -> Fault | None:
    """Change one delivery's visibility; return why it was refused, or None."""
    return (await source.change_visibility([Visibility(receipt, seconds)])).get(0)


async def delete(source: Source, receipt: str) -> Fault | None:
    """Delete one delivery; return why it was refused, or None."""
    return (await source.delete([receipt])).get(0)
