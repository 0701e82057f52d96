"""A batch as an executor sees it: several attempts, one call, and an outcome for each.

Rules kept here and nowhere else:

1. Attempts of one batch number are one call; they stay in the order in which they were handed over.
2. When the call raises, items that had an end of their own keep it; the exception is the end of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from forebay.model import Attempt, Outcome


class Partly(BaseException):
    """A batch handler has raised `error` after some of its items had got ends of their own."""

    def __init__(self, own: Sequence[Outcome | None], error: BaseException) -> None:
        """`own` has one place for each attempt of the batch: its own end, or None."""
        super().__init__()
        self.own = own
        self.error = error


def ends_of(
    error: BaseException, attempts: Sequence[Attempt], end_of: Callable[[BaseException], Outcome]
) -> list[Outcome]:
    """Return how each attempt has ended when their one call raised `error`."""
    if not isinstance(error, Partly):
        return [end_of(error)] * len(attempts)
    rest = end_of(error.error)
    return [rest if own is None else own for own in error.own]


def gathered(attempts: Iterable[Attempt]) -> tuple[list[Attempt], list[tuple[Attempt, ...]]]:
    """Return the single attempts and the batches among those handed over."""
    singles: list[Attempt] = []
    batches: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.batch:
            batches.setdefault(attempt.batch, []).append(attempt)
        else:
            singles.append(attempt)
    return singles, [tuple(batch) for batch in batches.values()]
