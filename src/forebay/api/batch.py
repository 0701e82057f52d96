"""Many items for one call: what a batch handler is given, and says of each.

Rules kept here and nowhere else:

1. Items stand in the order in which their messages were received. Each is settled on its own: an item that `fail` was
   called for ends so, whatever becomes of the others.
2. What `fail` is given means what it would mean if it had been raised: `RetryLater` and `Reject` are answers.
3. The last word about an item counts, and after the handler has ended there is nothing more to say.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeVar, get_args, get_origin, overload

from forebay.api.context import Context, JobLog
from forebay.api.durations import Duration
from forebay.api.flag import Flag
from forebay.api.shared import Shared
from forebay.errors import JobError, Misuse
from forebay.handlers.failure import outcome_of
from forebay.model import Attempt, Message, Outcome

T_co = TypeVar("T_co", covariant=True)
_T = TypeVar("_T")


class ItemFailed(Exception):
    """What an item has failed with when its handler had only words for it."""


class BatchContext(Context):
    """The Context of a batch. `message`, `attempt` and `lease_lost` are those of its first message."""

    __slots__ = ("attempts",)

    def __init__(self, attempts: Sequence[Attempt], shared: Shared | None = None) -> None:
        super().__init__(attempts[0], shared)
        self.attempts = tuple(attempts)

    def __repr__(self) -> str:
        return f"<Context job={self.job!r} of a batch of {len(self.attempts)}>"

    @property
    def messages(self) -> tuple[Message, ...]:
        """The deliveries whose items are in the batch, in the order of the items."""
        return tuple(attempt.message for attempt in self.attempts)

    @property
    def remaining_s(self) -> float:
        """Seconds left until the first time limit of the batch ends. 0 when it has passed."""
        return min(Context(attempt).remaining_s for attempt in self.attempts)

    def extend(self, limit: Duration) -> None:
        """Ask that the time limit of the whole batch end `limit` from now."""
        for attempt in self.attempts:
            Context(attempt).extend(limit)

    @property
    def state(self) -> None:
        """None: a batch has no state to go on from."""
        return None

    def checkpoint(self, state: object) -> NoReturn:  # noqa: ARG002 - the same call as everywhere
        """Raise `JobError`: each message would need a state of its own."""
        raise Misuse(
            f"checkpoint of job {self.job!r}: a batch has no state. Items that are not done when `items.stopping` "
            "comes true can be handed back: items.fail(i, RetryLater())"
        )

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger, `forebay.job.NAME`, whose records carry `job` and `batch`, its number in this worker."""
        carried = {"job": self.job, "batch": self.attempts[0].batch}
        return JobLog(logging.getLogger(f"forebay.job.{self.job}"), carried)


class Batch(Sequence[T_co]):
    """The items of one call of a batch handler, validated."""

    __slots__ = ("_ctx", "_failures", "_has_ended", "_items")

    def __init__(self, items: Sequence[T_co], ctx: BatchContext) -> None:
        assert len(items) == len(ctx.attempts), (len(items), len(ctx.attempts))
        self._items = tuple(items)
        self._ctx = ctx
        self._failures: dict[int, BaseException] = {}
        self._has_ended = False

    @classmethod
    def of(cls, items: Iterable[_T]) -> Batch[_T]:
        """Return a batch of these items, to call a batch handler directly with. For tests."""
        given = tuple(items)
        if not given:
            raise JobError("Batch.of([]): a handler is never called without items")
        attempts = [
            Attempt(number, "batch", Message("test", f"message-{number}", "receipt", ""), 60.0, batch=1)
            for number in range(1, len(given) + 1)
        ]
        return Batch(given, BatchContext(attempts))

    def __repr__(self) -> str:
        return f"<Batch of {len(self._items)}>"

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | Sequence[T_co]:
        return self._items[index]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The message of each item, with its attributes, in the same order."""
        return self._ctx.messages

    @property
    def stopping(self) -> Flag:
        """True once the worker wants to stop: finish soon, or hand back what is not done."""
        return self._ctx.stopping

    @property
    def deadline(self) -> datetime:
        """When the time limit of the call ends, as an aware UTC time."""
        return self._ctx.deadline

    def lease_lost(self, index: int) -> bool:
        """Say whether another worker may have been given this item: what becomes of it here will not be settled."""
        return self._ctx.attempts[index].signals.lease_lost

    def fail(self, index: int, error: BaseException | type[BaseException] | str) -> None:
        """Let this item end as if `error` had been raised for it alone. Raises `IndexError` where there is no item."""
        if self._has_ended:
            raise Misuse(f"fail({index}): the handler has ended, and so have all items of its batch")
        place = _places(self._items)[index]
        self._failures[place] = _raised(error)

    @property
    def failures(self) -> Mapping[int, BaseException]:
        """What `fail` was called with so far, by the item's place."""
        return dict(self._failures)

    def end(self) -> list[Outcome | None]:
        """Close the batch, and return the ends that items have got of their own."""
        self._has_ended = True
        ends: list[Outcome | None] = [None] * len(self._items)
        for place, error in self._failures.items():
            ends[place] = outcome_of(error)
        return ends


def _raised(error: object) -> BaseException:
    if inspect.isclass(error) and issubclass(error, BaseException):
        return error()  # As `raise RetryLater` makes one.
    if isinstance(error, str):
        return ItemFailed(error)
    if not isinstance(error, BaseException):
        raise Misuse(f"fail() was given a value of type {type(error).__name__}: give it an exception, or a text")
    return error


def _places(items: Sequence[object]) -> Sequence[int]:
    return range(len(items))


def item_type(annotation: Any) -> Any:
    """Return the `T` of `Batch[T]`, or None when it is no such annotation."""
    arguments = get_args(annotation)
    return arguments[0] if get_origin(annotation) is Batch and len(arguments) == 1 else None
