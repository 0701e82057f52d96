"""Amazon SQS's standard queues as one pure state machine: every operation, every refusal, and the passage of time.

Rules kept here and nowhere else:

1. Time is an argument, in seconds from any start, and never goes back. Dice are passed in.
2. Before a call is carried out, everything that was due by then has happened, in the order of time.
3. A receive that finds nothing becomes a `Waiter`. It ends by itself; whoever turns these rules takes the ended ones
   from `take_answered()` after every call and after every `advance()`.
4. A lease may last 12 h from its receive and no longer; beyond, a change is refused, not cut (facts/sqs.md section 3).
5. A delete with an older handle is answered as success and does nothing. One with the newest handle deletes, even
   after its lease has ended, so long as nobody has received the message again (same section).
6. A call on the wire that SQS refuses raises `ServiceFailure`; a batch entry's refusal is returned, not raised.

`next_event_at()` says when something will happen by itself; `advance(now)` lets it happen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from forebay.model import MessageAttribute
from forebay.rules import queue_errors as errors
from forebay.rules.queue_attributes import (
    FIFO_UNSUPPORTED,
    QueueAttributes,
    check_known,
    parse_attributes,
    redrive_allow,
)
from forebay.rules.queue_batches import check_envelope
from forebay.rules.queue_contents import (
    BODY_MAX_BYTES,
    MessageContent,
    SendEntry,
    check_body,
    check_send,
    md5_of_attributes,
)
from forebay.rules.queue_errors import ServiceFailure
from forebay.rules.queue_receipts import read_receipt
from forebay.rules.queue_store import (
    GONE,
    IN_FLIGHT,
    NEVER,
    Delivery,
    QueueModes,
    StandardQueue,
    StoredMessage,
    Waiter,
)

if TYPE_CHECKING:
    from random import Random

__all__ = [
    "ChangeEntry",
    "DeleteEntry",
    "Delivery",
    "MessageAttribute",
    "QueueModes",
    "QueueService",
    "SendEntry",
    "SentMessage",
    "ServiceFailure",
    "Waiter",
]

VISIBILITY_MAX_S = 43_200
WAIT_MAX_S = 20
RECEIVE_MAX = 10
RECREATE_AFTER_S = 60.0
PURGE_EVERY_S = 60.0
LIST_MAX = 1_000

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


class SentMessage(NamedTuple):
    """The answer to one sent message."""

    message_id: str
    body_md5: str
    attributes_md5: str | None
    trace_header_md5: str | None


class DeleteEntry(NamedTuple):
    entry_id: str
    receipt: str


class ChangeEntry(NamedTuple):
    entry_id: str
    receipt: str
    seconds: int


class QueueService:
    """All queues of one account in one Region."""

    def __init__(
        self,
        region: str,
        account: str,
        rng: Random,
        *,
        endpoint: str = "http://127.0.0.1",
        epoch_ms: int = 0,
    ) -> None:
        """`epoch_ms` is the Unix time at `now=0`, for the timestamps; `endpoint` is the start of every queue's URL."""
        self.region = region
        self.account = account
        self.endpoint = endpoint
        self._rng = rng
        self._epoch_ms = epoch_ms
        self._queues: dict[str, StandardQueue] = {}
        self._created_s: dict[str, tuple[int, int]] = {}
        self._deleted_at: dict[str, float] = {}
        self._purged_at: dict[str, float] = {}
        self._by_url: dict[str, StandardQueue] = {}
        self._by_arn: dict[str, StandardQueue] = {}
        self._gone_answers: list[Waiter] = []
        self._now = -NEVER
        self._due_at = NEVER
        """Nothing happens by itself before this; something may at it."""

    # ── queues ─────────────────────────────────────────────────────────────────────────────────────────────

    def create_queue(
        self,
        name: str,
        attributes: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        now: float,
    ) -> str:
        """Create a queue, or find the one that has this name and these attributes; return its URL."""
        self.advance(now)
        if name.endswith(".fifo"):
            raise errors.unsupported_operation(FIFO_UNSUPPORTED)
        if not _NAME.fullmatch(name):
            raise errors.invalid_parameter(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
            )
        wanted = dict(attributes or {})
        if name in self._queues:
            return self._same_queue(name, wanted)
        if now - self._deleted_at.get(name, -NEVER) < RECREATE_AFTER_S:
            raise errors.queue_deleted_recently()
        parsed = parse_attributes(wanted)
        arn = self.arn(name)
        self._check_redrive(arn, parsed)
        queue = StandardQueue(
            name,
            arn,
            parsed,
            seal=self._rng.getrandbits(32),
            rng=self._rng,
            epoch_ms=self._epoch_ms,
            bury=self._bury,
        )
        queue.tags.update(tags or {})
        self._queues[name] = self._by_arn[arn] = queue
        self._created_s[name] = (queue.unix_ms(now) // 1000, queue.unix_ms(now) // 1000)
        return self.url(name)

    def _same_queue(self, name: str, wanted: Mapping[str, str]) -> str:
        shown = self._queues[name].attributes.shown
        parse_attributes(wanted)
        for attribute, value in wanted.items():
            if shown.get(attribute, "") != value:
                raise errors.queue_name_exists(attribute)
        return self.url(name)

    def _check_redrive(self, arn: str, attributes: QueueAttributes) -> None:
        """Raise when the dead-letter queue does not exist, is this queue, or does not accept it."""
        if attributes.redrive is None:
            return
        text = attributes.given["RedrivePolicy"]
        target = self._by_arn.get(attributes.redrive.dead_letter_arn)
        if target is None or target.arn == arn:
            raise errors.invalid_value("RedrivePolicy", text, "Dead letter target does not exist.")
        permission, sources = redrive_allow(target.attributes.given)
        if permission == "denyAll" or (permission == "byQueue" and arn not in sources):
            raise errors.invalid_value("RedrivePolicy", text, "The dead letter target does not allow this queue.")

    def url(self, name: str) -> str:
        return f"{self.endpoint}/{self.account}/{name}"

    def arn(self, name: str) -> str:
        return f"arn:aws:sqs:{self.region}:{self.account}:{name}"

    def get_queue_url(self, name: str) -> str:
        if name not in self._queues:
            raise errors.queue_does_not_exist()
        return self.url(name)

    def list_queues(
        self, *, prefix: str = "", count_max: int | None = None, token: str | None = None
    ) -> tuple[list[str], str | None]:
        """Return queue URLs in the order of their names, and the token of the next page if there is one."""
        names = sorted(name for name in self._queues if name.startswith(prefix))
        return self._page(names, count_max, token)

    def list_dead_letter_source_queues(
        self, url: str, *, count_max: int | None = None, token: str | None = None
    ) -> tuple[list[str], str | None]:
        """Return the URLs of the queues whose dead letters come to this one."""
        arn = self._queue(url).arn
        names = sorted(
            queue.name
            for queue in self._queues.values()
            if queue.attributes.redrive is not None and queue.attributes.redrive.dead_letter_arn == arn
        )
        return self._page(names, count_max, token)

    def _page(self, names: list[str], count_max: int | None, token: str | None) -> tuple[list[str], str | None]:
        if count_max is not None and not 1 <= count_max <= LIST_MAX:
            raise errors.invalid_value("MaxResults", count_max, f"Must be between 1 and {LIST_MAX}, if provided.")
        # The token is the last name of the page before, so that a queue deleted meanwhile does no harm.
        rest = [name for name in names if token is None or name > token]
        size = count_max or LIST_MAX
        page = rest[:size]
        # Without MaxResults AWS gives up to 1,000 and no token (API reference, ListQueues).
        following = page[-1] if count_max is not None and len(rest) > size else None
        return [self.url(name) for name in page], following

    def delete_queue(self, url: str, *, now: float) -> None:
        """Delete a queue and all it holds. Its waiting polls end with QueueDoesNotExist."""
        self.advance(now)
        queue = self._queue(url)
        queue.fail_waiters(errors.queue_does_not_exist())
        self._gone_answers += queue.answered
        del self._queues[queue.name], self._by_arn[queue.arn], self._created_s[queue.name]
        self._by_url = {known: other for known, other in self._by_url.items() if other is not queue}
        self._purged_at.pop(queue.name, None)
        self._deleted_at[queue.name] = now

    def purge_queue(self, url: str, *, now: float) -> None:
        """Remove every message, in flight or not. AWS may take 60 s over it; here it is done at once."""
        self.advance(now)
        queue = self._queue(url)
        if now - self._purged_at.get(queue.name, -NEVER) < PURGE_EVERY_S:
            raise errors.purge_in_progress(queue.name)
        self._purged_at[queue.name] = now
        queue.forget_all()

    def get_queue_attributes(self, url: str, names: Sequence[str], *, now: float) -> dict[str, str]:
        self.advance(now)
        queue = self._queue(url)
        wanted = frozenset(names)
        check_known(wanted)
        created_s, modified_s = self._created_s[queue.name]
        shown = {
            "QueueArn": queue.arn,
            **{name: str(count) for name, count in queue.counts().items()},
            "CreatedTimestamp": str(created_s),
            "LastModifiedTimestamp": str(modified_s),
            **queue.attributes.shown,
        }
        return shown if "All" in wanted else {name: value for name, value in shown.items() if name in wanted}

    def set_queue_attributes(self, url: str, attributes: Mapping[str, str], *, now: float) -> None:
        """Change attributes. AWS may take a minute (retention: 15) to act on it; here it counts at once."""
        self.advance(now)
        queue = self._queue(url)
        changed = parse_attributes(attributes, queue.attributes.given)
        self._check_redrive(queue.arn, changed)
        queue.attributes = changed
        self._created_s[queue.name] = (self._created_s[queue.name][0], queue.unix_ms(now) // 1000)
        self._due_at = now  # A shorter retention may be over already.
        self.advance(now)

    def tag_queue(self, url: str, tags: Mapping[str, str]) -> None:
        self._queue(url).tags.update(tags)

    def untag_queue(self, url: str, keys: Sequence[str]) -> None:
        tags = self._queue(url).tags
        for key in keys:
            tags.pop(key, None)

    def list_queue_tags(self, url: str) -> dict[str, str]:
        return dict(self._queue(url).tags)

    def modes(self, url: str) -> QueueModes:
        """How the queue behaves where AWS leaves it open; to be changed in place."""
        return self._queue(url).modes

    def swallowed_count(self, url: str) -> int:
        """Messages that abandoned polls have taken out of the queue so far."""
        return self._queue(url).swallowed_count

    def queue_urls(self) -> list[str]:
        return [self.url(name) for name in self._queues]

    # ── sending ────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, url: str, entry: SendEntry, *, now: float) -> SentMessage:
        """Take in one message; a poll that waits for it is answered at once."""
        self.advance(now)
        queue = self._queue(url)
        sent = self._send(queue, entry, now)
        self._settle_down(queue, now)
        return sent

    def send_batch(self, url: str, entries: Sequence[SendEntry], *, now: float) -> list[SentMessage | ServiceFailure]:
        """Take in up to ten messages together; the answer has one result for each, in order."""
        self.advance(now)
        queue = self._queue(url)
        check_envelope([entry.entry_id for entry in entries], "SendMessageBatchRequestEntry")
        total_bytes = sum(_size_bytes(entry) for entry in entries)
        if total_bytes > BODY_MAX_BYTES:
            raise errors.batch_too_long(total_bytes, BODY_MAX_BYTES)
        results: list[SentMessage | ServiceFailure] = []
        for entry in entries:
            try:
                results.append(self._send(queue, entry, now))
            except ServiceFailure as failure:
                results.append(failure)
        self._settle_down(queue, now)
        return results

    def _send(self, queue: StandardQueue, entry: SendEntry, now: float) -> SentMessage:
        check_send(entry)
        body_md5, _ = check_body(entry.body, entry.attributes, queue.attributes.size_max_bytes)
        content = MessageContent(
            self._message_id(),
            entry.body,
            body_md5,
            entry.attributes,
            queue.unix_ms(now),
            entry.group,
            entry.trace_header,
        )
        queue.add(content, now, queue.attributes.delay_s if entry.delay_s is None else entry.delay_s)
        trace = entry.trace_header
        return SentMessage(
            content.message_id,
            body_md5,
            md5_of_attributes(entry.attributes) if entry.attributes else None,
            md5_of_attributes({"AWSTraceHeader": MessageAttribute("String", trace)}) if trace else None,
        )

    def _message_id(self) -> str:
        """Return a random UUID of version 4, from the dice that were passed in."""
        digits = f"{self._rng.getrandbits(122):031x}"
        variant = "89ab"[int(digits[0], 16) & 3]
        return f"{digits[1:9]}-{digits[9:13]}-4{digits[13:16]}-{variant}{digits[16:19]}-{digits[19:]}"

    # ── receiving ──────────────────────────────────────────────────────────────────────────────────────────

    def receive(
        self,
        url: str,
        *,
        now: float,
        count_max: int = 1,
        wait_s: float | None = None,
        visibility_s: int | None = None,
        tag: object = None,
    ) -> list[Delivery] | Waiter:
        """Lease visible messages; when there are none and `wait_s` allows, return a `Waiter` that will have them.

        None for `wait_s` or `visibility_s` leaves it to the queue's own attributes.
        """
        self.advance(now)
        queue = self._queue(url)
        _check_receive(count_max, wait_s, visibility_s)
        wait_s = queue.attributes.wait_s if wait_s is None else wait_s
        if wait_s <= 0 and queue.in_flight >= queue.modes.in_flight_max:
            raise errors.over_limit()
        messages = queue.take(now, count_max, visibility_s, may_be_none=wait_s <= 0)
        if messages or wait_s <= 0:
            self._settle_down(queue, now)
            return messages
        waiter = Waiter(queue, count_max, visibility_s, now + wait_s, tag)
        queue.wait(waiter)
        self._note_due(queue)
        return waiter

    def cancel(self, waiter: Waiter, *, swallow: bool = False) -> None:
        """The client of a waiting poll is gone.

        `swallow` leaves the poll waiting, as the real service does: what it is answered with is hidden from everybody
        for the visibility that it asked for, and reaches nobody (aws-sdk-js issue 2350).
        """
        if not waiter.is_open:
            return
        if swallow:
            waiter.is_abandoned = True
        else:
            waiter.queue.end(waiter)

    def take_answered(self) -> list[Waiter]:
        """Return the waiters that have ended since the last call, in the order in which they ended."""
        answered, self._gone_answers = self._gone_answers, []
        for queue in self._queues.values():
            if queue.answered:
                answered += queue.answered
                queue.answered = []
        return answered

    # ── settling ───────────────────────────────────────────────────────────────────────────────────────────

    def delete(self, url: str, receipt: str, *, now: float) -> None:
        """Delete the message of this handle, if the handle is its newest. Deleting twice is no error."""
        self.advance(now)
        queue = self._queue(url)
        self._delete(queue, receipt)
        self._settle_down(queue, now)

    def delete_batch(self, url: str, entries: Sequence[DeleteEntry], *, now: float) -> list[ServiceFailure | None]:
        """Delete up to ten; None stands for an entry that succeeded."""
        self.advance(now)
        queue = self._queue(url)
        check_envelope([entry.entry_id for entry in entries], "DeleteMessageBatchRequestEntry")
        results: list[ServiceFailure | None] = []
        for _, receipt in entries:
            try:
                self._delete(queue, receipt)
                results.append(None)
            except ServiceFailure as failure:
                results.append(failure)
        self._settle_down(queue, now)
        return results

    def _delete(self, queue: StandardQueue, receipt: str) -> None:
        serial, delivery = read_receipt(receipt, queue.seal)
        message = queue.messages.get(serial)
        if message is None or message.delivery != delivery:
            return
        if queue.modes.deletes_lost > 0:
            queue.modes.deletes_lost -= 1
            return
        queue.forget(message)

    def change_visibility(self, url: str, receipt: str, seconds: int, *, now: float) -> None:
        """End the lease of this handle `seconds` from now; 0 gives the message back at once."""
        self.advance(now)
        queue = self._queue(url)
        self._change(queue, receipt, seconds, now)
        self._settle_down(queue, now)

    def change_visibility_batch(
        self, url: str, entries: Sequence[ChangeEntry], *, now: float
    ) -> list[ServiceFailure | None]:
        """Change up to ten leases; None stands for an entry that succeeded."""
        self.advance(now)
        queue = self._queue(url)
        check_envelope([entry.entry_id for entry in entries], "ChangeMessageVisibilityBatchRequestEntry")
        results: list[ServiceFailure | None] = []
        for _, receipt, seconds in entries:
            try:
                self._change(queue, receipt, seconds, now)
                results.append(None)
            except ServiceFailure as failure:
                results.append(failure)
        self._settle_down(queue, now)
        return results

    def _change(self, queue: StandardQueue, receipt: str, seconds: int, now: float) -> None:
        serial, delivery = read_receipt(receipt, queue.seal)
        _check_visibility(seconds)
        message = queue.messages.get(serial)
        if message is None or message.place == GONE or message.delivery != delivery:
            raise errors.no_such_message(receipt)
        if message.place != IN_FLIGHT:
            raise errors.message_not_in_flight()
        if now - message.received_at + seconds > VISIBILITY_MAX_S:
            raise errors.beyond_the_ceiling(seconds)
        if seconds == 0:
            queue.reveal(message)
        else:
            queue.hide_until(message, now + seconds)

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def due_at(self) -> float:
        """A lower bound of `next_event_at()`, at no cost: nothing happens by itself before it. Infinity for never."""
        return self._due_at

    def next_event_at(self) -> float | None:
        """Return when something will happen by itself, or None if nothing will without a call."""
        self._due_at = min((queue.next_event_at() for queue in self._queues.values()), default=NEVER)
        return None if self._due_at == NEVER else self._due_at

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`, in the order of time."""
        assert now >= self._now, f"time went back from {self._now} to {now}"
        while self._due_at <= now:
            at = self.next_event_at()
            if at is None or at > now:
                break
            # What was overdue before a change of attributes happens now, not in the past.
            at = max(at, self._now)
            for queue in self._queues.values():
                queue.turn(at)
            self._due_at = at
        self._now = now

    def _settle_down(self, queue: StandardQueue, now: float) -> None:
        """After a change: answer the polls that it serves, and note when the queue's next event is."""
        queue.dispatch(now)
        self._note_due(queue)

    def _note_due(self, queue: StandardQueue) -> None:
        at = queue.next_event_at()
        if at < self._due_at:
            self._due_at = at

    def _bury(self, source: StandardQueue, message: StoredMessage, now: float) -> bool:
        """Move a message that was received too often. False when its dead-letter queue does not exist."""
        assert source.attributes.redrive is not None
        target = self._by_arn.get(source.attributes.redrive.dead_letter_arn)
        if target is None:
            return False
        target.add_dead_letter(message, source.arn)
        self._settle_down(target, now)
        return True

    def _queue(self, url: str) -> StandardQueue:
        queue = self._by_url.get(url)
        if queue is None:
            # Clients name the host as they please: only the path tells queues apart.
            account, _, name = "/".join(url.rsplit("/", 2)[-2:]).partition("/")
            queue = self._queues.get(name)
            if queue is None or account != self.account:
                raise errors.queue_does_not_exist()
            if len(self._by_url) < LIST_MAX:
                self._by_url[url] = queue
        return queue


def _check_receive(count_max: int, wait_s: float | None, visibility_s: int | None) -> None:
    if not 1 <= count_max <= RECEIVE_MAX:
        raise errors.invalid_value("MaxNumberOfMessages", count_max, "Must be between 1 and 10, if provided.")
    if wait_s is not None and not 0 <= wait_s <= WAIT_MAX_S:
        raise errors.invalid_value("WaitTimeSeconds", wait_s, "Must be >= 0 and <= 20, if provided.")
    if visibility_s is not None:
        _check_visibility(visibility_s)


def _check_visibility(seconds: int) -> None:
    if not 0 <= seconds <= VISIBILITY_MAX_S:
        reason = "VisibilityTimeout must be an integer between 0 and 43200."
        raise errors.invalid_value("VisibilityTimeout", seconds, reason)


def _size_bytes(entry: SendEntry) -> int:
    """Return an entry's size as the batch limit counts it. What cannot be encoded is refused later, by itself."""
    size_bytes = len(entry.body) if entry.body.isascii() else len(entry.body.encode("utf-8", "surrogatepass"))
    for name, (data_type, value) in entry.attributes.items():
        size_bytes += (
            len(name)
            + len(data_type)
            + len(value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass"))
        )
    return size_bytes
