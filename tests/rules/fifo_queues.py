"""A FIFO queue under test, and the few calls that most of its tests make."""

from __future__ import annotations

from copy import copy
from random import Random

from tests.rules.queues import Bench

from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_semantics import Delivery, SendEntry, SentMessage, Waiter
from forebay.rules.queue_store import StandardQueue


class FifoBench(Bench):
    """One FIFO queue of a service, and the present time. Every message sent has an id of its own unless told."""

    def __init__(self, *, seed: int = 1, **attributes: str) -> None:
        self.sent_count = 0
        super().__init__(seed=seed, **attributes)

    def create(self, name: str, **attributes: str) -> str:
        return self.rules.create_queue(f"{name}.fifo", {"FifoQueue": "true", **attributes}, now=self.now)

    def put(
        self, body: str, group: str | None = None, dedupe: str | None = None, *, url: str | None = None
    ) -> SentMessage:
        """Send one message; its group is the first letter of its body unless given."""
        self.sent_count += 1
        entry = SendEntry(body=body, group=group or body[0], dedupe=dedupe or f"id-{self.sent_count}")
        return self.rules.send(url or self.url, entry, now=self.now)

    def put_all(self, *bodies: str) -> None:
        for body in bodies:
            self.put(body)

    def again(self, token: str, *, count_max: int = 10, visibility_s: int | None = None) -> list[Delivery]:
        """Receive by a short poll with a ReceiveRequestAttemptId."""
        answer = self.rules.receive(
            self.url, now=self.now, count_max=count_max, wait_s=0, visibility_s=visibility_s, attempt_id=token
        )
        assert not isinstance(answer, Waiter)
        return answer


def carry_over(before: StandardQueue, after: StandardQueue) -> None:
    """Make `after` what `before` is, through nothing but the state that must outlive a process, in any order."""
    after.seal = before.seal
    messages = [copy(message) for message in before.shelves.messages.values()]
    for message in messages:
        message.group = None
    Random(0).shuffle(messages)
    after.restore(messages, before.shelves.serial)
    if isinstance(before, FifoQueue):
        assert isinstance(after, FifoQueue)
        after.restore_fifo(reversed(before.deduplication.seen.items()), reversed(before.retries.by_token.items()))
