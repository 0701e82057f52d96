"""What one run is told: every value that the command line (or a program that embeds a worker) has decided.

A value object: it opens nothing and reads nothing. `sources` says where each value came from, for `doctor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forebay.settings import WorkerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run one worker."""

    queues: tuple[str, ...]
    """URLs of the queues to work, or names (no `://`) to be looked up with GetQueueUrl. At least one."""

    settings: WorkerSettings = field(default_factory=WorkerSettings)

    dead_letter: str | None = None
    """URL of the dead-letter queue; None: the one that each queue's RedrivePolicy names."""

    health: tuple[str, int] | None = None
    """Where to serve the health pages; None: nowhere."""

    region: str | None = None
    """None: as botocore finds it."""

    endpoint: str | None = None
    """The URL of the SQS service; None: as botocore finds it."""

    agent_uri: str | None = None
    """`ECS_AGENT_URI`: None outside of ECS."""

    metadata_uri: str | None = None
    """`ECS_CONTAINER_METADATA_URI_V4`: None outside of ECS."""

    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The process's environment, for credentials and proxies."""

    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    """Setting → where its value came from: `--slots`, `FOREBAY_SLOTS`, `forebay.yml line 3`, `code`, `default`."""
