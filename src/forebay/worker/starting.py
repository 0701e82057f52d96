"""What waits to start: in which order, in which company, and what goes back because it would wait too long.

Rules kept here and nowhere else:

1. A job starts only under a trusted lease, and only while protection is held or not needed.
2. Attempts of a job start in the order of their coming, never more at once than its share and its executor take.
3. A batch starts when it is full or when its first message has waited for the job's linger. Who has lost its lease
   meanwhile is not in it. Each batch is one `Start`.
4. At most half of the slots wait for a share, an executor or a probe. What is beyond that goes back with a delay, the
   newest first, and is told once a second in sum: it costs the message a receive. A source that brings nothing else is
   asked less often (`polling`).
5. After a stop request nothing starts and all that waits goes back, gathered batches too: a batch that began now would
   hardly end in time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from forebay.handlers.registry import Handler, Registry
from forebay.model import Attempt
from forebay.worker.breaker import Breaker
from forebay.worker.guarding import Guarding
from forebay.worker.polling import Polling
from forebay.worker.records import Desk, Record, State
from forebay.worker.rooms import Rooms
from forebay.worker.running import Running
from forebay.worker.uncounted import give_back_delay_s
from forebay.worker.vocabulary import Start

TELL_EVERY_S = 1.0


class Starting:
    """Every record that waits to start."""

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        rooms: Rooms,
        breaker: Breaker,
        running: Running,
        guarding: Guarding,
        polling: Polling,
    ) -> None:
        self._desk = desk
        self._registry = registry
        self._rooms = rooms
        self._breaker = breaker
        self._running = running
        self._guarding = guarding
        self._polling = polling
        self._queue: list[Record] = []
        """In the order of their coming."""
        self._held: list[Record] = []
        """Those of this turn that wait for a share, an executor or a probe."""
        self._returned: set[str] = set()
        """The sources that messages went back to in this turn."""
        self._sizes = {handler.name: handler.batch.size for handler in registry if handler.batch is not None}
        self._batches = 0
        self._untold: Counter[str] = Counter()
        """Messages given back for want of room that have not been told of, by job."""
        self._tell_at = 0.0
        self.wake_at: float | None = None

    def add(self, record: Record, now: float) -> None:
        """A message has come that is to be started."""
        record.waits_since = now
        self._queue.append(record)

    def waiting(self) -> Counter[str]:
        """Return how many wait, by job."""
        return Counter(record.attempt.job for record in self._queue if record.state is State.WAITING)

    def missing(self) -> int:
        """Return how many messages the batches that are gathering could still take."""
        if not self._sizes:
            return 0
        return sum(-count % self._sizes[job] for job, count in self.waiting().items() if job in self._sizes)

    # ── once a turn ────────────────────────────────────────────────────────────────────────────────────────

    def turn(self, now: float) -> None:
        """Start what may start, and give back what should not wait here."""
        self.wake_at = None
        if self._queue:
            self._start_what_may(now)
        if self._untold:
            self._tell(now)

    def _start_what_may(self, now: float) -> None:
        self._held = []
        attempts: list[Attempt] = []
        batches: dict[str, list[Record]] = {}
        suspected, limited = self._breaker.suspected, self._rooms.limited
        full: set[str] = set()  # Room only shrinks here: a job that has none need not be looked at for each message.
        for record in self._ready(now):
            handler = self._registry[record.attempt.job]
            if suspected and handler.name in suspected:
                self._try(record, handler, now)
            elif handler.batch is not None:
                batches.setdefault(handler.name, []).append(record)
            elif handler.name in full:
                self._held.append(record)
            elif handler.name not in limited or self._rooms.free(handler) >= 1:
                self._rooms.started(handler, 1, 0)
                attempts.append(self._running.started(record, now))
            else:
                full.add(handler.name)
                self._held.append(record)
        if attempts:
            self._guarding.started(now)
            self._desk.commands.append(Start(attempts))
        for name, records in batches.items():
            self._start_batches(self._registry[name], records, now)
        self._give_back_excess(now)
        if self._returned or self._polling.slowed:
            self._tell_sources(now)
        self._queue = [record for record in self._queue if record.state is State.WAITING]

    def _tell_sources(self, now: float) -> None:
        """Let polls know which sources have brought something of use, and which only what went back."""
        began = {record.source for record in self._queue if record.state is State.RUNNING}
        for source in began:
            self._polling.slowed.pop(source, None)
        for source in self._returned - began:
            self._polling.slow_down(source, now)
        self._returned.clear()

    def _ready(self, now: float) -> list[Record]:
        """Return those that nothing but room stands in the way of; give back those that another worker should have."""
        ready: list[Record] = []
        for record in self._queue:
            if record.state is not State.WAITING:
                continue
            if self._guarding.may_start(record, now) and not self._desk.is_stopping:
                if now < record.trusted_until:
                    ready.append(record)
            elif self._goes_back(record):
                self._running.give_back(record, now)
        return ready

    def _goes_back(self, record: Record) -> bool:
        """Whether another worker should have what waits here.

        In a pause it stays until our polls have ended, for an open one would take it again. Should the pause end first,
        it is started after all.
        """
        if self._desk.is_stopping:
            return True
        return self._guarding.is_paused and record.renewing is None and not self._polling.is_open(record.source)

    def _start(self, handler: Handler, records: list[Record], now: float) -> None:
        """Start one batch, or one attempt alone."""
        batch = 0
        if handler.batch is not None:
            self._batches += 1
            batch = self._batches
            for record in records:
                record.attempt = replace(record.attempt, batch=batch)
        self._rooms.started(handler, len(records), batch)
        self._guarding.started(now)
        self._desk.commands.append(Start([self._running.started(record, now) for record in records]))

    def _try(self, record: Record, handler: Handler, now: float) -> None:
        """Start a probe of a suspected job if one is due. One message waits to be the next; the others go back."""
        if self._breaker.may_probe(handler.name, now) and self._rooms.free(handler) >= 1:
            self._breaker.probing(handler.name, record.number)
            self._start(handler, [record], now)
        elif any(held.attempt.job == handler.name for held in self._held):
            self._give_back(record, now)
        else:
            self._held.append(record)
            due_in_s = self._breaker.due_in_s(handler.name, now)
            if due_in_s > 0:
                self._wake(now + due_in_s)

    def _start_batches(self, handler: Handler, records: list[Record], now: float) -> None:
        assert handler.batch is not None
        size, linger_s = handler.batch.size, handler.batch.linger_s
        while records:
            due_at = records[0].waits_since + linger_s
            wanted = size if now < due_at else min(size, len(records))
            if len(records) < wanted:
                self._wake(due_at)  # It gathers.
                return
            count = int(min(wanted, self._rooms.free(handler)))
            if count < 1 or (count < wanted and now < due_at):
                self._held += records
                if now < due_at:
                    self._wake(due_at)
                return
            self._start(handler, records[:count], now)
            records = records[count:]

    # ── what goes back ─────────────────────────────────────────────────────────────────────────────────────

    def _give_back_excess(self, now: float) -> None:
        excess = len(self._held) - self._desk.settings.slots // 2
        if excess <= 0:
            return
        by_job: dict[str, list[Record]] = {}
        for record in self._held:
            by_job.setdefault(record.attempt.job, []).append(record)
        for _ in range(excess):
            self._give_back(max(by_job.values(), key=len).pop(), now)

    def _give_back(self, record: Record, now: float) -> None:
        """Let another worker have it, or let it come again when there may be room."""
        job, message = record.attempt.job, record.attempt.message
        least_s = self._breaker.due_in_s(job, now) if job in self._breaker.suspected else 0.0
        delay_s = give_back_delay_s(
            message.receive_count,
            receive_count_max=self._desk.descriptions[record.source].receive_count_max,
            least_s=least_s,
            rng=self._desk.rng,
        )
        self._untold[job] += 1
        self._returned.add(record.source)
        self._desk.uncounted.add(record.key)
        self._running.give_back(record, now, delay_s=delay_s)

    def _tell(self, now: float) -> None:
        """Tell of what was given back, at most once a second."""
        if now < self._tell_at:
            self._wake(self._tell_at)
            return
        self._tell_at = now + TELL_EVERY_S
        for job, count in self._untold.items():
            reason = "its dependency is suspected" if job in self._breaker.suspected else "no room for it"
            self._desk.report("messages.given_back", job=job, count=count, reason=reason)
        self._untold.clear()

    def _wake(self, at: float) -> None:
        if self.wake_at is None or at < self.wake_at:
            self.wake_at = at
