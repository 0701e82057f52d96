"""What `forebay local` is asked to do, in one value.

Rules kept here and nowhere else:

1. The sample worker gets ten slots a task, unless its options say otherwise.
2. The scaling law is to keep the wait below `LATENCY_S`; what that means in messages a task follows from the slots and
   from how long a job takes (facts/scaling.md section 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

PAGE_PORT = 8480
"""Where the page is, unless told otherwise; the AWS endpoint is at the next port."""
SAMPLE_SLOTS = 10
LATENCY_S = 5.0
TIME_LAPSE = 20.0
START_DELAY_S = 1.0
STOP_TIMEOUT_S = 30.0
"""ECS's default, and five seconds more than a worker's drain."""
STOP_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Spike:
    """So many jobs at once, each of so many milliseconds."""

    count: int
    job_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPlan:
    """What to do on this machine."""

    run_arguments: Sequence[str] = ()
    """What follows `forebay run` in the command of a task, without `--log`."""
    queues_of_jobs: Sequence[str] = ()
    """Names of queues that single jobs are sent to."""
    is_sample: bool = True
    """Whether the tasks run the sample worker, which understands the jobs that the page sends."""
    count_min: int = 1
    count_max: int = 1
    spike: Spike | None = None
    """The jobs to send at the start."""
    leave_when_drained: bool = False
    has_page: bool = True
    opens_page: bool = False
    port: int | None = None
    """The page's port, the AWS endpoint's being the next; 0: any two that are free; None: the usual ones if free."""
    data: Path | None = None
    """Where queues and logs are kept; None: in memory."""
    time_lapse: float = TIME_LAPSE
    """How many times as fast the clock of metrics and scaling runs."""
    start_delay_s: float = START_DELAY_S
    """How long a task is pending: what pulling an image takes on Fargate."""
    drain_s: float | None = None
    """How long a task's running jobs get after SIGTERM, if it is not the default."""
    log: Literal["text", "json"] = "text"
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """What the tasks inherit beside their surroundings."""

    @property
    def stop_timeout_s(self) -> float:
        """From SIGTERM to SIGKILL: the tasks' own limit comes first."""
        return STOP_TIMEOUT_S if self.drain_s is None else max(STOP_TIMEOUT_S, self.drain_s + STOP_MARGIN_S)

    @property
    def job_s(self) -> float:
        """How long a job is expected to take, for the scaling law."""
        return max(0.001, self.spike.job_ms / 1000) if self.spike is not None else 1.0
