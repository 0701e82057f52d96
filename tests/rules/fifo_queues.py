"""A FIFO queue under test, and the few calls that most of its tests make."""

from __future__ import annotations

from tests.rules.queues import Bench

from forebay.rules.queue_semantics import Delivery, SendEntry, SentMessage, Waiter


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
