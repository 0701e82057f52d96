"""What an executor calls for a batch of attempts, and the end of each of them.

Rules kept here and nowhere else:

1. An item that does not fit its type is rejected alone and is not in the batch. Without items nothing is called.
2. The handler returns: every item that has not failed has succeeded. It raises: every item without an end of its own
   ends by what was raised.
3. Middleware and dependencies are around the whole call, once, after the items have been read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from forebay.api.batch import Batch, BatchContext
from forebay.api.calling import checked
from forebay.api.decode import Decode
from forebay.api.signature import Signature
from forebay.api.surroundings import Surroundings
from forebay.handlers.batches import Partly
from forebay.handlers.failure import outcome_of
from forebay.model import SUCCEEDED, Attempt, Outcome

_OnLoop = Callable[[Sequence[Attempt]], Coroutine[Any, Any, list[Outcome]]]
_OnThread = Callable[[Sequence[Attempt]], list[Outcome]]


def batch_calling(
    signature: Signature, function: Callable[..., Any], decode: Decode, surroundings: Surroundings
) -> _OnLoop | _OnThread:
    """Return what an executor calls. `decode` reads one item, under the name of the handler's parameter."""
    [parameter] = signature.parameters
    shared = surroundings.lifespan.shared
    around = surroundings.around(signature.name, signature.dependencies)
    is_coroutine = inspect.iscoroutinefunction(function)
    if not is_coroutine:
        function = checked(signature.name, function)

    enter = None if around is None else around.on_loop if is_coroutine else around.on_thread

    def call(batch: _Reading) -> Any:
        ctx = batch.ctx(shared)
        items = {parameter.name: batch.items(ctx)}
        first = (ctx,) if signature.wants_context else ()
        if enter is None:
            return function(*first, **items)
        return enter(ctx, lambda: items, lambda arguments: function(*first, **arguments))

    async def on_loop(attempts: Sequence[Attempt]) -> list[Outcome]:
        batch = _Reading(attempts, decode, parameter.name)
        try:
            if not batch.is_empty:
                await call(batch)
        except BaseException as error:
            if (own := batch.own_ends()) is None:
                raise
            raise Partly(own, error) from None
        return batch.ends()

    def on_thread(attempts: Sequence[Attempt]) -> list[Outcome]:
        batch = _Reading(attempts, decode, parameter.name)
        try:
            if not batch.is_empty:
                call(batch)
        except BaseException as error:
            if (own := batch.own_ends()) is None:
                raise
            raise Partly(own, error) from None
        return batch.ends()

    return on_loop if is_coroutine else on_thread


class _Reading:
    """The messages of a batch, read, and the end of each as far as it is known."""

    def __init__(self, attempts: Sequence[Attempt], decode: Decode, parameter: str) -> None:
        self._own: list[Outcome | None] = []
        self._fitting: list[Attempt] = []
        self._values: list[Any] = []
        self._batch: Batch[Any] | None = None
        for attempt in attempts:
            try:
                self._values.append(decode(attempt.message)[parameter])
                self._fitting.append(attempt)
                self._own.append(None)
            except Exception as error:  # noqa: BLE001 - a validator is the user's, and one item must not cost the others
                self._own.append(outcome_of(error))

    @property
    def is_empty(self) -> bool:
        return not self._fitting

    def ctx(self, shared: Any) -> BatchContext:
        return BatchContext(self._fitting, shared)

    def items(self, ctx: BatchContext) -> Batch[Any]:
        self._batch = Batch(self._values, ctx)
        return self._batch

    def ends(self) -> list[Outcome]:
        """Return the end of every attempt, when the handler has returned or was not called."""
        return [SUCCEEDED if own is None else own for own in self._all_own()]

    def own_ends(self) -> list[Outcome | None] | None:
        """Return the ends that do not depend on the call, with None for the others; None if there are none."""
        own = self._all_own()
        return own if any(one is not None for one in own) else None

    def _all_own(self) -> list[Outcome | None]:
        ends = iter(self._batch.end() if self._batch is not None else [None] * len(self._fitting))
        return [next(ends) if own is None else own for own in self._own]
