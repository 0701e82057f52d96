"""What ends the attempts of a test's run before their time, and exactly when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forebay.model import Signals
from forebay.testing.local_pacing import MachineSignals


@dataclass(slots=True, kw_only=True)
class Interruption:
    """What ends the attempts of a run before their time."""

    stopping: bool = False
    """Raised before the code begins."""
    lease_lost: bool = False
    at_checkpoint: int | None = None
    """The worker stops with the checkpoint of this number, from 1."""
    after_s: float | None = None
    """The worker stops so long after its start."""
    checkpoints: int = 0

    def prepare(self, stop: Callable[[], None], signals: Signals) -> None:
        """Set the flags of an attempt that is about to begin, and listen to its checkpoints."""
        signals.stopping, signals.hand_on = self.stopping, self.stopping
        signals.lease_lost = self.lease_lost
        if self.at_checkpoint is None:
            return

        def reached() -> None:
            self.checkpoints += 1
            if self.checkpoints == self.at_checkpoint:
                signals.stopping = signals.hand_on = True  # This very call is to end the attempt.
                stop()

        assert isinstance(signals, MachineSignals)
        signals.on_checkpoint = reached
