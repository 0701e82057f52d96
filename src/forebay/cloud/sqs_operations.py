"""The operations of SQS by name: each takes a request's JSON and carries it out on the rules.

Rules kept here and nowhere else:

1. An operation answers with a JSON object, or with a `Waiter` whose answer comes later.
2. What the local SQS does not do is refused with UnsupportedOperation, never half done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from forebay.cloud.sqs_administration import Administration
from forebay.cloud.sqs_protocol import (
    SYSTEM_ATTRIBUTES,
    Json,
    Params,
    View,
    bare,
    batch,
    entries_of,
    loads,
    names_of,
    number_of,
    optional_text_of,
    received,
    seconds_of,
    send_entry_of,
    sent,
    text_of,
)
from forebay.rules import queue_errors as errors
from forebay.rules.queue_semantics import ChangeEntry, DeleteEntry, QueueService, Waiter


def read_params(body: bytes) -> Json:
    """Return what a request asks for. Raises SerializationException."""
    try:
        params: object = loads(body or b"{}")
    except ValueError:
        raise errors.serialization_failure("The request's body is no JSON.") from None
    if not isinstance(params, dict):
        raise errors.serialization_failure("The request's body is no JSON object.")
    return cast("Json", params)


class Operations:
    """The operations of SQS by name, over one `QueueService`."""

    def __init__(self, service: QueueService) -> None:
        self.service = service
        self.table: Mapping[str, Callable[[Params, float], Json | Waiter]] = {
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_message_batch,
            "ReceiveMessage": self._receive_message,
            "DeleteMessage": self._delete_message,
            "DeleteMessageBatch": self._delete_message_batch,
            "ChangeMessageVisibility": self._change_message_visibility,
            "ChangeMessageVisibilityBatch": self._change_message_visibility_batch,
            **Administration(service).table,
        }

    def call(self, operation: str, params: Params, now: float) -> Json | Waiter:
        """Carry out one request. Raises `ServiceFailure` for what SQS refuses as a whole."""
        function = self.table.get(operation)
        if function is None:
            raise errors.unsupported_operation(
                f"The local SQS does not serve {operation or 'a call without a target'}."
            )
        return function(params, now)

    def received(self, waiter: Waiter) -> Json:
        """Render what a waiting poll has been answered with."""
        view = waiter.tag
        assert isinstance(view, View)
        return received(waiter.messages, view, self.service.account)

    # messages

    def _send_message(self, params: Params, now: float) -> Json:
        return sent(self.service.send(text_of(params, "QueueUrl"), send_entry_of(params), now=now))

    def _send_message_batch(self, params: Params, now: float) -> Json:
        url = text_of(params, "QueueUrl")
        entries = [send_entry_of(entry) for entry in entries_of(params)]
        results = self.service.send_batch(url, entries, now=now)
        return batch([entry.entry_id for entry in entries], results, sent)

    def _receive_message(self, params: Params, now: float) -> Json | Waiter:
        view = View(
            names_of(params, "MessageSystemAttributeNames") | names_of(params, "AttributeNames"),
            names_of(params, "MessageAttributeNames"),
        )
        for name in view.system - SYSTEM_ATTRIBUTES:
            raise errors.unknown_attribute(name)
        count_max = number_of(params, "MaxNumberOfMessages")
        answer = self.service.receive(
            text_of(params, "QueueUrl"),
            now=now,
            count_max=1 if count_max is None else count_max,
            wait_s=number_of(params, "WaitTimeSeconds"),
            visibility_s=number_of(params, "VisibilityTimeout"),
            attempt_id=optional_text_of(params, "ReceiveRequestAttemptId"),
            tag=view,
        )
        return answer if isinstance(answer, Waiter) else received(answer, view, self.service.account)

    def _delete_message(self, params: Params, now: float) -> Json:
        self.service.delete(text_of(params, "QueueUrl"), text_of(params, "ReceiptHandle"), now=now)
        return {}

    def _delete_message_batch(self, params: Params, now: float) -> Json:
        url = text_of(params, "QueueUrl")
        entries = [
            DeleteEntry(optional_text_of(entry, "Id") or "", text_of(entry, "ReceiptHandle"))
            for entry in entries_of(params)
        ]
        results = self.service.delete_batch(url, entries, now=now)
        return batch([entry.entry_id for entry in entries], results, bare)

    def _change_message_visibility(self, params: Params, now: float) -> Json:
        url, receipt = text_of(params, "QueueUrl"), text_of(params, "ReceiptHandle")
        self.service.change_visibility(url, receipt, seconds_of(params), now=now)
        return {}

    def _change_message_visibility_batch(self, params: Params, now: float) -> Json:
        url = text_of(params, "QueueUrl")
        entries = [
            ChangeEntry(optional_text_of(entry, "Id") or "", text_of(entry, "ReceiptHandle"), seconds_of(entry))
            for entry in entries_of(params)
        ]
        results = self.service.change_visibility_batch(url, entries, now=now)
        return batch([entry.entry_id for entry in entries], results, bare)
