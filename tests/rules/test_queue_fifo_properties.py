"""Whatever producers, consumers and time do: a FIFO queue keeps each group's order, locks it, and takes an id in once.

A second, naive account is kept beside the rules: a list of messages in the order of their sending, searched through at
every step. What a receive may bring is read off it. Now and then the queue is made anew from its durable state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.rules.fifo_queues import carry_over
from tests.rules.queues import EPOCH_MS

from forebay.rules.queue_semantics import DeleteEntry, Delivery, QueueService, SendEntry, ServiceFailure, Waiter

RECEIVES_MAX = 3
WINDOW_S = 300.0
DAY_S = 86_400


@dataclass
class Known:
    """What the naive account knows of one message."""

    message_id: str
    group: str
    sent_at: float
    sequence: int
    hidden_until: float = 0.0
    receipts: list[str] = field(default_factory=list[str])
    received_at: float = 0.0
    is_leased: bool = False
    is_delayed: bool = False
    place: str = "queue"
    """`queue`, `dead` (moved), `deleted` or `expired`."""

    @property
    def is_exhausted(self) -> bool:
        return len(self.receipts) == RECEIVES_MAX


class FifoMachine(RuleBasedStateMachine):
    """Random lives of one FIFO queue with a dead-letter queue."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.known: list[Known] = []
        self.first_sends: dict[tuple[str, str], tuple[float, Known]] = {}
        self.past: dict[str, tuple[float, list[tuple[Known, str]]]] = {}
        self.waiters: list[Waiter] = []
        self.numbers = 0
        self.starts = 0

    @initialize(
        seed=st.integers(0, 1_000), by_group=st.booleans(), delay_s=st.sampled_from([0, 0, 5]), short=st.booleans()
    )
    def create(self, seed: int, by_group: bool, delay_s: int, short: bool) -> None:
        self.by_group, self.delay_s, self.seed = by_group, delay_s, seed
        self.retention_s = 3_600 if short else 14 * DAY_S
        self.service = self.new_service()

    def new_service(self) -> QueueService:
        self.starts += 1  # Other dice each time, or message ids would repeat.
        service = QueueService("eu-west-1", "1", Random(self.seed + 1_001 * self.starts), epoch_ms=EPOCH_MS)
        fifo = {"FifoQueue": "true", "MessageRetentionPeriod": str(14 * DAY_S)}
        self.dead = service.create_queue("dead.fifo", fifo, now=0.0)
        policy = json.dumps({"deadLetterTargetArn": service.arn("dead.fifo"), "maxReceiveCount": RECEIVES_MAX})
        attributes = {
            **fifo,
            "RedrivePolicy": policy,
            "DelaySeconds": str(self.delay_s),
            "MessageRetentionPeriod": str(self.retention_s),
            "DeduplicationScope": "messageGroup" if self.by_group else "queue",
        }
        self.url = service.create_queue("jobs.fifo", attributes, now=0.0)
        return service

    @rule(group=st.sampled_from("abc"), dedupe=st.sampled_from([None, None, None, "x", "y"]))
    def send(self, group: str, dedupe: str | None) -> None:
        self.numbers += 1
        entry = SendEntry(body=f"{self.numbers}", group=group, dedupe=dedupe or f"own-{self.numbers}")
        sent = self.service.send(self.url, entry, now=self.now)
        assert sent.sequence is not None
        assert entry.dedupe is not None
        key = (group if self.by_group else "", entry.dedupe)
        before = self.first_sends.get(key)
        if before is not None and self.now - before[0] < WINDOW_S:
            assert (sent.message_id, int(sent.sequence)) == (before[1].message_id, before[1].sequence)
        else:
            assert all(int(sent.sequence) > known.sequence for known in self.known), "numbers rise"
            known = Known(sent.message_id, group, self.now, int(sent.sequence))
            known.is_delayed, known.hidden_until = self.delay_s > 0, self.now + self.delay_s
            self.known.append(known)
            self.first_sends[key] = (self.now, known)
        self.collect()

    @rule(
        count_max=st.integers(1, 10),
        visibility_s=st.sampled_from([0, 1, 30, 30, 1_000]),
        token=st.sampled_from([None, None, "t", "u"]),
    )
    def receive(self, count_max: int, visibility_s: int, token: str | None) -> None:
        repeated = self.repeatable(token)
        answer = self.service.receive(
            self.url, now=self.now, count_max=count_max, wait_s=0, visibility_s=visibility_s, attempt_id=token
        )
        assert isinstance(answer, list)
        if repeated:
            assert [delivery.receipt for delivery in answer] == [receipt for _, receipt in repeated]
            for known, _ in repeated:
                known.received_at = self.now
                known.hidden_until, known.is_leased = self.now + visibility_s, visibility_s > 0
            self.collect()
        else:
            self.delivered(answer, visibility_s, count_max, token)

    @rule(wait_s=st.integers(1, 20), visibility_s=st.sampled_from([1, 30]))
    def poll(self, wait_s: int, visibility_s: int) -> None:
        answer = self.service.receive(
            self.url, now=self.now, count_max=2, wait_s=wait_s, visibility_s=visibility_s, tag=visibility_s
        )
        if isinstance(answer, Waiter):
            self.delivered([], visibility_s, 2, None)
            self.waiters.append(answer)
        else:
            self.delivered(answer, visibility_s, 2, None)

    @precondition(lambda self: any(known.receipts for known in self.known))
    @rule(data=st.data(), seconds=st.sampled_from([0, 0, 5, 60]))
    def change(self, data: st.DataObject, seconds: int) -> None:
        known, receipt = self.draw_receipt(data)
        is_ours = known.place == "queue" and receipt == known.receipts[-1] and known.is_leased
        try:
            self.service.change_visibility(self.url, receipt, seconds, now=self.now)
        except ServiceFailure:
            assert not is_ours or self.now - known.received_at + seconds > 43_200
        else:
            assert is_ours
            known.hidden_until, known.is_leased = self.now + seconds, seconds > 0
            self.modified(receipt)
        self.collect()

    @precondition(lambda self: any(known.receipts for known in self.known))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        known, receipt = self.draw_receipt(data)
        is_ours = receipt == known.receipts[-1] and known.is_leased
        (refusal,) = self.service.delete_batch(self.url, [DeleteEntry("1", receipt)], now=self.now)
        if known.place == "queue" and not is_ours:
            assert refusal is not None
            assert "The receipt handle has expired." in refusal.message
        else:
            assert refusal is None
            if known.place == "queue":
                known.place = "deleted"
        self.collect()

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.0, 30.0, 299.5, 300.0, 4_000.0]))
    def wait(self, seconds: float) -> None:
        target = self.now + seconds
        while (at := self.service.next_event_at()) is not None and at <= target:
            self.now = max(self.now, at)
            self.service.advance(self.now)
            self.turn()
            self.collect()
        self.now = target
        self.service.advance(self.now)
        self.turn()

    @precondition(lambda self: not any(waiter.is_open for waiter in self.waiters))
    @rule()
    def restart(self) -> None:
        before, self.service = self.service, self.new_service()
        for name in ("jobs.fifo", "dead.fifo"):
            carry_over(before.registry.by_name[name], self.service.registry.by_name[name])
        self.service.next_event_at()
        self.service.advance(self.now)

    # ── the naive account ──────────────────────────────────────────────────────────────────────────────────

    def turn(self) -> None:
        """Let time pass for the account."""
        for known in self.known:
            if known.place == "queue" and known.sent_at + self.retention_s <= self.now:
                known.place = "expired"
            if known.hidden_until <= self.now:
                known.is_leased = known.is_delayed = False

    def line_of(self, group: str) -> list[Known]:
        """What may be delivered of a group: nothing while one of it is in flight."""
        here = [known for known in self.known if known.group == group and known.place == "queue"]
        if any(known.is_leased for known in here):
            return []
        return [known for known in here if not known.is_delayed]

    def delivered(self, deliveries: list[Delivery], visibility_s: int, count_max: int, token: str | None) -> None:
        """Compare what one receive brought with what it should bring."""
        lines = {group: self.line_of(group) for group in "abc"}
        fresh = {group: [known for known in line if not known.is_exhausted] for group, line in lines.items()}
        assert len(deliveries) == min(count_max, sum(len(line) for line in fresh.values()))
        for group in "abc":
            mine = [delivery for delivery in deliveries if delivery.content.group == group]
            expected = fresh[group][: len(mine)]
            assert [delivery.content.message_id for delivery in mine] == [known.message_id for known in expected]
            for delivery, known in zip(mine, expected, strict=True):
                known.receipts.append(delivery.receipt)
                known.received_at = self.now
                known.hidden_until, known.is_leased = self.now + visibility_s, visibility_s > 0
                assert delivery.receive_count == len(known.receipts)
        self.find_dead()
        by_receipt = {known.receipts[-1]: known for known in self.known if known.receipts}
        brought = [(by_receipt[delivery.receipt], delivery.receipt) for delivery in deliveries]
        if token is not None and brought:
            self.past[token] = (self.now, brought)
        self.collect()

    def find_dead(self) -> None:
        """Only messages that were received as often as is allowed go to the dead-letter queue, and in order."""
        stored = self.service.registry.find(self.dead).shelves.messages.values()
        dead_ids = [message.content.message_id for message in stored]
        for known in self.known:
            if known.message_id in dead_ids and known.place == "queue":
                assert known.is_exhausted
                known.place = "dead"
        for group in "abc":
            mine = [known.message_id for known in self.known if known.group == group and known.place == "dead"]
            assert [message_id for message_id in dead_ids if message_id in mine] == mine

    def collect(self) -> None:
        """Take what waiting polls were answered with, just now."""
        for waiter in self.service.take_answered():
            self.waiters.remove(waiter)
            assert isinstance(waiter.tag, int)
            if waiter.messages:
                self.delivered(waiter.messages, waiter.tag, waiter.count_max, None)
        self.find_dead()

    def repeatable(self, token: str | None) -> list[tuple[Known, str]]:
        """What a receive with this token must bring again."""
        if token is None or token not in self.past:
            return []
        asked_at, brought = self.past[token]
        is_whole = all(
            known.place == "queue" and known.is_leased and known.receipts[-1] == receipt for known, receipt in brought
        )
        if self.now - asked_at < WINDOW_S and is_whole:
            return brought
        del self.past[token]
        return []

    def modified(self, receipt: str) -> None:
        for token, (_, brought) in list(self.past.items()):
            if any(receipt == other for _, other in brought):
                del self.past[token]

    def draw_receipt(self, data: st.DataObject) -> tuple[Known, str]:
        known = data.draw(st.sampled_from([known for known in self.known if known.receipts]))
        return known, data.draw(st.sampled_from(known.receipts))

    @invariant()
    def the_counts_add_up(self) -> None:
        if not hasattr(self, "service"):
            return
        queue = self.service.registry.find(self.url)
        here = [known for known in self.known if known.place == "queue"]
        in_flight = sum(known.is_leased for known in here)
        delayed = sum(known.is_delayed for known in here)
        assert list(queue.counts().values()) == [len(here) - in_flight - delayed, in_flight, delayed]

    @invariant()
    def nobody_waits_beside_a_message_that_may_be_delivered(self) -> None:
        if any(waiter.is_open for waiter in self.waiters):
            assert not [known for group in "abc" for known in self.line_of(group) if not known.is_exhausted]


FifoMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestFifoMachine = FifoMachine.TestCase
