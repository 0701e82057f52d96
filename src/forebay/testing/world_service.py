"""The service in the simulated world: the shipped rules of SQS, and the world's own account of every message.

Rules kept here and nowhere else:

1. What a call does is decided by `rules.queue_semantics`. The account beside it is kept from the calls' answers only,
   so that worker and rules can be checked against something that is neither.
2. A message that was delivered while a lease on it ran counts as shared from then on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, cast

from forebay.errors import Fault
from forebay.model import JOB_ATTRIBUTE, Message, MessageAttribute
from forebay.queue.continuation import restored
from forebay.queue.faults import classify
from forebay.queue.port import Counts, Description, Outgoing
from forebay.rules.queue_errors import ServiceFailure, access_denied
from forebay.rules.queue_semantics import ChangeEntry, Delivery, QueueService, SendEntry, Waiter
from forebay.testing.world_account import Known
from forebay.testing.world_plan import Arrival, Plan, SourcePlan
from forebay.worker.vocabulary import Entry

if TYPE_CHECKING:
    from forebay.testing.world_time import Time

Fate = dict[int, Fault]


class Service:
    """All queues, and the account of every message sent to them."""

    def __init__(self, plan: Plan, time: Time, rng: Random, broken: Callable[[str, str], None]) -> None:
        self._plan = plan
        self._time = time
        self._broken = broken
        self.rules = QueueService("us-east-1", "123456789012", rng)
        self.by_id: dict[str, Known] = {}
        self.by_receipt: dict[tuple[str, str], Known] = {}
        self.urls: list[str] = []
        self.dead_letter_urls: dict[str, str] = {}
        self._plans: dict[str, SourcePlan] = {}
        self.requests = 0
        for source in plan.sources:
            self._create(source)

    def _create(self, source: SourcePlan) -> None:
        attributes: dict[str, str] = {"VisibilityTimeout": "30"}
        dead_url: str | None = None
        if source.has_dead_letter:
            name = f"{source.name}-dead"
            dead_url = self.rules.create_queue(name, {"MessageRetentionPeriod": "1209600"}, now=0.0)
            policy = {"deadLetterTargetArn": self.rules.arn(name), "maxReceiveCount": source.receive_count_max}
            attributes["RedrivePolicy"] = json.dumps(policy)
        url = self.rules.create_queue(source.name, attributes, now=0.0)
        if dead_url is not None:
            self.dead_letter_urls[url] = dead_url
        modes = self.rules.modes(url)
        modes.is_sampled = source.is_sampled
        modes.duplicate_ratio = source.duplicate_ratio
        modes.deletes_lost = source.deletes_lost
        self.urls.append(url)
        self._plans[url] = source

    def calm(self) -> None:
        """From now on no delivery is repeated and no delete forgotten."""
        for url in self.urls:
            modes = self.rules.modes(url)
            modes.duplicate_ratio, modes.duplicates_due, modes.deletes_lost = 0.0, 0, 0

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def next_event_at(self) -> float:
        """When something happens at the service by itself; infinity for never."""
        due_at = self.rules.next_event_at()
        return float("inf") if due_at is None else due_at

    def turn(self) -> None:
        """Let happen what is due."""
        self.rules.advance(self._time.now)
        self.settle_down()

    def settle_down(self) -> None:
        """Answer the long polls that have ended."""
        for waiter in self.rules.take_answered():
            cast("Callable[[Waiter], None]", waiter.tag)(waiter)

    # ── what producers and workers call ────────────────────────────────────────────────────────────────────

    def send(self, arrival: Arrival) -> None:
        """A producer sends one message."""
        now = self._time.now
        url = self.urls[arrival.source]
        number = len(self.by_id) + 1
        body = f'{{"number": {number}}}'
        known = Known(number, url, arrival.job, body, now)
        attributes = {JOB_ATTRIBUTE: MessageAttribute("String", arrival.job)} if arrival.job else {}
        sent = self.rules.send(url, SendEntry(body=body, attributes=attributes, delay_s=arrival.delay_s), now=now)
        known.message_id = sent.message_id
        self.by_id[sent.message_id] = known
        self.settle_down()

    def describe(self, url: str) -> Description:
        plan = self._plans[url]
        may_renew = plan.may_renew or not plan.knows_may_renew
        if not plan.may_describe:
            return Description(notes=("grant sqs:GetQueueAttributes",), may_renew=may_renew)
        return Description(
            dead_letter=self.dead_letter_urls.get(url),
            receive_count_max=plan.receive_count_max if plan.has_dead_letter else None,
            may_renew=may_renew,
        )

    def count(self, url: str) -> Counts:
        self.requests += 1
        if not self._plans[url].may_describe:
            raise access_denied("GetQueueAttributes", "queue")
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        numbers = self.rules.get_queue_attributes(url, (*names, names[0] + "Delayed"), now=self._time.now)
        return Counts(*(int(numbers[name]) for name in (*names, names[0] + "Delayed")))

    def receive(
        self, url: str, *, count_max: int, wait_s: float, visibility_s: int, answered: Callable[[list[Message]], None]
    ) -> Waiter | None:
        """Begin a receive; `answered` gets its messages. Returns the waiter of one that waits."""
        self.requests += 1

        def ended(waiter: Waiter) -> None:
            answered(self._delivered(url, waiter.messages, visibility_s))

        now = self._time.now
        result = self.rules.receive(
            url, now=now, count_max=count_max, wait_s=wait_s, visibility_s=visibility_s, tag=ended
        )
        if isinstance(result, Waiter):
            self.settle_down()
            return result
        answered(self._delivered(url, result, visibility_s))
        self.settle_down()
        return None

    def cancel(self, waiter: Waiter) -> None:
        """The client of a long poll is gone, and the service notices."""
        self.rules.cancel(waiter)

    def _delivered(self, url: str, deliveries: Sequence[Delivery], visibility_s: int) -> list[Message]:
        now = self._time.now
        messages: list[Message] = []
        for delivery in deliveries:
            content = delivery.content
            known = self.by_id[content.message_id]
            if now < known.hidden_until and known.newest_receipt:
                if self._plans[url].duplicate_ratio == 0.0:
                    self._broken("rules", f"message {known.number} was delivered while it was hidden")
                known.is_shared = True
            if not known.is_shared:
                for holder in known.holders:
                    if holder.still_trusts(now):
                        self._broken("2: trusted lease", f"message {known.number} came again while {holder} runs")
            known.newest_receipt = delivery.receipt
            known.hidden_until = now + visibility_s
            known.received_at = now
            known.deliveries += 1
            self.by_receipt[url, delivery.receipt] = known
            messages.append(
                Message(
                    url,
                    content.message_id,
                    delivery.receipt,
                    content.body,
                    delivery.receive_count,
                    content.sent_at_ms,
                    delivery.first_received_at_ms,
                    attributes=content.attributes,
                )
            )
        return messages

    def delete(self, url: str, entries: Sequence[Entry], fails: Callable[[], Fault | None]) -> Fate:
        self.requests += 1
        fate = {entry.number: fault for entry in entries if (fault := fails()) is not None}
        good = [entry for entry in entries if entry.number not in fate]
        if not good:
            return fate
        for entry in good:
            try:
                self._delete(url, entry.receipt)
            except ServiceFailure as failure:
                fate[entry.number] = _fault_of(failure)
        self.settle_down()
        return fate

    def _delete(self, url: str, receipt: str) -> None:
        known = self.by_receipt[url, receipt]
        is_there = not known.is_deleted and known.newest_receipt == receipt
        # A message that nobody holds may have been moved to the dead-letter queue: then only the numbers tell.
        is_sure = self._time.now < known.hidden_until and not known.is_shared
        left_before = self.left(url) if is_there and not is_sure else None
        modes = self.rules.modes(url)
        forgets = modes.deletes_lost
        self.rules.delete(url, receipt, now=self._time.now)
        if not is_there or modes.deletes_lost < forgets or self.left(url) == left_before:
            return
        known.is_deleted = True
        if not known.successes and not known.copies and not known.resent:
            self._broken("8: delete", f"message {known.number} was deleted though nobody did it")

    def left(self, url: str) -> int:
        """Messages that are in the queue, in whatever state."""
        numbers = self.rules.get_queue_attributes(url, ("All",), now=self._time.now)
        return sum(int(value) for name, value in numbers.items() if name.startswith("ApproximateNumberOfMessages"))

    def moved(self, url: str) -> int:
        """Messages that the service itself has moved to the dead-letter queue."""
        dead_url = self.dead_letter_urls.get(url)
        if dead_url is None:
            return 0
        return self.left(dead_url) - sum(known.copies for known in self.by_id.values() if known.source == url)

    def change(self, url: str, entries: Sequence[Entry], fails: Callable[[], Fault | None]) -> Fate:
        """Change visibility timeouts."""
        self.requests += 1
        if not self._plans[url].may_renew:
            raise access_denied("ChangeMessageVisibility", "queue")
        fate = {entry.number: fault for entry in entries if (fault := fails()) is not None}
        good = [entry for entry in entries if entry.number not in fate]
        if not good:
            return fate
        now = self._time.now
        results = self.rules.change_visibility_batch(
            url, [ChangeEntry(str(entry.number), entry.receipt, entry.seconds) for entry in good], now=now
        )
        for entry, failure in zip(good, results, strict=True):
            known = self.by_receipt[url, entry.receipt]
            if failure is None:
                known.hidden_until = now + entry.seconds
            else:
                fate[entry.number] = _fault_of(failure)
        self.settle_down()
        return fate

    def bury(self, message: Message) -> None:
        """Take a copy into the dead-letter queue."""
        self.requests += 1
        url = self.dead_letter_urls[message.source]
        attributes = {**message.attributes, "forebay.error": MessageAttribute("String", "{}")}
        self.rules.send(url, SendEntry(body=message.body, attributes=attributes), now=self._time.now)
        self.by_id[message.message_id].copies += 1
        self.settle_down()

    def resend(self, url: str, copy: Outgoing, origin: Known) -> None:
        """Take a job again that a worker sends in place of `origin`."""
        self.requests += 1
        if not self._plans[url].may_send:
            raise access_denied("SendMessage", "queue")
        now = self._time.now
        sent = self.rules.send(
            url, SendEntry(body=copy.body, attributes=copy.attributes, delay_s=copy.delay_s), now=now
        )
        came = restored(message_of(url, copy))
        assert came is not None, "a copy that cannot be read"
        known = Known(len(self.by_id) + 1, url, origin.job, origin.body, now, sent.message_id, origin)
        known.state, known.counted = came.state, came.attempts_before
        self.by_id[sent.message_id] = known
        origin.resent += 1
        self.settle_down()


def message_of(url: str, copy: Outgoing) -> Message:
    """Return what is sent as it will be received."""
    return Message(url, "", "", copy.body, attributes=copy.attributes)


def _fault_of(failure: ServiceFailure) -> Fault:
    return classify(failure.http_status, (failure.shape, failure.legacy_code), failure.message)
