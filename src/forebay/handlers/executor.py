"""The port between the control loop and the places where user code runs.

Rules kept here and nowhere else:

1. Every attempt that is started yields exactly one outcome, whatever the user's code does.
2. Outcomes come back in batches through `Deliver`, which may be called from any thread.
3. `start`, `interrupt` and `notify` are called on the control loop and return at once.
4. An interrupt asks; only an executor that `can_kill` may promise. Code that will not stop keeps its attempt open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from forebay.handlers.registry import Runs
from forebay.model import Attempt, Outcome


class Ended(NamedTuple):
    """One attempt's end, as its executor saw it."""

    number: int
    outcome: Outcome
    lasted_s: float
    checkpoint: str | None = None
    """The newest state that the code had reached (JSON), if it ever called `ctx.checkpoint`."""


class Deliver(Protocol):
    """Hands outcomes (and requests for time) to the control loop. Thread-safe; never blocks."""

    def ended(self, batch: Sequence[Ended], /) -> None: ...

    def extend(self, number: int, limit_s: float, /) -> None:
        """The handler asks that its limit end `limit_s` from now."""
        ...

    def room(self, runs: Runs, room: int, /) -> None:
        """So many attempts (or batches) of the kind `runs` can run at once from now on.

        For executors whose places come and go; one that never says so has room for everything.
        """
        ...

    def give_up(self, reason: str, /) -> None:
        """Nothing can be run here, and trying again has not helped: the worker should leave."""
        ...


class Blockage(NamedTuple):
    """The handlers' event loop has not turned for a while, and where it stands."""

    blocked_s: float
    stack: tuple[str, ...]
    """`file:line function`, outermost first."""


class Executor(Protocol):
    """A place where attempts run."""

    @property
    def can_kill(self) -> bool:
        """Whether an interrupted attempt is certain to end (processes: yes; loop and threads: no)."""
        ...

    def open(self, deliver: Deliver) -> None:
        """Get ready to run attempts: start the thread, loop or children."""
        ...

    def start(self, attempts: Sequence[Attempt]) -> None:
        """Run these; each is owed exactly one `Ended`."""
        ...

    def interrupt(self, number: int, *, because_of_limit: bool) -> None:
        """Ask the attempt to end now: as `TimedOut` when its limit passed, else as `Interrupted`."""
        ...

    def notify(self, attempt: Attempt) -> None:
        """A flag of `attempt.signals` has risen: wake whoever waits for it."""
        ...

    def blockage(self, *, now: float) -> Blockage | None:
        """Say whether user code keeps the executor itself from turning. Cheap; asked about once a second."""
        ...

    def stack_of(self, number: int) -> tuple[str, ...]:
        """Return where the code of a running attempt stands: `file:line function`, outermost first.

        Empty when that is not known, or when the attempt has ended.
        """
        ...

    def close(self, *, wait_s: float) -> bool:
        """Stop taking work and end the executor's threads. False if some code would not end in `wait_s`."""
        ...
