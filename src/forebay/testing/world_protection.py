"""What must hold of one worker's task protection (DESIGN invariants 2 and 6, decision 7).

Rules kept here and nowhere else:

1. What counts is what ECS acts on, `Agent.protected_until`, not what the worker believes.
2. Where the agent refuses or leaves things open, nothing is asked of the time that it takes to hold or to let go.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay.model import Attempt
from forebay.protection.port import Held, Refused, Unheld
from forebay.worker.vocabulary import Hold, LookAtProtection, ProtectionAnswered, Unhold

if TYPE_CHECKING:
    from forebay.testing.world_checks import Witness

FITS_INTO_DRAIN_S = 5.0
AHEAD_MAX_S = 85 * 60.0
"""A hold of 170 minutes is renewed when half of it is gone, so no more than this is ever sure."""
CLOCKS_S = 3.0
LET_GO_WITHIN_S = 2.0
"""Beyond the linger: the call itself, and one look before it."""


class ProtectionChecks:
    """Watches one worker's holds."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        plan = witness.world.plan
        self._plan = plan
        self._mode = plan.settings.protect
        self._is_active = plan.agent.is_available and self._mode != "never"
        self._outstanding: Hold | Unhold | LookAtProtection | None = None
        self._is_lasting = False
        self._idle_since: float | None = witness.world.time.now
        self._needing: set[int] = set()
        """Numbers of attempts started under protection, until their code has ended."""

    def _broken(self, what: str) -> None:
        self._witness.broken("6: protection", what)

    def _needs(self, limit_s: float) -> bool:
        if not self._is_active or self._is_lasting:
            return False
        return self._mode == "always" or limit_s > self._plan.settings.drain_s - FITS_INTO_DRAIN_S

    def call(self, command: Hold | Unhold | LookAtProtection) -> None:
        """A call to the agent is about to be made."""
        if not self._is_active:
            self._broken(f"{command} although protection is off")
        if self._outstanding is not None:
            self._broken(f"{command} while {self._outstanding} is under way")
        if self._witness.leaving.stop_at is not None:
            self._broken(f"{command} after the stop")
        if isinstance(command, Hold) and not 1 <= command.minutes <= 170:
            self._broken(f"{command}")
        self._outstanding = command

    def unhold(self, command: Unhold) -> None:
        self.call(command)
        running = self._needing & self._witness.process.executor.running.keys()
        deleting = self._witness.settlements.deleting
        unsettled = {number for number, record in self._witness.records.items() if record.needs_protection}
        unsettled |= {
            number for number in self._needing & deleting.keys() if deleting[number] not in self._witness.lost
        }
        if running or unsettled:
            self._broken(f"let go while {sorted(running)} run and {unsettled} are not settled")

    def answered(self, event: ProtectionAnswered) -> None:
        asked, self._outstanding = self._outstanding, None
        answer = event.answer
        if isinstance(answer, Refused) and answer.is_lasting:
            if not (isinstance(asked, LookAtProtection) and answer.reason.startswith("AccessDenied")):
                self._is_lasting = True
        elif isinstance(answer, Held | Unheld) and not isinstance(asked, LookAtProtection):
            self._is_lasting = False

    def receive(self) -> None:
        """A poll is about to be opened: under `always` only while protection is held."""
        agent = self._witness.process.agent
        if self._mode == "always" and not agent.is_protecting:
            self._broken("a poll without protection under `always`")

    def start(self, attempt: Attempt) -> None:
        """An attempt is about to be started."""
        if not self._needs(attempt.limit_s):
            return
        self._needing.add(attempt.number)
        left_s = self._witness.process.agent.protected_until - self._witness.now
        if left_s < min(attempt.limit_s, AHEAD_MAX_S) - CLOCKS_S or left_s <= 0:
            self._witness.broken(
                "2: protection", f"attempt {attempt.number} may run {attempt.limit_s} s, protected are {left_s:.1f} s"
            )

    def after_step(self) -> None:
        if not self._is_active or self._witness.leaving.stop_at is not None or not self._plan.agent.is_faultless:
            return
        witness, agent = self._witness, self._witness.process.agent
        is_busy = any(record.needs_protection for record in witness.records.values())
        if is_busy:
            self._idle_since = None
            if not agent.is_protecting and self._needing & witness.process.executor.running.keys():
                self._broken("protection ran out while code runs")
            return
        if self._idle_since is None:
            self._idle_since = witness.now
        if self._mode == "always" or not agent.is_protecting or witness.has_stalled:
            return
        idle_s = witness.now - self._idle_since
        if idle_s > self._plan.settings.protection_linger_s + LET_GO_WITHIN_S:
            self._broken(f"held by a worker that has been idle for {idle_s:.1f} s")
