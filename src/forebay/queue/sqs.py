"""A source over Amazon SQS: what a worker needs of a queue, in SQS's own words.

Rules kept here and nowhere else:

1. A lease counts from the first byte of the receive's answer, stamped where the bytes arrive.
2. A call that settles or renews may take a sixth of the visibility at most, so that others still fit after it.
3. A denied question is answered with the statement to grant; a denied call carries it in its error.
4. The dead-letter queue is the one given, else the one in the queue's RedrivePolicy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from forebay.errors import Fault, FaultKind, QueueError
from forebay.model import Message
from forebay.queue.burial import buried_copy, read_message_max_bytes, read_redrive_policy
from forebay.queue.calls import Caller
from forebay.queue.grants import QueueArn, statement
from forebay.queue.keyring import Notify, ignore
from forebay.queue.port import BATCH_MAX, WAIT_MAX_S, Counts, Description, Outgoing, Received, Visibility
from forebay.queue.resolve import ClientConfig
from forebay.queue.shapes import malformed
from forebay.queue.wire import CALL_TIMEOUT_S, POLL_MARGIN_S, PROBE_MARGIN_S, SqsClient

_LIMITS = ("QueueArn", "RedrivePolicy", "MaximumMessageSize")
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class SqsSource:
    """One SQS queue that a worker receives from. Implements `queue.port.Source`."""

    def __init__(
        self,
        queue_url: str,
        client: SqsClient,
        *,
        dead_letter_url: str | None = None,
        region: str | None = None,
        wait_max_s: float = WAIT_MAX_S,
        notify: Notify = ignore,
    ) -> None:
        """`wait_max_s` is the longest that a poll may take, however long it is asked to."""
        self._queue_url = queue_url
        self._client = client
        self._dead_letter_url = dead_letter_url
        self._region = region
        self._wait_max_s = wait_max_s
        self._notify = notify
        self._call_timeout_s = CALL_TIMEOUT_S
        self._poll_margin_s = POLL_MARGIN_S

    @classmethod
    def open(
        cls,
        queue_url: str,
        config: ClientConfig,
        *,
        dead_letter_url: str | None = None,
        notify: Notify = ignore,
    ) -> SqsSource:
        """Return a source with a client of its own. Nothing is looked up or opened before the first call."""
        client = SqsClient(Caller.from_config(queue_url, config, notify=notify))
        return cls(queue_url, client, dead_letter_url=dead_letter_url, region=config.region, notify=notify)

    @property
    def key(self) -> str:
        """The queue's URL."""
        return self._queue_url

    @property
    def client(self) -> SqsClient:
        """The client in use; its `caller.tally` counts the requests."""
        return self._client

    async def describe(self) -> Description:
        """Ask for the queue's ARN, dead-letter queue and limits."""
        is_fifo = self._queue_url.endswith(".fifo")
        try:
            attributes = await self._client.get_queue_attributes(self._queue_url, _LIMITS)
        except QueueError as error:
            if error.fault.kind is not FaultKind.DENIED:
                raise
            return await self._description_without_permission(is_fifo)
        dead_letter_arn, receive_count_max, notes = read_redrive_policy(attributes.get("RedrivePolicy"))
        if self._dead_letter_url is None and dead_letter_arn is not None:
            self._dead_letter_url, further = await self._find(dead_letter_arn)
            notes += further
        arn, most_bytes = attributes.get("QueueArn"), read_message_max_bytes(attributes.get("MaximumMessageSize"))
        return Description(
            arn, self._dead_letter_url, receive_count_max, is_fifo=is_fifo, message_max_bytes=most_bytes, notes=notes
        )

    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        """Wait up to `wait_s` for up to `count_max` messages, hidden from others for `visibility_s`."""
        assert 1 <= count_max <= BATCH_MAX, count_max
        self._call_timeout_s = min(CALL_TIMEOUT_S, max(1.0, visibility_s / 6))
        try:
            poll = await self._client.receive_message(
                self._queue_url,
                count_max=count_max,
                wait_s=min(wait_s, self._wait_max_s),
                visibility_s=visibility_s,
                margin_s=self._poll_margin_s,
            )
        except QueueError as error:
            if error.fault.kind.is_transient:
                self._poll_margin_s = PROBE_MARGIN_S
            raise self._with_remedy(error) from error
        self._poll_margin_s = POLL_MARGIN_S
        messages, damaged = poll.delivered
        for message_id, reason in damaged:
            self._notify(
                "message.corrupt",
                {"queue": self._queue_url.rpartition("/")[2], "message_id": message_id, "reason": reason},
            )
        return Received(messages, poll.first_byte_at, self._queue_wait_s(messages) if messages else 0.0)

    async def change_visibility(self, entries: Sequence[Visibility]) -> Mapping[int, Fault]:
        """Hide deliveries for so many seconds from now; 0 gives them back."""
        assert 1 <= len(entries) <= BATCH_MAX, len(entries)
        try:
            return await self._client.change_message_visibility_batch(
                self._queue_url, entries, timeout_s=self._call_timeout_s
            )
        except QueueError as error:
            raise self._with_remedy(error) from error

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, Fault]:
        """Delete deliveries for good."""
        assert 1 <= len(receipts) <= BATCH_MAX, len(receipts)
        try:
            return await self._client.delete_message_batch(self._queue_url, receipts, timeout_s=self._call_timeout_s)
        except QueueError as error:
            raise self._with_remedy(error) from error

    async def bury(self, message: Message, *, error: str) -> None:
        """Send a copy to the dead-letter queue. Returns once SQS has confirmed it."""
        dead_letter_url = self._dead_letter_url
        if dead_letter_url is None:
            raise QueueError(
                Fault(FaultKind.MISSING, "NoDeadLetterQueue", "the queue has none: set a RedrivePolicy"),
                operation="bury",
            )
        await self._send(buried_copy(message, error, is_fifo=dead_letter_url.endswith(".fifo")), dead_letter_url)

    async def resend(self, message: Outgoing) -> None:
        """Send one message to this queue. Returns once SQS has confirmed it."""
        await self._send(message, self._queue_url)

    async def _send(self, copy: Outgoing, queue_url: str) -> None:
        try:
            (sent,) = await self._client.send_message_batch(
                queue_url,
                [copy],
                is_repeatable=True,  # two copies are better than none
                timeout_s=self._call_timeout_s,
            )
        except QueueError as refusal:
            raise self._with_remedy(refusal, queue_url) from refusal
        if sent.fault is not None:
            raise self._with_remedy(QueueError(sent.fault, operation="SendMessageBatch"), queue_url)

    async def count(self) -> Counts:
        """Ask for the queue's approximate numbers."""
        try:
            attributes = await self._client.get_queue_attributes(self._queue_url, _COUNTS)
        except QueueError as error:
            raise self._with_remedy(error) from error
        try:
            visible, in_flight, delayed = (int(attributes[name]) for name in _COUNTS)
        except (KeyError, ValueError) as error:
            raise malformed("a count is missing or no number") from error
        return Counts(visible, in_flight, delayed)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def _queue_wait_s(self, messages: Sequence[Message]) -> float:
        """Return the longest that a message on its first delivery has waited, by the service's clock."""
        sent_first_ms = min(
            (
                message.sent_at_ms
                for message in messages
                if message.receive_count == 1 and message.sent_at_ms is not None
            ),
            default=None,
        )
        return 0.0 if sent_first_ms is None else max(0.0, self._client.caller.utc_s - sent_first_ms / 1000)

    async def _description_without_permission(self, is_fifo: bool) -> Description:
        """Return what is known of a queue that denies GetQueueAttributes, as Copilot's do."""
        missing = ["GetQueueAttributes"]
        if not await self._may_renew():
            missing.append("ChangeMessageVisibilityBatch")
        arn = self._arn()
        note = f"the queue does not let us ask for its dead-letter queue and limits; grant {self._grant(missing)}"
        if len(missing) > 1:
            note = f"the queue allows neither questions nor heartbeats; grant {self._grant(missing)}"
        return Description(
            str(arn) if arn else None,
            self._dead_letter_url,
            is_fifo=is_fifo,
            may_renew=len(missing) == 1,
            notes=(note,),
        )

    async def _may_renew(self) -> bool:
        """Ask whether ChangeMessageVisibility is allowed, with a receipt that no queue has given."""
        try:
            await self._client.change_message_visibility_batch(self._queue_url, [Visibility("forebay-asks", 0)])
        except QueueError as error:
            # Any other trouble says nothing about the permission: the first heartbeat will tell.
            return error.fault.kind is not FaultKind.DENIED
        return True

    async def _find(self, dead_letter_arn: str) -> tuple[str | None, tuple[str, ...]]:
        """Return the URL of the queue of this ARN, and what the operator should know."""
        arn = QueueArn.parse(dead_letter_arn)
        if arn is None:
            return None, (f"the RedrivePolicy names {dead_letter_arn!r}, which is no queue's ARN",)
        try:
            return await self._client.get_queue_url(arn.name, owner=arn.account), ()
        except QueueError as error:
            if error.fault.kind is FaultKind.DENIED:
                return arn.url_beside(self._queue_url), ()
            if error.fault.kind is FaultKind.MISSING:
                return None, (f"the RedrivePolicy names {dead_letter_arn}, which does not exist",)
            raise

    def _with_remedy(self, error: QueueError, queue_url: str | None = None) -> QueueError:
        """Return `error`, with the statement to grant if a permission is missing."""
        if error.fault.kind is not FaultKind.DENIED:
            return error
        detail = f"{error.fault.detail or 'denied'}; grant {self._grant([error.operation], queue_url)}"
        return QueueError(Fault(FaultKind.DENIED, error.fault.code, detail), operation=error.operation)

    def _grant(self, operations: Sequence[str], queue_url: str | None = None) -> str:
        return statement(operations, str(self._arn(queue_url) or "<the queue's ARN>"))

    def _arn(self, queue_url: str | None = None) -> QueueArn | None:
        return QueueArn.of_url(queue_url or self._queue_url, region=self._region)
