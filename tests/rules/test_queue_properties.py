"""Whatever producers, workers and time do: no message is lost, none is deletable twice, and none is shown too soon.

A second, naive account of one queue is kept beside the rules: a dictionary that is searched through, with no heap, no
deque and nothing stale. What a receive may bring is read off it, and what it does bring must be that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.rules.queues import EPOCH_MS

from forebay.rules.queue_semantics import Delivery, QueueService, SendEntry, ServiceFailure, Waiter

RECEIVES_MAX = 2
RETENTIONS_S = (3_600, 1_209_600, 1_209_600)


@dataclass
class Known:
    """What the naive account knows of one message."""

    body: str
    sent_at: float
    hidden_until: float
    receipts: list[str] = field(default_factory=list[str])
    received_at: float = 0.0
    place: str = "queue"
    """`queue`, `dead` (moved), `deleted` or `expired`."""

    def is_in_flight(self, now: float) -> bool:
        return bool(self.receipts) and now < self.hidden_until


class QueueMachine(RuleBasedStateMachine):
    """Random lives of one queue with a dead-letter queue."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.known: dict[str, Known] = {}
        self.waiters: list[Waiter] = []
        self.polled_until = 0.0
        """Until then a poll was open, which moves what has come too often as soon as that can be seen."""

    @initialize(
        seed=st.integers(0, 1_000),
        is_sampled=st.sampled_from([False, False, True]),
        retention_s=st.sampled_from(RETENTIONS_S),
    )
    def create(self, seed: int, is_sampled: bool, retention_s: int) -> None:
        self.retention_s = retention_s
        self.service = QueueService("eu-west-1", "1", Random(seed), epoch_ms=EPOCH_MS)
        self.dead = self.service.create_queue("dead", {"MessageRetentionPeriod": "1209600"}, now=0.0)
        policy = json.dumps({"deadLetterTargetArn": self.service.arn("dead"), "maxReceiveCount": RECEIVES_MAX})
        self.url = self.service.create_queue(
            "jobs", {"RedrivePolicy": policy, "MessageRetentionPeriod": str(retention_s)}, now=0.0
        )
        self.service.modes(self.url).is_sampled = is_sampled
        self.is_sampled = is_sampled

    @rule(delay_s=st.sampled_from([0, 0, 0, 5, 900]), group=st.sampled_from([None, None, "a", "a", "b"]))
    def send(self, delay_s: int, group: str | None) -> None:
        """Groups make the queue a fair one: another order, and nothing else."""
        body = f"job {len(self.known)}"
        sent = self.service.send(self.url, SendEntry(body=body, delay_s=delay_s, group=group), now=self.now)
        self.known[sent.message_id] = Known(body, self.now, self.now + delay_s)
        self.collect()

    @rule(count_max=st.integers(1, 10), visibility_s=st.sampled_from([0, 1, 30, 43_200]))
    def receive(self, count_max: int, visibility_s: int) -> None:
        visible = self.visible()
        answer = self.service.receive(self.url, now=self.now, count_max=count_max, wait_s=0, visibility_s=visibility_s)
        assert isinstance(answer, list)
        assert len(answer) <= count_max
        if not self.is_sampled:
            deliverable = [known for known in visible if len(known.receipts) < RECEIVES_MAX]
            assert len(answer) == min(count_max, len(deliverable))
        self.delivered(answer, visibility_s)

    @rule(visibility_s=st.sampled_from([1, 30]), gives_back=st.booleans())
    def receive_and_settle(self, visibility_s: int, gives_back: bool) -> None:
        """What a worker does most: take one, and be done with it or not."""
        answer = self.service.receive(self.url, now=self.now, wait_s=0, visibility_s=visibility_s)
        assert isinstance(answer, list)
        self.delivered(answer, visibility_s)
        for delivery in answer:
            known = self.known[delivery.content.message_id]
            if gives_back:
                self.service.change_visibility(self.url, delivery.receipt, 0, now=self.now)
                known.hidden_until = self.now
                self.collect()
            else:
                self.service.delete(self.url, delivery.receipt, now=self.now)
                known.place = "deleted"

    @rule(wait_s=st.integers(1, 20), visibility_s=st.sampled_from([1, 30]))
    def poll(self, wait_s: int, visibility_s: int) -> None:
        answer = self.service.receive(
            self.url, now=self.now, count_max=2, wait_s=wait_s, visibility_s=visibility_s, tag=visibility_s
        )
        if isinstance(answer, Waiter):
            assert not [known for known in self.visible() if len(known.receipts) < RECEIVES_MAX]
            self.waiters.append(answer)
            self.polled_until = max(self.polled_until, self.now + wait_s)
        else:
            assert answer
            self.delivered(answer, visibility_s)

    @precondition(lambda self: any(known.receipts for known in self.known.values()))
    @rule(data=st.data(), seconds=st.sampled_from([0, 0, 1, 60, 43_199]))
    def change(self, data: st.DataObject, seconds: int) -> None:
        known, receipt = self.draw_receipt(data)
        try:
            self.service.change_visibility(self.url, receipt, seconds, now=self.now)
        except ServiceFailure:
            ceiling_passed = self.now - known.received_at + seconds > 43_200
            is_ours = known.place == "queue" and receipt == known.receipts[-1] and known.is_in_flight(self.now)
            assert not is_ours or ceiling_passed
        else:
            assert known.place == "queue"
            assert receipt == known.receipts[-1]
            assert known.is_in_flight(self.now)
            assert self.now - known.received_at + seconds <= 43_200
            known.hidden_until = self.now + seconds
        self.collect()

    @precondition(lambda self: any(known.receipts for known in self.known.values()))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        known, receipt = self.draw_receipt(data)
        before = self.left()
        self.service.delete(self.url, receipt, now=self.now)
        is_ours = known.place == "queue" and receipt == known.receipts[-1]
        assert before - self.left() == int(is_ours), "the newest receipt deletes, once; no other does"
        if is_ours:
            known.place = "deleted"

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.0, 30.0, 30.0, 600.0, 4_000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.service.advance(self.now)
        self.collect()

    def draw_receipt(self, data: st.DataObject) -> tuple[Known, str]:
        known = data.draw(st.sampled_from([known for known in self.known.values() if known.receipts]))
        return known, data.draw(st.sampled_from(known.receipts))

    def visible(self) -> list[Known]:
        return [known for known in self.known.values() if known.place == "queue" and known.hidden_until <= self.now]

    def left(self) -> int:
        shown = self.service.get_queue_attributes(self.url, ["All"], now=self.now)
        return sum(int(value) for name, value in shown.items() if name.startswith("ApproximateNumber"))

    def delivered(self, deliveries: list[Delivery], visibility_s: int, at: float | None = None) -> None:
        at = self.now if at is None else at
        for delivery in deliveries:
            known = self.known[delivery.content.message_id]
            assert known.place == "queue", "a message came back from the dead"
            assert known.hidden_until <= at, "a message was shown too soon"
            assert delivery.content.body == known.body
            assert delivery.receipt not in known.receipts
            known.receipts.append(delivery.receipt)
            known.received_at = at
            known.hidden_until = at + visibility_s
            assert delivery.receive_count == len(known.receipts) <= RECEIVES_MAX

    def collect(self) -> None:
        """Take what waiting polls were answered with. A poll may have been answered earlier than now."""
        for waiter in self.service.take_answered():
            self.waiters.remove(waiter)
            assert isinstance(waiter.tag, int)
            for delivery in waiter.messages:
                known = self.known[delivery.content.message_id]
                moment = max(known.hidden_until, known.sent_at)
                assert moment <= self.now
                self.delivered([delivery], waiter.tag, at=moment)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every message is in the queue, among the dead, deleted by us, or past its retention."""
        if not hasattr(self, "service"):
            return
        # A jump of time may bring a message too often to an open poll first, and then past its retention.
        self.expire(lambda known: known.hidden_until > self.polled_until or len(known.receipts) < RECEIVES_MAX)
        shown = self.service.get_queue_attributes(self.dead, ["All"], now=self.now)
        dead = int(shown["ApproximateNumberOfMessages"])
        exhausted = [
            known
            for known in self.known.values()
            if known.place == "queue" and len(known.receipts) == RECEIVES_MAX and known.hidden_until <= self.now
        ]
        moved = dead - sum(known.place == "dead" for known in self.known.values())
        assert 0 <= moved <= len(exhausted)
        if moved == len(exhausted):
            for known in exhausted:
                known.place = "dead"
        else:
            # Which of them were moved shows when they do not come again: the oldest to become visible go first.
            for known in sorted(exhausted, key=lambda known: known.hidden_until)[:moved]:
                known.place = "dead"
        self.expire(lambda known: True)
        assert self.left() == sum(known.place == "queue" for known in self.known.values())

    def expire(self, applies: Callable[[Known], bool]) -> None:
        for known in self.known.values():
            if known.place == "queue" and known.sent_at + self.retention_s <= self.now and applies(known):
                known.place = "expired"

    @invariant()
    def nobody_waits_beside_a_visible_message(self) -> None:
        if hasattr(self, "service") and any(waiter.is_open for waiter in self.waiters):
            assert not [known for known in self.visible() if len(known.receipts) < RECEIVES_MAX]


def test_a_message_that_came_too_often_and_then_got_too_old_is_among_the_dead() -> None:
    """Found by the machine: three polls take it twice and move it, all within one jump of time past its retention."""
    machine = QueueMachine()
    machine.create(seed=0, is_sampled=False, retention_s=3_600)
    for wait_s in (1, 1, 2):
        machine.poll(wait_s=wait_s, visibility_s=1)
    machine.send(delay_s=0, group=None)
    machine.wait(seconds=4_000.0)

    machine.nothing_is_lost()

    assert [known.place for known in machine.known.values()] == ["dead"]


QueueMachine.TestCase.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
TestQueueMachine = QueueMachine.TestCase
