"""Queues that outlive the process: what has changed goes to the store before anybody is told of it.

Rules kept here and nowhere else:

1. Group commit: everything that changed within one turn of the event loop is one transaction, and the answers of that
   turn leave after it. What was answered is kept; what was not, may be.
2. When a transaction fails, the answers that waited for it are dropped, and so is every later one: what clients believe
   and what the file holds must not part. `failure` says why.
3. Leases, delays, retention and deduplication go on by the wall clock while no process runs.

Not kept: the modes of queues (they break a queue on purpose), the counts and points of metrics, message move tasks
(they end with the process; each message is in one of the two queues), and whose turn it is among a queue's groups.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

from forebay.cloud.http import Exchange
from forebay.cloud.sqs_rows import content_row, place_row, queue_row, receive_row, restore_queues
from forebay.cloud.sqs_store import SERIAL_BITS, Batch, QueueDataError, QueueStore
from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_messages import GONE
from forebay.rules.queue_semantics import QueueService
from forebay.rules.queue_store import StandardQueue


class _Kept:
    """A queue as the store has it."""

    __slots__ = ("number", "queue", "serial", "settings")

    def __init__(self, number: int, queue: StandardQueue) -> None:
        self.number = number
        self.queue = queue
        self.settings: object = None
        """Its attributes, tags and times. Each of them is replaced, never changed in place."""
        self.serial = 0


class NoJournal:
    """Keeps nothing: queues that live in memory."""

    failure: QueueDataError | None = None
    on_failure: Callable[[], None] | None = None

    def hold(self, exchange: Exchange, answer: Callable[[], None]) -> None:  # noqa: ARG002 - the journal's signature
        answer()

    def soon(self) -> None:
        """There is nothing to be done."""

    def commit(self) -> None:
        """There is nothing to be done."""

    def close(self) -> None:
        """There is nothing to be done."""


class Journal(NoJournal):
    """Keeps the queues of one service in one store."""

    def __init__(self, service: QueueService, store: QueueStore, *, epoch_s: float) -> None:
        """Restore what the store holds into `service`, which has no queue yet. `epoch_s` is the Unix time of its 0.

        Raises `QueueDataError` when that cannot be understood. Time must then be brought up to the present.
        """
        self._registry = service.registry
        self._store = store
        self._epoch_s = epoch_s
        self._kept: dict[str, _Kept] = {}
        self._number = 0
        self._held: list[tuple[Exchange, Callable[[], None]]] = []
        self._turn: asyncio.Handle | None = None
        self._is_closed = False
        for number, queue in restore_queues(store, service.registry, epoch_s):
            self._adopt(number, queue)
        service.next_event_at()

    def _adopt(self, number: int, queue: StandardQueue) -> _Kept:
        """Keep account of this queue from now on, as it is."""
        self._number = max(self._number, number)
        kept = self._kept[queue.name] = _Kept(number, queue)
        kept.serial = queue.shelves.serial
        kept.settings = self._settings(queue)
        queue.shelves.changed = set()
        if isinstance(queue, FifoQueue):
            queue.deduplication.changed, queue.retries.changed = set(), set()
        return kept

    def _settings(self, queue: StandardQueue) -> object:
        return queue.attributes, queue.tags, self._registry.times[queue.name]

    # ── answers ────────────────────────────────────────────────────────────────────────────────────────────

    def hold(self, exchange: Exchange, answer: Callable[[], None]) -> None:
        """Give this answer when all that has happened so far is kept."""
        self._held.append((exchange, answer))
        self.soon()

    def soon(self) -> None:
        """See that what has changed is kept before the event loop turns once more."""
        if self._turn is None and not self._is_closed:
            self._turn = asyncio.get_running_loop().call_soon(self.commit)

    def commit(self) -> None:
        """Keep what has changed, and give the answers that waited for it."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        held, self._held = self._held, []
        if self.failure is None:
            try:
                self.keep()
            except QueueDataError as error:
                self.failure = error
                if self.on_failure is not None:
                    self.on_failure()
        for exchange, answer in held:
            if self.failure is None:
                answer()
            else:
                exchange.drop()

    def close(self) -> None:
        """Keep the last, and let the store go."""
        self.commit()
        self._is_closed = True
        self._store.close()

    # ── changes ────────────────────────────────────────────────────────────────────────────────────────────

    def keep(self) -> None:
        """Write what has changed since the last time. Raises `QueueDataError`."""
        batch = Batch()
        by_name = self._registry.by_name
        for name, kept in list(self._kept.items()):
            if by_name.get(name) is not kept.queue:
                del self._kept[name]
                batch.queues_gone.append(kept.number)
                batch.deleted_queues.append((name, self._registry.deleted_at[name] + self._epoch_s))
        for name, queue in by_name.items():
            self._note_queue(self._kept.get(name) or self._arrived(queue, batch), batch)
        if batch != _NOTHING:
            self._store.write(batch)

    def _arrived(self, queue: StandardQueue, batch: Batch) -> _Kept:
        """A queue is new, and so is all that it holds."""
        kept = self._adopt(self._number + 1, queue)
        batch.queues.append(queue_row(kept.number, queue, self._registry.times[queue.name], self._epoch_s))
        kept.serial = 0
        queue.shelves.changed = set(queue.shelves.messages.values())
        if isinstance(queue, FifoQueue):
            queue.deduplication.changed = set(queue.deduplication.seen)
            queue.retries.changed = set(queue.retries.by_token)
        return kept

    def _note_queue(self, kept: _Kept, batch: Batch) -> None:
        queue = kept.queue
        settings = self._settings(queue)
        if settings != kept.settings:
            kept.settings = settings
            batch.queues.append(queue_row(kept.number, queue, self._registry.times[queue.name], self._epoch_s))
        if queue.shelves.changed:
            self._note_messages(kept, batch)
        if isinstance(queue, FifoQueue):
            self._note_fifo(kept.number, queue, batch)

    def _note_messages(self, kept: _Kept, batch: Batch) -> None:
        shelves = kept.queue.shelves
        changed, shelves.changed = shelves.changed or set(), set()
        base = kept.number << SERIAL_BITS
        for message in changed:
            is_new = message.serial > kept.serial
            if message.place != GONE:
                if is_new:
                    batch.contents.append(content_row(base, message))
                batch.places.append(place_row(base, message, self._epoch_s))
            elif not is_new:
                batch.messages_gone.append((base + message.serial,))
        if shelves.serial != kept.serial:
            kept.serial = shelves.serial
            batch.serials.append((shelves.serial, kept.number))

    def _note_fifo(self, number: int, queue: FifoQueue, batch: Batch) -> None:
        deduplication, retries = queue.deduplication, queue.retries
        for key in deduplication.changed or ():
            first = deduplication.seen.get(key)
            if first is None:
                batch.sends_gone.append((number, *key))
            else:
                row = (number, *key, first.message_id, first.serial, first.sent_at + self._epoch_s)
                batch.sends.append(row)
        for token in retries.changed or ():
            past = retries.by_token.get(token)
            if past is None:
                batch.receives_gone.append((number, token))
            else:
                batch.receives.append(receive_row(number, token, past, self._epoch_s))
        deduplication.changed, retries.changed = set(), set()


_NOTHING = Batch()


def open_journal(folder: Path | None, service: QueueService, rng: Random, *, seed: int, epoch_s: float) -> NoJournal:
    """Restore what `folder` holds into `service`, and keep it there from now on. Raises `QueueDataError`."""
    if folder is None:
        return NoJournal()
    store = QueueStore(folder, region=service.region, account=service.account)
    try:
        if store.starts > 1:
            rng.seed(f"{seed}/{store.starts}")  # The same dice once more would make the same message ids.
        return Journal(service, store, epoch_s=epoch_s)
    except BaseException:
        store.close()
        raise
