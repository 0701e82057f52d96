"""One declared batch handler: its function, its items' type, and how they are put together.

Rules kept here and nowhere else:

1. The one parameter of its own is a `Batch[T]`. A message carries one item: its whole body is the JSON of a `T`.
2. Sizes and times that can never work are refused where the handler is declared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from forebay.api.batch import item_type
from forebay.api.batch_calling import batch_calling
from forebay.api.declared import Declared
from forebay.api.decode import item_decoder
from forebay.api.durations import Duration, seconds
from forebay.api.envelopes import is_envelope
from forebay.api.job_options import JobOptions
from forebay.api.surroundings import Surroundings
from forebay.errors import JobError, SettingsError
from forebay.handlers.registry import BatchRule, Handler
from forebay.model import Message

if TYPE_CHECKING:
    from forebay.api.arguments import OneValue

SIZE_MAX = 10_000
LINGER_MAX_S = 300.0
"""Messages that wait for their batch are held, leased and renewed: five minutes of that is a lot."""


def batch_rule(job: str, *, size: int, linger: Duration) -> BatchRule:
    """Return how the batches of a job are put together. Raises `SettingsError` for what makes no sense."""
    if type(size) is not int or not 1 <= size <= SIZE_MAX:
        raise SettingsError(f"size={size} of batch job {job!r} must be a whole number from 1 to {SIZE_MAX:,}")
    linger_s = seconds(f"linger of batch job {job!r}", linger)
    if not 0 <= linger_s <= LINGER_MAX_S:
        raise SettingsError(f"linger={linger_s:g} s of batch job {job!r} must be from 0 to {LINGER_MAX_S:g} s")
    return BatchRule(size, linger_s)


class DeclaredBatch(Declared):
    """What a worker knows of a batch handler."""

    def __init__(
        self, function: Callable[..., object], options: JobOptions, surroundings: Surroundings, rule: BatchRule
    ) -> None:
        super().__init__(function, options, surroundings)
        self._rule = rule
        self._is_default = False
        self._item: OneValue | None = None

    def body(self, arguments: tuple[object, ...], keywords: Mapping[str, object]) -> str:
        """Return the body that carries one item."""
        if keywords or len(arguments) != 1:
            raise TypeError(f"batch job {self.name!r} is sent one item at a time: enqueue(item)")
        return self._ready_item().write(arguments[0])

    async def get_ready(self) -> None:
        if self._item is None:
            await asyncio.to_thread(self._ready_item)

    def handler(self, *, is_default: bool = False) -> Handler:
        self._is_default = is_default
        decode = item_decoder(self.signature, self.options, self._item_type(), is_default=is_default)
        call: Any = batch_calling(self.signature, self.function, decode, self._surroundings)
        return replace(self._handler(call), batch=self._rule)

    def _item_type(self) -> Any:
        annotations = self.signature.annotations()
        item = item_type(next(iter(annotations.values()))) if len(annotations) == 1 else None
        if item is None:
            raise JobError(
                f"batch job {self.name!r} needs one parameter that is a batch, such as `items: Batch[Event]`, beside "
                "the Context and dependencies"
            )
        return item

    def _ready_item(self) -> OneValue:
        if self._item is None:
            from forebay.api.arguments import OneValue

            item = self._item_type()
            if self._is_default or item is Message or is_envelope(item):
                raise JobError(
                    f"batch job {self.name!r} cannot be sent: its items are whole messages, which others make. Send a "
                    "body to the queue"
                )
            self._item = OneValue(self.name, item)
        return self._item
