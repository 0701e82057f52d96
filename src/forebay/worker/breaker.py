"""Whether what a job depends on seems to be broken, and when to try again.

Rules kept here and nowhere else:

1. A job is suspected when 90 % of its last 50 attempts have failed. What says nothing about a dependency (an answer of
   the handler's, an interruption of ours) is left out.
2. While it is suspected one attempt at a time is made, a probe, after pauses that double from 1 s to 60 s.
3. While it is suspected no failure buries a message: it is not the message's fault.
4. The first success, of a probe or of an attempt that was running already, ends the suspicion and empties the window.
5. With `exit_when_empty` nothing is ever suspected: such a run is to end. Nor is it in users' tests (`suspects`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from forebay.model import Continued, Crashed, Failed, Outcome, Succeeded, TimedOut

if TYPE_CHECKING:
    from forebay.worker.records import Desk

WINDOW = 50
FAILURES_MIN = 45
FULL = 1 << WINDOW
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 60.0


class Watch:
    """What is known of one job."""

    __slots__ = ("pause_s", "probe", "probe_at", "probes", "recent", "suspected_at")

    def __init__(self) -> None:
        self.recent = 1
        """The last attempts, a bit each, 1 for a failure; the topmost bit only says how many there are."""
        self.suspected_at: float | None = None
        self.probe: int | None = None
        """The number of the attempt that is the probe, while it runs."""
        self.probe_at = 0.0
        self.pause_s = 0.0
        self.probes = 0

    def note(self, *, has_failed: bool) -> None:
        # An integer: this is done for every attempt, and a queue of fifty values takes four times as long.
        recent = self.recent << 1 | has_failed
        self.recent = recent if recent < 2 * FULL else recent & (FULL - 1) | FULL

    @property
    def failures(self) -> int:
        """How many of the last attempts failed, once there have been enough of them; 0 before."""
        return (self.recent & (FULL - 1)).bit_count() if self.recent >= FULL else 0


class Breaker:
    """The jobs of one worker, and which of them are suspected."""

    def __init__(self, desk: Desk, jobs: Iterable[str]) -> None:
        self._desk = desk
        self._is_on = desk.settings.suspects and not desk.settings.exit_when_empty
        self._watches = {job: Watch() for job in jobs}
        self.suspected: dict[str, Watch] = {}
        """The jobs under suspicion. Nearly always empty, which is all that the hot path asks."""

    def may_probe(self, job: str, now: float) -> bool:
        """Whether a suspected job may be tried now."""
        watch = self.suspected[job]
        return watch.probe is None and now >= watch.probe_at

    def due_in_s(self, job: str, now: float) -> float:
        """Seconds until the next probe of a suspected job is due."""
        return max(0.0, self.suspected[job].probe_at - now)

    def probing(self, job: str, number: int) -> None:
        """The probe of a suspected job has started."""
        watch = self.suspected[job]
        watch.probe = number
        watch.probes += 1

    def ended(self, job: str, number: int, outcome: Outcome, now: float) -> None:
        """Learn from the end of an attempt."""
        if not self._is_on:
            return
        watch = self._watches[job]
        if isinstance(outcome, Succeeded | Continued):
            if watch.suspected_at is not None:
                self._recover(job, watch, now)
            else:
                watch.note(has_failed=False)
            return
        has_failed = isinstance(outcome, Failed | TimedOut | Crashed)
        if watch.suspected_at is not None:
            if number == watch.probe:
                self._pause(watch, now, grows=has_failed)
        elif has_failed:
            watch.note(has_failed=True)
            if watch.failures >= FAILURES_MIN:
                self._suspect(job, watch, now)

    def gave_up(self, job: str, number: int, now: float) -> None:
        """An attempt does not end. Were it the probe, nothing would ever be tried again."""
        watch = self.suspected.get(job)
        if watch is not None and watch.probe == number:
            self._pause(watch, now, grows=True)

    def _suspect(self, job: str, watch: Watch, now: float) -> None:
        watch.suspected_at = now
        watch.pause_s = 0.0
        watch.probes = 0
        self.suspected[job] = watch
        self._pause(watch, now, grows=True)
        self._desk.report(
            "dependency.suspected",
            job=job,
            failures=watch.failures,
            window=WINDOW,
            pause_s=round(watch.probe_at - now, 3),
        )

    def _pause(self, watch: Watch, now: float, *, grows: bool) -> None:
        if grows:
            watch.pause_s = min(max(PAUSE_FIRST_S, 2 * watch.pause_s), PAUSE_MAX_S)
        watch.probe = None
        # A little less for some, so that many workers do not try all at once.
        watch.probe_at = now + watch.pause_s * (0.75 + self._desk.rng.random() / 4)

    def _recover(self, job: str, watch: Watch, now: float) -> None:
        assert watch.suspected_at is not None
        lasted_s = round(now - watch.suspected_at, 3)
        self._desk.report("dependency.recovered", job=job, probes=watch.probes, lasted_s=lasted_s)
        del self.suspected[job]
        self._watches[job] = Watch()
