"""Whether this worker is alive, and whether it is ready: the judgement, without the HTTP.

Rules kept here and nowhere else:

1. Alive means that the control loop has turned within `LOOP_SILENCE_MAX_S`. It says nothing about SQS: ECS replaces
   unhealthy tasks even when they are protected, and an outage of SQS must not kill running jobs.
2. Ready means that no source has a poll due for longer than `WAITS_MAX` wait times with none completed.
   A worker whose slots are full owes no poll, so it is never red for that.
3. The control loop only assigns attributes; readers judge. No lock: each attribute is whole by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from forebay.clock import Clock

LOOP_SILENCE_MAX_S = 10.0
WAITS_MAX = 3


@dataclass(slots=True, eq=False)
class SourceHealth:
    """What the control loop knows of one source."""

    wait_s: float = 20.0
    """The long poll's wait: the unit of patience."""
    poll_due_since: float | None = None
    """Since when a poll has been open or wanted; None while none is (slots full, draining, paused)."""
    last_completed_at: float | None = None
    """When a poll was last answered, with messages or without."""
    trouble: str | None = None
    """The last failure, in the service's words; None after a success."""


@dataclass(slots=True, eq=False)
class HealthState:
    """Written by the control loop, read by the server's thread."""

    last_turn_at: float
    sources: dict[str, SourceHealth] = field(default_factory=dict[str, SourceHealth])
    full_slots: bool = False
    notes: tuple[str, ...] = ()
    """What an operator should know though it makes nothing red: draining, running without protection."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer."""

    is_well: bool
    reasons: tuple[str, ...] = ()
    """Why not. Empty when well."""
    notes: tuple[str, ...] = ()


def liveness(state: HealthState, *, now: float) -> Verdict:
    """Say whether the control loop turns."""
    silent_s = now - state.last_turn_at
    if silent_s <= LOOP_SILENCE_MAX_S:
        return Verdict(True)
    return Verdict(False, (f"the control loop has not turned for {silent_s:.0f} s",))


def readiness(state: HealthState, *, now: float) -> Verdict:
    """Say whether work can arrive."""
    reasons = list(liveness(state, now=now).reasons)
    # A copy: the control loop may add a source while we look.
    for key, source in list(state.sources.items()):
        due_since = source.poll_due_since
        if state.full_slots or due_since is None:
            continue
        waiting_s = now - max(
            due_since, source.last_completed_at if source.last_completed_at is not None else due_since
        )
        if waiting_s > WAITS_MAX * source.wait_s:
            trouble = f": {source.trouble}" if source.trouble else ""
            reasons.append(f"no poll of {key} has completed for {waiting_s:.0f} s{trouble}")
    notes = state.notes + (("every slot is taken",) if state.full_slots else ())
    return Verdict(not reasons, tuple(reasons), notes)


def judge(path: str, state: HealthState, clock: Clock) -> Verdict | None:
    """Return the verdict that `path` asks for, or None when there is no such page."""
    match path:
        case "/live":
            return liveness(state, now=clock.now())
        case "/ready" | "/":
            return readiness(state, now=clock.now())
        case _:
            return None
