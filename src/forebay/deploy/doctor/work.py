"""What `forebay run` would do in the container: its settings, and the jobs of its handler. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forebay.protection.policy import DRAIN_MARGIN_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job that the worker declares."""

    name: str
    timeout_s: float
    attempts: int | None
    """None: as the worker has them."""
    backoff_ceiling_s: float
    runs: str
    """`loop`, `thread` or `process`."""
    resends: bool = False
    slots: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What `forebay run` would do in the container: its settings, and the jobs of its handler."""

    slots: int
    attempts: int | None
    """Of jobs that do not say their own. None: min(5, maxReceiveCount)."""
    buffer_bytes: int
    visibility_s: int
    margin_s: float
    drain_s: float
    protect: str
    processes: int
    health: tuple[str, int] | None
    exits_when_empty: bool
    queues: tuple[str, ...]
    sources: Mapping[str, str]
    """Setting → where its value comes from, such as `FOREBAY_DRAIN` or `default`."""
    jobs: tuple[Job, ...] | None
    """None: the handler cannot be imported here."""
    unread: str | None = None
    """Why the handler's jobs are not known."""
    refusal: str | None = None
    """Why `forebay run` would not start; the other values are its defaults then."""

    @property
    def longest_s(self) -> float | None:
        """The longest that a job may take; None when that is not known."""
        return max((job.timeout_s for job in self.jobs), default=None) if self.jobs is not None else None

    @property
    def longest(self) -> Job | None:
        """The job that may take longest; None when there is none or none is known."""
        return max(self.jobs, key=lambda job: job.timeout_s) if self.jobs else None

    def is_protected(self, job: Job) -> bool:
        """Return whether attempts of the job are protected from scale-in: what does not fit into the drain is."""
        return self.protect == "always" or (self.protect == "auto" and job.timeout_s > self.drain_s - DRAIN_MARGIN_S)
