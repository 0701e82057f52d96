"""The queues of one account as such: every operation that is not about a single message, and the passage of time.

Rules kept here and nowhere else:

1. Before a call is carried out, everything that was due by then has happened, in the order of time.
2. A dead-letter queue that is gone loses no message: it stays where it is, to be delivered too often.

`next_event_at()` says when something will happen by itself; `advance(now)` lets it happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from forebay.rules import queue_errors as errors
from forebay.rules.queue_access import with_permission, without_permission
from forebay.rules.queue_messages import QueueModes, StoredMessage
from forebay.rules.queue_move_task import MoveTask
from forebay.rules.queue_moves import MoveTasks
from forebay.rules.queue_registry import QueueRegistry
from forebay.rules.queue_store import StandardQueue
from forebay.rules.queue_tags import tagged, untagged
from forebay.rules.queue_time import Timeline, Turning
from forebay.rules.queue_waiting import Waiter

if TYPE_CHECKING:
    from random import Random

Texts = Mapping[str, str]


class QueueAdministration:
    """All queues of one account in one Region, without their messages."""

    def __init__(
        self, region: str, account: str, rng: Random, *, endpoint: str = "http://127.0.0.1", epoch_ms: int = 0
    ) -> None:
        """`epoch_ms` is the Unix time at `now=0`, for the timestamps; `endpoint` is the start of every queue's URL."""
        self.region = region
        self.account = account
        self._rng = rng
        self.registry = QueueRegistry(region, account, rng, endpoint=endpoint, epoch_ms=epoch_ms, bury=self._bury)
        self._moves = MoveTasks(self.registry.by_arn, rng, self._settle_down)
        self._last_answers: list[Waiter] = []  # of queues that are gone
        self._timeline = Timeline(self.registry.by_name, self._moves)

    def arn(self, name: str) -> str:
        return self.registry.arn(name)

    def modes(self, url: str) -> QueueModes:
        """How the queue behaves where AWS leaves it open; to be changed in place."""
        return self.registry.find(url).modes

    # ── queues and their attributes ────────────────────────────────────────────────────────────────────────

    def create_queue(self, name: str, attributes: Texts | None = None, tags: Texts | None = None, *, now: float) -> str:
        """Create a queue, or find the one that has this name and these attributes; return its URL."""
        self.advance(now)
        return self.registry.create(name, attributes or {}, tags or {}, now)

    def delete_queue(self, url: str, *, now: float) -> None:
        """Delete a queue and all it holds. Its waiting polls end with QueueDoesNotExist."""
        self.advance(now)
        self.registry.delete(queue := self.registry.find(url), now)
        self._moves.forget(queue.arn)
        self._last_answers += queue.answered

    def purge_queue(self, url: str, *, now: float) -> None:
        """Remove every message, in flight or not."""
        self.advance(now)
        self.registry.purge(self.registry.find(url), now)

    def get_queue_attributes(self, url: str, names: Iterable[str], *, now: float) -> dict[str, str]:
        """Return the attributes of these names; `All` for every one."""
        self.advance(now)
        return self.registry.attributes(self.registry.find(url), names)

    def set_queue_attributes(self, url: str, attributes: Texts, *, now: float) -> None:
        """Change attributes; all of them or, if one is refused, none."""
        self.advance(now)
        self.registry.change(self.registry.find(url), attributes, now)
        self._timeline.look_again(now)  # A shorter retention may be over already.

    # ── permissions and tags ───────────────────────────────────────────────────────────────────────────────

    def add_permission(
        self, url: str, label: str, accounts: Sequence[str], actions: Sequence[str], *, now: float
    ) -> None:
        """Write a statement into the queue's policy that lets other accounts do something with it."""
        policy = self.registry.find(url).attributes.given.get("Policy", "")
        policy = with_permission(policy, self.registry.find(url).arn, label, accounts, actions)
        self.set_queue_attributes(url, {"Policy": policy}, now=now)

    def remove_permission(self, url: str, label: str, *, now: float) -> None:
        """Take the statement of this label out of the queue's policy."""
        policy = self.registry.find(url).attributes.given.get("Policy", "")
        self.set_queue_attributes(url, {"Policy": without_permission(policy, label)}, now=now)

    def tag_queue(self, url: str, tags: Mapping[str, object]) -> None:
        """Set tags; all of them or, if one is refused, none."""
        queue = self.registry.find(url)
        if not tags:
            raise errors.missing_parameter("Tags")
        queue.tags = tagged(queue.name, queue.tags, tags)

    def untag_queue(self, url: str, keys: Iterable[str]) -> None:
        """Take tags away."""
        queue = self.registry.find(url)
        queue.tags = untagged(queue.tags, keys)

    def queue_tags(self, url: str) -> dict[str, str]:
        return dict(self.registry.find(url).tags)

    # ── message move tasks ─────────────────────────────────────────────────────────────────────────────────

    def start_move(
        self, source_arn: str, destination_arn: str | None = None, *, rate: int | None = None, now: float
    ) -> MoveTask:
        """Start to move what a dead-letter queue holds, back to where it came from unless told otherwise."""
        self.advance(now)
        task = self._moves.start(source_arn, destination_arn, rate, now)
        self._timeline.note(self._moves)
        return task

    def recent_moves(self, source_arn: str, count_max: int = 1, *, now: float) -> list[MoveTask]:
        """Return the move tasks of a source, the newest first."""
        self.advance(now)
        return self._moves.recent(source_arn, count_max)

    def cancel_move(self, handle: str, *, now: float) -> MoveTask:
        """Stop a running move task."""
        self.advance(now)
        task = self._moves.cancel(handle, now)
        self._timeline.note(self._moves)
        return task

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def due_at(self) -> float:
        """A lower bound of `next_event_at()`, at no cost: nothing happens by itself before it. Infinity for never."""
        return self._timeline.due_at

    def next_event_at(self) -> float | None:
        """Return when something will happen by itself, or None if nothing will without a call."""
        return self._timeline.next_event_at()

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`, in the order of time."""
        self._timeline.advance(now)

    def turn_also(self, other: Turning) -> None:
        """Let `other` take its turns too, after the queues', in the order of time."""
        self._timeline.join(other)

    def _settle_down(self, queue: StandardQueue, now: float) -> None:
        """After a change: answer the polls that it serves, and note when the queue's next event is."""
        queue.dispatch(now)
        self._timeline.note(queue)

    def _bury(self, source: StandardQueue, message: StoredMessage, now: float) -> bool:
        """Move a message that was received too often. False when its dead-letter queue does not exist."""
        assert source.attributes.redrive is not None
        target = self.registry.by_arn.get(source.attributes.redrive.dead_letter_arn)
        if target is None:
            return False
        target.add_dead_letter(message, source.arn, now)
        self._settle_down(target, now)
        return True
