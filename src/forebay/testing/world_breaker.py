"""What must hold of a worker whose job depends on something that breaks.

Rules kept here and nowhere else:

1. When a job is to be suspected follows from the ends that the worker has concluded, by a count of the world's own.
2. While it is suspected one attempt at a time is begun, after a pause, and no failure buries its message.
3. What a worker forgives a message is no more than the deliveries that led to no attempt, or to one under suspicion.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from forebay.model import Attempt, Continued, Crashed, Failed, Succeeded, TimedOut
from forebay.worker.vocabulary import Conclude, Conclusion, MessagesReceived

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness

WINDOW = 50
FAILED_RATIO = 0.9
PAUSE_MIN_S = 0.7


class BreakerChecks:
    """Watches one worker suspect its jobs."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._is_off = witness.settings.exit_when_empty
        self._windows: dict[str, deque[bool]] = {}
        self._suspected: set[str] = set()
        self._told: set[str] = set()
        self._probes: dict[str, int] = {}
        """The attempt that was last begun under suspicion, by job."""
        self._probed_at: dict[str, float] = {}
        """When the suspicion began, or the last probe ended."""
        self.under_suspicion: set[int] = set()
        """Attempts that failed while their job was suspected, or made it so."""
        self._deliveries: Counter[tuple[str, str]] = Counter()
        self._counted: Counter[tuple[str, str]] = Counter()

    def is_suspected(self, job: str) -> bool:
        return job in self._suspected

    def _broken(self, what: str) -> None:
        self._witness.broken("broken dependencies", what)

    def received(self, event: MessagesReceived) -> None:
        self._deliveries.update((message.source, message.message_id) for message in event.messages)

    def told(self, event: str, job: str) -> None:
        """The worker reports that a job is suspected, or no more."""
        if (job in self._told) is (event == "dependency.suspected"):
            self._broken(f"{event} of {job} is told twice")
        self._told ^= {job}

    def start(self, attempt: Attempt) -> None:
        """An attempt is about to be started."""
        witness, job = self._witness, attempt.job
        if job not in self._suspected:
            return
        if self._probes.get(job) in witness.unfinished - witness.settlements.stuck:
            self._broken(f"attempt {attempt.number} of {job} beside the probe {self._probes[job]}")
        if witness.now < self._probed_at[job] + PAUSE_MIN_S:
            self._broken(f"attempt {attempt.number} of {job} without a pause")
        self._probes[job] = attempt.number

    def conclude(self, command: Conclude) -> None:
        for conclusion in command.conclusions:
            self._conclude_one(conclusion)

    def _conclude_one(self, conclusion: Conclusion) -> None:
        attempt = conclusion.attempt
        job, number = attempt.job, attempt.number
        if isinstance(conclusion.outcome, Succeeded | Continued):
            if job in self._suspected:
                self._suspected.remove(job)
                self._windows[job].clear()
            else:
                self._window(job).append(False)
        elif isinstance(conclusion.outcome, Failed | TimedOut | Crashed):
            self._note_failure(job)
            if job in self._suspected:
                self.under_suspicion.add(number)
            else:
                self._counted[attempt.message.source, attempt.message.message_id] += 1
        if self._probes.get(job) == number:
            self._probed_at[job] = self._witness.now

    def _note_failure(self, job: str) -> None:
        if job in self._suspected or self._is_off:
            return
        window = self._window(job)
        window.append(True)
        if len(window) == WINDOW and sum(window) >= FAILED_RATIO * WINDOW:
            self._suspected.add(job)
            self._probes.pop(job, None)
            self._probed_at[job] = self._witness.now

    def _window(self, job: str) -> deque[bool]:
        return self._windows.setdefault(job, deque(maxlen=WINDOW))

    def forgiven(self, key: tuple[str, str]) -> int:
        """How many deliveries of a message the worker does not hold against it; checked against what came here."""
        uncounted = self._witness.process.engine._desk.uncounted.of(key)
        if uncounted > self._deliveries[key] - self._counted[key]:
            self._broken(f"{uncounted} deliveries are forgiven of {self._deliveries[key]}")
        return uncounted

    def after_step(self) -> None:
        if self._told != self._suspected:
            self._broken(f"{sorted(self._told)} are told to be suspected instead of {sorted(self._suspected)}")
