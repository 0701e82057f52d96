"""Every knob of a worker: its unit, bounds and reason, and the relations that must hold between knobs.

Settings are made from plain values. Only the command line reads the environment (`cli/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from forebay.errors import SettingsError

Protect = Literal["auto", "always", "never"]
LogFormat = Literal["text", "json"]

LIMIT_MIN_S = 1.0
LIMIT_MAX_S = 42_600.0
"""11 h 50 min: SQS ends every lease 12 h after its receive, and settling needs some of that."""

LIMIT_DEFAULT_S = 900.0
VISIBILITY_CEILING_S = 43_190
"""The most we ask for: 43,200 s right after a receive is refused, because some of it has passed already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How one worker behaves."""

    slots: int = 100
    """Room for received messages, from receive until their attempt has finished. 1 to 100,000."""

    buffer_bytes: int = 256 * 1024 * 1024
    """Bodies held plus 1 MiB for each message asked for stay under this. At least 1 MiB."""

    visibility_s: int = 60
    """Hidden time asked for at each receive and renewal. Short, so that a crash costs little. 2 to 43,190, whole."""

    margin_s: float | None = None
    """Trust in a lease ends this long before the lease does. None: min(5, visibility ÷ 6). Under a third of it."""

    drain_s: float = 25.0
    """How long running attempts get after a stop request. ECS kills after stopTimeout (30 s). 0 to 100,000."""

    attempts: int | None = None
    """Attempts of jobs that do not say their own. None: 5, or the queue's maxReceiveCount when that is smaller. 1 or
    more; the queue must receive that often, so `deploy` gives it ten more."""

    protect: Protect = "auto"
    """`auto` protects attempts that do not fit into the drain; `always` is the article's cycle."""

    protection_linger_s: float = 10.0
    """How long protection outlasts the last attempt that needed it. 0 to 3,600."""

    log: LogFormat = "text"

    exit_when_empty: bool = False

    processes: int = 1
    """Processes that run the jobs that are not isolated. 1: they run in the worker's own. 1 to 1,000."""

    stuck: Literal["replace", "wait"] = "replace"
    """What to do about code that does not end though its limit and the drain have passed: finish what else runs and
    leave (exit status 1), so that a new worker takes our place, or go on without its slot."""

    suspects: bool = True
    """Whether a job that nearly always fails is taken for one whose dependency is broken. Tests say no: there, failures
    are meant."""

    error_detail: Literal["frames", "full"] = "frames"
    """What logs show of a handler's exception. `full` adds its message and source lines, which may hold user data."""

    dead_letter_detail: Literal["frames", "full"] = "frames"
    """What a buried message's attribute shows of it. Message attributes are not covered by encryption at rest."""

    def __post_init__(self) -> None:
        _check("slots", self.slots, 1, 100_000)
        _check("buffer_bytes", self.buffer_bytes, 1_048_576, 1 << 50)
        _check("visibility", self.visibility_s, 2, VISIBILITY_CEILING_S)
        _check("processes", self.processes, 1, 1_000)
        if self.attempts is not None:
            _check("attempts", self.attempts, 1, 1_000_000)
        if self.visibility_s != int(self.visibility_s):
            raise SettingsError(f"visibility={self.visibility_s} must be whole seconds: SQS takes no fractions")
        _check("drain", self.drain_s, 0, 100_000)
        _check("protection linger", self.protection_linger_s, 0, 3_600)
        if self.margin_s is not None and not 0 < self.margin_s < self.visibility_s / 3:
            raise SettingsError(
                f"margin={self.margin_s:g} must be above 0 and under a third of visibility={self.visibility_s}, "
                "so that two renewals fit"
            )
        for name, value, allowed in (
            ("protect", self.protect, ("auto", "always", "never")),
            ("log", self.log, ("text", "json")),
            ("stuck", self.stuck, ("replace", "wait")),
            ("error_detail", self.error_detail, ("frames", "full")),
            ("dead_letter_detail", self.dead_letter_detail, ("frames", "full")),
        ):
            if value not in allowed:
                raise SettingsError(f"{name}={value!r} is none of {', '.join(allowed)}")

    @property
    def trust_margin_s(self) -> float:
        """The margin in force, in seconds."""
        return self.margin_s if self.margin_s is not None else min(5.0, self.visibility_s / 6)


def check_limit(name: str, limit_s: float) -> float:
    """Return `limit_s` if it is a legal job timeout. Raises `SettingsError` naming the job otherwise."""
    if not LIMIT_MIN_S <= limit_s <= LIMIT_MAX_S:
        raise SettingsError(
            f"timeout={limit_s:g} s of job {name!r} is outside 1 s to 11 h 50 min: SQS ends every lease after 12 h"
        )
    return limit_s


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        told = value if isinstance(value, int) else f"{value:g}"
        raise SettingsError(f"{name}={told} is outside {low:,} to {high:,}")
