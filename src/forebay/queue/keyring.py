"""Which credentials sign the next request, and when new ones are fetched.

Rules kept here and nowhere else:

1. Getting credentials may block (files, metadata servers, STS), so it always happens in a thread.
2. They are replaced well before they expire, while the old ones are still in use; many workers do not do so at once.
3. Whoever needs new ones meanwhile waits for the one fetch under way.
4. Credentials that the service calls expired are fetched anew from the start, once for all who held them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from forebay.clock import Clock
from forebay.errors import Fault, FaultKind, QueueError
from forebay.queue.signing import Credentials

_T = TypeVar("_T")

Notify = Callable[[str, Mapping[str, object]], None]
"""Told of events by name, with flat fields. Must not block."""

LOOK_EVERY_S = 60.0
"""How often the expiry is looked at. A third more at random."""

EARLY_S = (600.0, 840.0)
"""Fresh credentials are fetched this long before the old ones expire, drawn between the two. AWS offers new ones
15 min before; botocore fetches none earlier than that."""


def ignore(event: str, fields: Mapping[str, object]) -> None:
    """Tell nobody."""


async def outcome_of(task: asyncio.Task[_T]) -> _T:
    """Wait for work shared with others: whoever gives up leaves it running. Raises `QueueError` if it was stopped."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        waiting = asyncio.current_task()
        if task.cancelled() and not (waiting is not None and waiting.cancelling()):
            closed = Fault(FaultKind.UNAVAILABLE, "Closed", "this client has been closed")
            raise QueueError(closed) from None
        raise


class CredentialSource(Protocol):
    """Where credentials come from. Every method may be called from any thread; `load` and `refresh` may block."""

    def load(self) -> Credentials:
        """Return credentials, found from the start. Raises `QueueError`."""
        ...

    def refresh(self) -> Credentials:
        """Return credentials like `load`'s, renewed if they are about to expire. Raises `QueueError`."""
        ...

    def expires_within(self, seconds: float) -> bool:
        """Say whether those handed out last expire within `seconds`. Never blocks."""
        ...


class StaticCredentials:
    """Credentials that were given, and that nothing can renew."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def load(self) -> Credentials:
        return self._credentials

    def refresh(self) -> Credentials:
        return self._credentials

    def expires_within(self, seconds: float) -> bool:  # noqa: ARG002
        return False


class Keyring:
    """The credentials in force. Used on one event loop only."""

    def __init__(
        self,
        source: CredentialSource,
        *,
        clock: Clock,
        dice: random.Random | None = None,
        notify: Notify = ignore,
    ) -> None:
        self._source = source
        self._clock = clock
        self._dice = dice if dice is not None else random.Random()
        self._notify = notify
        self._credentials: Credentials | None = None
        self._look_at = 0.0
        self._fetch: asyncio.Task[Credentials] | None = None

    def at_hand(self) -> Credentials | None:
        """Return the credentials in force if there is nothing to wait for. Cheap: asked at every call."""
        if self._credentials is not None and self._clock.now() >= self._look_at:
            self._look()
        return self._credentials

    async def get(self) -> Credentials:
        """Return the credentials in force, waiting for them if need be. Raises `QueueError`."""
        at_hand = self.at_hand()
        if at_hand is not None:
            return at_hand
        return await self._fetched(self._source.load)

    async def replace(self, rejected: Credentials) -> Credentials | None:
        """Return credentials other than `rejected`, which the service no longer takes, or None if there are none."""
        if self._credentials == rejected or self._credentials is None:
            await self._fetched(self._source.load)
        return self._credentials if self._credentials != rejected else None

    def close(self) -> None:
        """Forget a fetch that is under way."""
        if self._fetch is not None:
            self._fetch.cancel()

    def _look(self) -> None:
        self._look_at = self._clock.now() + LOOK_EVERY_S * self._dice.uniform(1.0, 1.33)
        if self._source.expires_within(0):
            self._credentials = None  # a laptop that slept: no request with these can succeed
        elif self._source.expires_within(self._dice.uniform(*EARLY_S)) and self._fetch is None:
            self._begin(self._source.refresh)

    async def _fetched(self, fetch: Callable[[], Credentials]) -> Credentials:
        return await outcome_of(self._fetch if self._fetch is not None else self._begin(fetch))

    def _begin(self, fetch: Callable[[], Credentials]) -> asyncio.Task[Credentials]:
        task = asyncio.get_running_loop().create_task(self._run(fetch), name="forebay credentials")
        self._fetch = task
        task.add_done_callback(self._ended)
        return task

    async def _run(self, fetch: Callable[[], Credentials]) -> Credentials:
        credentials = await asyncio.to_thread(fetch)
        if not credentials.is_well_formed:
            raise QueueError(Fault(FaultKind.CREDENTIALS, "MalformedCredentials", "a key or token is not plain text"))
        self._credentials = credentials
        self._look_at = self._clock.now() + LOOK_EVERY_S * self._dice.uniform(1.0, 1.33)
        return credentials

    def _ended(self, task: asyncio.Task[Credentials]) -> None:
        self._fetch = None
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:  # whoever waits is told as well; a fetch ahead of time has nobody else to tell
            fault = error.fault if isinstance(error, QueueError) else Fault(FaultKind.REFUSED, type(error).__name__)
            self._notify("credentials.failed", {"code": fault.code, "detail": fault.detail})
