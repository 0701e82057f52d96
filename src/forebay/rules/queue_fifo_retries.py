"""Receives that may be asked for again: ReceiveRequestAttemptId, of FIFO queues only.

Rules kept here and nowhere else (API reference, ReceiveMessage, ReceiveRequestAttemptId; facts/sqs.md section 3):

1. For 300 s after a receive that brought messages, one with the same token brings the same messages under the same
   handles, and hides them anew from its own time on.
2. That ends when one of them was deleted, had its visibility changed, or became visible: then the token stands for
   nothing, and a receive with it is one like any other. What AWS answers then, it does not say.
3. A repeated answer counts as no further receive. AWS does not say whether it does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from forebay.rules.queue_messages import IN_FLIGHT, StoredMessage
from forebay.rules.queue_receipts import Receipt

WINDOW_S = 300.0


class PastReceive(NamedTuple):
    """What a receive with a token brought."""

    asked_at: float
    receipts: tuple[Receipt, ...]


class Retries:
    """The tokens of one FIFO queue."""

    def __init__(self) -> None:
        self.by_token: OrderedDict[str, PastReceive] = OrderedDict()
        """In the order of their first receive. Those older than the window count for nothing."""
        self._token_of: dict[int, str] = {}
        """By a message's serial: the last receive with a token that brought it."""
        self.changed: set[str] | None = None
        """Tokens noted or forgotten since somebody who keeps them last looked; None: nobody keeps them."""

    def note(self, token: str, receipts: Iterable[Receipt], now: float) -> None:
        """Remember what a receive with a token has brought."""
        self._forget(token)
        past = self.by_token[token] = PastReceive(now, tuple(receipts))
        for receipt in past.receipts:
            self._token_of[receipt.serial] = token

    def recall(self, token: str, messages: Mapping[int, StoredMessage], now: float) -> list[StoredMessage]:
        """Return what a receive with this token is to bring again; nothing when it is one like any other."""
        self._forget_old(now)
        past = self.by_token.get(token)
        if past is None:
            return []
        found = [messages.get(receipt.serial) for receipt in past.receipts]
        again = [
            message
            for message, receipt in zip(found, past.receipts, strict=True)
            if message is not None and message.delivery == receipt.delivery and message.place == IN_FLIGHT
        ]
        if len(again) < len(past.receipts):
            self._forget(token)
            return []
        return again

    def modified(self, serial: int) -> None:
        """A message had its visibility changed: the receive that brought it cannot be repeated."""
        token = self._token_of.get(serial)
        if token is not None:
            self._forget(token)

    def _forget(self, token: str) -> None:
        if self.changed is not None:
            self.changed.add(token)
        past = self.by_token.pop(token, None)
        for receipt in past.receipts if past is not None else ():
            if self._token_of.get(receipt.serial) == token:
                del self._token_of[receipt.serial]

    def _forget_old(self, now: float) -> None:
        while self.by_token:
            token = next(iter(self.by_token))
            if now - self.by_token[token].asked_at < WINDOW_S:
                break
            self._forget(token)
