"""A queue under test: the rules, a time that tests move, and the few calls that most tests make."""

from __future__ import annotations

from random import Random
from typing import Self

from forebay.rules.queue_semantics import Delivery, QueueService, SendEntry, ServiceFailure, Waiter

EPOCH_MS = 1_800_000_000_000


class Bench:
    """One queue of a service, and the present time."""

    def __init__(self, *, seed: int = 1, **attributes: str) -> None:
        self.rules = QueueService("eu-west-1", "111111111111", Random(seed), epoch_ms=EPOCH_MS)
        self.now = 0.0
        self.url = self.create("jobs", **attributes)

    def create(self, name: str, **attributes: str) -> str:
        return self.rules.create_queue(name, attributes, now=self.now)

    def at(self, now: float) -> Self:
        """Move time on."""
        self.now = now
        self.rules.advance(now)
        return self

    def send(self, *bodies: str, delay_s: int | None = None, url: str | None = None) -> None:
        for body in bodies or ("a body",):
            self.rules.send(url or self.url, SendEntry(body=body, delay_s=delay_s), now=self.now)

    def receive(
        self, count_max: int = 10, *, visibility_s: int | None = None, url: str | None = None
    ) -> list[Delivery]:
        """Receive by a short poll."""
        answer = self.rules.receive(
            url or self.url, now=self.now, count_max=count_max, wait_s=0, visibility_s=visibility_s
        )
        assert not isinstance(answer, Waiter)
        return answer

    def receive_one(self, *, visibility_s: int | None = None, url: str | None = None) -> Delivery:
        (delivery,) = self.receive(1, visibility_s=visibility_s, url=url)
        return delivery

    def poll(
        self, wait_s: float = 20, *, count_max: int = 10, visibility_s: int | None = None, tag: object = None
    ) -> Waiter:
        """Open a long poll on an empty queue."""
        answer = self.rules.receive(
            self.url, now=self.now, count_max=count_max, wait_s=wait_s, visibility_s=visibility_s, tag=tag
        )
        assert isinstance(answer, Waiter)
        return answer

    def change(self, delivery: Delivery, seconds: int) -> ServiceFailure | None:
        """Change the visibility; return the refusal, if it is one."""
        try:
            self.rules.change_visibility(self.url, delivery.receipt, seconds, now=self.now)
        except ServiceFailure as failure:
            return failure
        return None

    def delete(self, delivery: Delivery, *, url: str | None = None) -> None:
        self.rules.delete(url or self.url, delivery.receipt, now=self.now)

    def counts(self, url: str | None = None) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        shown = self.rules.get_queue_attributes(url or self.url, ["All"], now=self.now)
        prefix = "ApproximateNumberOfMessages"
        return int(shown[prefix]), int(shown[prefix + "NotVisible"]), int(shown[prefix + "Delayed"])


def bodies(deliveries: list[Delivery]) -> list[str]:
    return [delivery.content.body for delivery in deliveries]


def refusal(failure: ServiceFailure | None) -> tuple[str, str, int]:
    """The two names and the status of a refusal, which must be one."""
    assert failure is not None
    return failure.shape, failure.legacy_code, failure.http_status
