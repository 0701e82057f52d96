"""Message move tasks in random lives: whatever happens, every message is in one place or was deleted, once."""

from __future__ import annotations

import json
from random import Random

import pytest
from tests.rules.fifo_queues import FifoBench
from tests.rules.queues import Bench

from forebay.rules.queue_semantics import Delivery, SendEntry, ServiceFailure


class _Life:
    """A queue, its dead-letter queue and another destination, at which random things happen."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.bench: Bench = FifoBench(seed=seed) if seed % 2 else Bench(seed=seed)
        self.dead, self.other = self.bench.create("dead"), self.bench.create("other")
        self.dead_arn = self.bench.rules.arn(self.dead.rsplit("/", 1)[-1])
        self.other_arn = self.bench.rules.arn(self.other.rsplit("/", 1)[-1])
        redrive = {"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": 2}
        self.bench.rules.set_queue_attributes(self.bench.url, {"RedrivePolicy": json.dumps(redrive)}, now=0.0)
        self.sent = 0
        self.deleted: list[str] = []
        self.held: list[tuple[str, Delivery]] = []
        self.handle = ""
        self.refusals: set[str] = set()

    @property
    def urls(self) -> tuple[str, str, str]:
        return self.bench.url, self.dead, self.other

    def step(self) -> None:
        chance = self.dice.random()
        if chance < 0.3:
            self.send(self.bench.url if self.dice.random() < 0.9 else self.dead)
        elif chance < 0.55:
            url = self.dice.choice(self.urls)
            self.held += [(url, found) for found in self.bench.receive(self.dice.randint(1, 5), url=url)]
        elif chance < 0.7:
            self.settle()
        elif chance < 0.8:
            self.start()
        elif chance < 0.83:
            self.cancel()
        else:
            self.bench.at(self.bench.now + self.dice.choice((0.01, 0.5, 3.0, 31.0)))

    def send(self, url: str) -> None:
        self.sent += 1
        is_fifo = isinstance(self.bench, FifoBench)
        entry = SendEntry(
            body=f"m{self.sent}",
            group=self.dice.choice("abc") if is_fifo else None,
            dedupe=f"id-{self.sent}" if is_fifo else None,
        )
        self.bench.rules.send(url, entry, now=self.bench.now)

    def settle(self) -> None:
        """Delete a message that is held, or give it back, if the service still lets us."""
        if not self.held:
            return
        url, delivery = self.held.pop(self.dice.randrange(len(self.held)))
        before = self.everywhere()
        try:
            if self.dice.random() < 0.5:
                self.bench.delete(delivery, url=url)
            else:
                self.bench.rules.change_visibility(url, delivery.receipt, 0, now=self.bench.now)
        except ServiceFailure:
            return
        if self.everywhere() < before:
            self.deleted.append(delivery.content.body)

    def start(self) -> None:
        destination = self.dice.choice((None, self.other_arn))
        rate = self.dice.choice((None, 1, 10))
        try:
            self.handle = self.bench.rules.start_move(self.dead_arn, destination, rate=rate, now=self.bench.now).handle
        except ServiceFailure as failure:
            self.refusals.add(failure.message)

    def cancel(self) -> None:
        try:
            self.bench.rules.cancel_move(self.handle, now=self.bench.now)
        except ServiceFailure as failure:
            self.refusals.add(failure.message)

    def everywhere(self) -> int:
        return sum(sum(self.bench.counts(url)) for url in self.urls)

    def remains(self) -> list[str]:
        """Wait until no lease and no task is left, then take everything out and return the bodies."""
        self.bench.at(self.bench.now + 600)
        for url in self.urls:
            self.bench.rules.set_queue_attributes(url, {"RedrivePolicy": ""}, now=self.bench.now)
        found: list[str] = []
        for url in self.urls:
            while messages := self.bench.receive(url=url):
                for delivery in messages:
                    found.append(delivery.content.body)
                    self.bench.delete(delivery, url=url)
        return found


@pytest.mark.parametrize("seed", range(40))
def test_no_move_loses_or_doubles_a_message(seed: int) -> None:
    life = _Life(seed)

    for _ in range(400):
        life.step()
        assert life.everywhere() + len(life.deleted) == life.sent

    remains = life.remains()
    assert sorted(remains + life.deleted) == sorted(f"m{number}" for number in range(1, life.sent + 1))
    tasks = life.bench.rules.recent_moves(life.dead_arn, 10, now=life.bench.now)
    assert tasks, "the dice have started none"
    assert all(task.moved <= task.to_move for task in tasks)
    assert {_kind(message) for message in life.refusals} <= {"already a task", "TaskHandle", "can be cancelled"}


def _kind(message: str) -> str:
    known = [word for word in ("already a task", "TaskHandle", "can be cancelled") if word in message]
    return known[0] if known else message
