"""Carries out a stop: tells running code, gives back what waits, interrupts at the limit, and leaves in time.

Rules kept here and nowhere else:

1. Running attempts get until the drain's limit; then they are interrupted, and what obeys is given back.
2. What does not obey is released so as to reappear two seconds after our exit at the earliest, and the process leaves
   without waiting for it. This is the one time that something is released while its code may still run.
3. Polls still open at the limit are abandoned. What is released from then on outlasts them.
4. The exit comes when everything is accounted for, or when time is up: then the rest is counted as lost.
5. Code that does not end though its limit and as much time as a drain have passed is reported as stuck. With
   `stuck="replace"` the worker then retires: nothing new, protection and leases kept, each attempt to its own limit.
   Who reaches a checkpoint goes on elsewhere. When only stuck ones are left, the last steps of a drain follow and the
   exit status is 1.
"""

from __future__ import annotations

from forebay.worker.breaker import Breaker
from forebay.worker.drain import VISIBLE_AFTER_S, Drain, Phase
from forebay.worker.ledger import Column
from forebay.worker.polling import Polling
from forebay.worker.records import Desk, Record, State
from forebay.worker.retry import SettleByRelease
from forebay.worker.running import Running, stuck
from forebay.worker.settling import Settling
from forebay.worker.vocabulary import AbandonPolls, Exit, Notify


class Stopping:
    """The end of a worker's life."""

    def __init__(
        self,
        desk: Desk,
        polling: Polling,
        settling: Settling,
        running: Running,
        breaker: Breaker,
    ) -> None:
        self._desk = desk
        self._polling = polling
        self._settling = settling
        self._running = running
        self._breaker = breaker
        self.drain = Drain()

    def begin(self, reason: str, now: float, *, status: int = 0) -> None:
        """Start to drain; a second call changes nothing."""
        desk = self._desk
        if not self.drain.begin(reason, status=status, drain_s=desk.settings.drain_s, now=now):
            return
        self._tell(reason, now, limit_at=self.drain.limit_at)
        self._tell_running()

    def stuck(self, record: Record, now: float) -> None:
        """Code does not end though its limit and the time of a drain have passed."""
        desk = self._desk
        record.is_stuck = True
        desk.commands.append(stuck(record, now))
        self._breaker.gave_up(record.attempt.job, record.number, now)
        if desk.settings.stuck == "replace" and self.drain.retire(f"job {record.attempt.job!r} does not stop"):
            desk.is_retiring = True
            running = [one for one in desk.records.values() if one.state is State.RUNNING]
            self._tell(self.drain.reason, now, limit_at=max(now, *(one.deadline_at for one in running)))
            for one in running:  # Who keeps checkpoints need not be waited for.
                if not one.is_asked_to_go_on:
                    one.is_asked_to_go_on = True
                    desk.commands.append(Notify(one.attempt, hand_on=True))

    def _tell(self, reason: str, now: float, *, limit_at: float) -> None:
        desk = self._desk
        desk.is_stopping = True
        ends_at = max((self._polling.ends_at(key) for key in self._polling.sources), default=0.0)
        desk.report(
            "drain.started",
            reason=reason,
            running=desk.running,
            waiting=len(desk.waiting),
            limit_s=round(limit_at - now, 3),
            **({"poll_ends_in_s": round(ends_at - now, 3)} if ends_at > now else {}),
        )

    def _tell_running(self) -> None:
        """Let running code know that it should come to an end."""
        self._desk.is_retiring = False
        for record in self._desk.records.values():
            if record.state is State.RUNNING:
                self._desk.commands.append(Notify(record.attempt, stopping=True, hand_on=True))

    def hurry(self, reason: str, now: float) -> None:
        """Leave within a second."""
        was_working = self.drain.phase in (Phase.WORKING, Phase.RETIRING)
        if self.drain.hurry(reason, now=now) and was_working:
            self._tell(reason, now, limit_at=self.drain.limit_at)
            self._tell_running()

    def turn(self, now: float) -> None:
        """Go on to the next phase when its time has come."""
        drain = self.drain
        if drain.phase in (Phase.WORKING, Phase.GONE):
            return
        if not self._desk.records and not self._polling.any_open:
            self._leave()
            return
        if drain.phase is Phase.RETIRING:
            if not self._only_stuck_left():
                return
            drain.begin(drain.reason, status=1, drain_s=0.0, now=now)
            self._tell_running()
        if drain.phase is Phase.DRAINING and now >= drain.limit_at:
            drain.phase = Phase.INTERRUPTING
            self._end_polls(now)
            for record in list(self._desk.records.values()):
                if record.state is State.RUNNING:
                    self._running.interrupt(record)
        if drain.phase is Phase.INTERRUPTING and (now >= drain.obey_until or self._desk.running == 0):
            drain.phase = Phase.LEAVING
            self._give_up_running(now)
        if drain.phase is Phase.LEAVING and now >= drain.exit_at:
            self._settling.abandon()
        if not self._desk.records and not self._polling.any_open:
            self._leave()

    def _only_stuck_left(self) -> bool:
        if self._polling.any_open:
            return False
        return all(record.is_stuck and record.state is State.RUNNING for record in self._desk.records.values())

    def _end_polls(self, now: float) -> None:
        for key in self._polling.sources:
            if self._polling.is_open(key):
                self._polling.abandon(key)
                self._desk.commands.append(AbandonPolls(key))
        self._settling.unblock(now)

    def _give_up_running(self, now: float) -> None:
        """Release what would not end. Its slot counts as free, for nothing is received any more."""
        for record in [record for record in self._desk.records.values() if record.state is State.RUNNING]:
            self._running.given_up.add(record.number)
            if not record.is_stuck:
                self._desk.commands.append(stuck(record, now))
            self._running.leave_slot(record)
            delay_s = self.drain.exit_at - now + VISIBLE_AFTER_S
            column: Column = "lease_lost" if record.is_lease_lost else "released"
            self._settling.begin(record, SettleByRelease(delay_s, is_retry=False), column, now=now)

    def _leave(self) -> None:
        self.drain.phase = Phase.GONE
        status = self.drain.status or (1 if self._settling.unconfirmed else 0)
        self._desk.commands.append(Exit(status, self.drain.reason, bool(self._running.given_up)))
