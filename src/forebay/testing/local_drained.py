"""When a test's worker has nothing left to do: looked up in the queues' rules themselves, which know.

Rules kept here and nowhere else:

1. `empty`: no message is left but parked ones, which would only be parked again, and the worker holds nothing.
2. `quiet`: nothing can be received at the moment, in two looks: a message may have been on its way in the first.
3. In virtual time looks are rare where nothing can change before the queue's next event, which is one step then. The
   end of an attempt is looked at soon.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import anyio

from forebay.rules.queue_messages import READY, StoredMessage
from forebay.rules.queue_semantics import QueueService, ServiceFailure
from forebay.testing.local_clock import SkippingClock

Until = Literal["empty", "quiet"]

BUSY_LOOK_S = 0.02
IDLE_LOOK_MAX_S = 20.0


class Drained:
    """Knows when the queues of a run are drained."""

    def __init__(
        self,
        service: QueueService,
        urls: Sequence[str],
        clock: SkippingClock,
        *,
        until: Until,
        holds_anything: Callable[[], bool],
        is_parked: Callable[[str], bool],
    ) -> None:
        """`is_parked` says of a message id whether the worker has parked it."""
        self._service = service
        self._urls = urls
        self._clock = clock
        self._until: Until = until
        self._holds_anything = holds_anything
        self._is_parked = is_parked
        self._something_ended = anyio.Event()

    def look_soon(self) -> None:
        """Do not wait for long until the next look: an attempt has ended."""
        self._something_ended.set()

    async def wait(self) -> str:
        """Return the reason to stop, once there is one."""
        quiet_looks, pause_s = 0, BUSY_LOOK_S
        while True:
            left = [message for url in self._urls for message in self._messages(url)]
            is_idle = not self._holds_anything()
            if is_idle and all(self._is_parked(message.content.message_id) for message in left):
                return "empty"
            is_quiet = is_idle and not any(message.place == READY for message in left)
            quiet_looks = quiet_looks + 1 if is_quiet else 0
            if self._until == "quiet" and quiet_looks >= 2:
                return "nothing can be received at the moment"
            is_rare = quiet_looks >= 2 and self._clock.is_virtual
            if not is_rare:
                pause_s = min(pause_s * 2, IDLE_LOOK_MAX_S) if self._clock.may_skip else BUSY_LOOK_S
            self._something_ended = anyio.Event()
            with anyio.move_on_after(self._pause_s() if is_rare else pause_s):
                await self._something_ended.wait()
            if self._something_ended.is_set():
                quiet_looks, pause_s = 0, BUSY_LOOK_S

    def _messages(self, url: str) -> list[StoredMessage]:
        try:
            return list(self._service.registry.find(url).shelves.messages.values())
        except ServiceFailure:
            return []  # The test has deleted the queue.

    def _pause_s(self) -> float:
        """How long nothing can happen by itself."""
        next_at = self._service.next_event_at()
        left_s = IDLE_LOOK_MAX_S if next_at is None else next_at - anyio.current_time()
        return min(max(left_s, BUSY_LOOK_S), IDLE_LOOK_MAX_S)


def moved_by_sqs(service: QueueService, urls: Sequence[str]) -> set[str]:
    """Return the ids of the dead letters that SQS itself has moved from these queues."""
    registry = service.registry
    moved: set[str] = set()
    for url in urls:
        queue = registry.find(url)
        redrive = queue.attributes.redrive
        dead = registry.by_arn.get(redrive.dead_letter_arn) if redrive is not None else None
        if dead is not None:
            letters = dead.shelves.messages.values()
            moved |= {letter.content.message_id for letter in letters if letter.dead_letter_source == queue.arn}
    return moved
