"""What one simulated world is like: its settings, queues, jobs, troubles and stops.

Rules kept here and nowhere else:

1. A plan is a value. Nothing that the worker under test does can change it.
2. Every trouble ends at `calm_at`: what is not settled some time after that was lost by the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from forebay.handlers.registry import Retry, Runs
from forebay.settings import WorkerSettings

StopKind = Literal["stop", "stop_now", "kill"]
WindowKind = Literal["black_hole", "unavailable", "throttled", "denied", "credentials"]

NO_SUCH_JOB = "nobody"
"""The name on a message that no handler does."""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One declared job."""

    name: str
    limit_s: float
    attempts_max: int | None
    retry: Retry = "count"
    runs: Runs = "loop"
    slots_max: int | None = None
    batch_size: int = 0
    """0: its messages are done one by one."""
    linger_s: float = 1.0


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """One queue and what the workers may do with it."""

    name: str
    has_dead_letter: bool
    receive_count_max: int
    may_describe: bool
    may_renew: bool
    knows_may_renew: bool
    """Whether the description says that renewing is denied; else the worker finds out."""
    is_sampled: bool
    duplicate_ratio: float
    deletes_lost: int
    may_send: bool = True
    """Whether workers may send to it: without that nothing goes on elsewhere with its state."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which every call meets the same trouble."""

    from_at: float
    until_at: float
    kind: WindowKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often which trouble strikes, as shares of the calls (0 to 1)."""

    lose_request: float = 0.0
    lose_answer: float = 0.0
    arrive_late: float = 0.0
    """The request is carried out after its caller has given up waiting."""
    refuse: float = 0.0
    break_after: float = 0.0
    """The answer is a 5xx although the call was carried out."""
    fail_entry: float = 0.0
    """Share of batch entries that fail alone."""
    be_slow: float = 0.0
    timeout_s: float = 5.0
    windows: tuple[Window, ...] = ()
    stall: float = 0.0
    """Share of facts at which the control loop then stands still for a moment."""
    stall_max_s: float = 0.0
    clock_step_s: float = 0.0
    """How wrong the wall clock may be; only queue waits and protection's expiry depend on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPlan:
    """How the ECS agent behaves."""

    is_available: bool
    refuse: float = 0.0
    unknown: float = 0.0
    """The answer is lost; half of the time the call took effect."""
    blocked: tuple[tuple[float, float], ...] = ()
    """Times of a deployment: DEPLOYMENT_BLOCKED."""
    lasting: str | None = None
    lasting_from: float = 0.0
    may_look: bool = True
    is_held_at_start: bool = False

    @property
    def is_faultless(self) -> bool:
        return not (self.refuse or self.unknown or self.blocked or self.lasting) and self.may_look


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePlan:
    """How the handlers behave, as shares of attempts (0 to 1)."""

    fail: float
    postpone: float
    reject: float
    crash: float
    cancel: float
    """Ended as interrupted though we did not ask: a task of the user's own cancelled it."""
    extend: float
    ignore_interrupts: float
    never_end: float
    give_up: float
    """Share of those that ignore their limit on which the executor gives up: `TimedOut(stopped=False)`."""
    long: float
    """Share of attempts whose length is drawn up to beyond the job's limit; the others are short."""
    checkpoint: float = 0.0
    """Share of attempts that reach checkpoints, and end at one when told to."""
    lasts_s: float | None = None
    """How long every attempt lasts, for worlds made by hand. None draws it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which what a job depends on is broken: every attempt of it that begins then fails."""

    job: str
    from_at: float
    until_at: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that a producer sends."""

    at: float
    source: int
    job: str | None
    delay_s: int


@dataclass(frozen=True, slots=True)
class StopPlan:
    """A signal to whichever worker sits in `seat` at that time."""

    at: float
    seat: int
    kind: StopKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything about one world."""

    seed: int
    settings: WorkerSettings
    seats: int
    """Workers alive at once; one that has left is replaced after a while."""
    sources: tuple[SourcePlan, ...]
    jobs: tuple[JobPlan, ...]
    default: JobPlan | None
    faults: Faults
    agent: AgentPlan
    code: CodePlan
    arrivals: tuple[Arrival, ...]
    stops: tuple[StopPlan, ...]
    calm_at: float
    replaces_at_calm: bool
    """Whether every worker is stopped and replaced when the troubles end."""
    children: int = 2
    """Child processes of each worker, for jobs that run in such."""
    recycled_at: tuple[float, ...] = ()
    """How long after a worker's start one of its children is replaced."""
    outages: tuple[Outage, ...] = ()

    @property
    def has_clean_network(self) -> bool:
        faults = self.faults
        return not (
            faults.lose_request
            or faults.lose_answer
            or faults.arrive_late
            or faults.refuse
            or faults.break_after
            or faults.fail_entry
            or faults.be_slow
            or faults.windows
            or faults.stall
        )

    @property
    def limit_max_s(self) -> float:
        """The longest limit of any job."""
        jobs = self.jobs if self.default is None else (*self.jobs, self.default)
        return max(job.limit_s for job in jobs)
