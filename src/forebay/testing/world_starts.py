"""What must hold of every start: who may run beside whom, under what, and in what company.

Rules kept here and nowhere else:

1. Never more run at once than the worker has slots, a job has a share, or an executor has room by its own word.
2. A batch is of one job and of different messages, is never larger than its job says, and is smaller only when its
   first message has waited for the linger or when it is a probe.
3. Of what waits, at most half of the slots wait for a share or for room.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from forebay.model import Attempt
from forebay.testing.world_code import Code
from forebay.testing.world_plan import JobPlan
from forebay.worker.records import State
from forebay.worker.vocabulary import MessagesReceived, RoomChanged, Start

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness

ROUNDING_S = 1e-6


class StartChecks:
    """Watches one worker start attempts."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._world = witness.world
        plan = witness.world.plan
        self._jobs = {job.name: job for job in (*plan.jobs, *([plan.default] if plan.default else []))}
        self._room: dict[str, int] = {"process": 0}
        """What executors said last; none for those that never said anything."""
        self._batches: set[int] = set()
        self._came_at: dict[str, float] = {}
        """When each delivery was told, by receipt."""

    def _broken(self, invariant: str, what: str) -> None:
        self._witness.broken(invariant, what)

    def hears(self, event: MessagesReceived | RoomChanged) -> None:
        if isinstance(event, RoomChanged):
            self._room[event.runs] = event.room
        else:
            self._came_at.update((message.receipt, self._witness.now) for message in event.messages)

    # ── a start ────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, command: Start) -> None:
        """Attempts are about to be started."""
        attempts = command.attempts
        for attempt in attempts:
            self._start_one(attempt)
        if any(attempt.batch for attempt in attempts) or any(self._jobs[one.job].batch_size for one in attempts):
            self._batch(attempts)
        self._check_rooms({attempt.job for attempt in attempts})

    def _start_one(self, attempt: Attempt) -> None:
        witness, number, message = self._witness, attempt.number, attempt.message
        if number in witness.process.executor.codes:
            self._broken("3: once", f"attempt {number} is started twice")
        if witness.leaving.takes_nothing:
            self._broken("4: no start after a stop", f"attempt {number}")
        known = self._world.service.by_id[message.message_id]
        is_leased = known.is_leased(witness.receipts[message.source, message.message_id], witness.now)
        if not known.is_shared and not is_leased:
            self._broken("2: trusted lease", f"attempt {number} starts on message {known.number} without a lease")
        if any(isinstance(holder, Code) and holder.executor is witness.process.executor for holder in known.holders):
            self._broken("5: one at a time", f"message {known.number} runs here already")
        witness.unfinished.add(number)
        witness.protection.start(attempt)
        witness.breaker.start(attempt)

    def _batch(self, attempts: Sequence[Attempt]) -> None:
        witness, first = self._witness, attempts[0]
        job = self._jobs[first.job]
        messages = {attempt.message.message_id for attempt in attempts}
        if not first.batch or {(one.job, one.batch) for one in attempts} != {(first.job, first.batch)}:
            self._broken("batches", f"{attempts} are started as one")
        if first.batch in self._batches or len(messages) < len(attempts) or len(attempts) > job.batch_size:
            self._broken("batches", f"batch {first.batch} is started twice, holds a message twice, or is too large")
        self._batches.add(first.batch)
        waited_s = witness.now - min(self._came_at[attempt.message.receipt] for attempt in attempts)
        is_early = len(attempts) < job.batch_size and waited_s < job.linger_s - ROUNDING_S
        if is_early and not witness.breaker.is_suspected(job.name):
            self._broken("batches", f"{len(attempts)} of {job.batch_size} start after {waited_s:.3f} s")

    def _check_rooms(self, jobs: set[str]) -> None:
        witness = self._witness
        codes = witness.process.executor.codes
        # What is being started has no code yet.
        running = [witness.records[number].attempt for number in witness.unfinished if number in witness.records]
        running += [codes[number].attempt for number in witness.unfinished if number not in witness.records]
        if len(running) > witness.settings.slots:
            self._broken("1: slots", f"{len(running)} run")
        for job in [self._jobs[name] for name in jobs]:
            of_job = sum(attempt.job == job.name for attempt in running)
            if job.slots_max is not None and of_job > job.slots_max:
                self._broken("1: shares", f"{of_job} of {job.name} run, its share is {job.slots_max}")
            self._check_room(job, running)

    def _check_room(self, job: JobPlan, running: Sequence[Attempt]) -> None:
        room = self._room.get(job.runs)
        of_kind = [one for one in running if self._jobs[one.job].runs == job.runs]
        calls = {one.batch or -one.number for one in of_kind}
        if room is not None and len(calls) > room:
            self._broken("1: room", f"{len(calls)} calls run where there is room for {room}")

    # ── after every step ───────────────────────────────────────────────────────────────────────────────────

    def after_step(self) -> None:
        """What waits for a share or for room must not take the slots of the others."""
        witness = self._witness
        held = [
            record.number
            for record in witness.records.values()
            if record.state is State.WAITING
            and not record.needs_protection
            and (job := self._jobs.get(record.attempt.job)) is not None
            and not job.batch_size
        ]
        if len(held) > witness.settings.slots // 2:
            self._broken("waiting is bounded", f"{len(held)} wait beside {witness.settings.slots} slots")
