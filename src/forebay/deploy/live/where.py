"""Which service is meant: of a manifest's environment, or named by its cluster, as in the local cloud. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The names by which AWS knows one service and what belongs to it."""

    service: str
    cluster: str
    environment: str | None = None
    """None: named by its cluster, without a manifest."""
    queue: str | None = None
    """By name or by URL."""
    log_group: str | None = None
    stack: str | None = None

    @property
    def title(self) -> str:
        """Return the service as people call it."""
        return f"{self.service} in environment {self.environment}" if self.environment else self.address

    @property
    def address(self) -> str:
        return f"{self.service} in cluster {self.cluster}"

    @property
    def scalable(self) -> str:
        """Return what Application Auto Scaling calls the service."""
        return f"service/{self.cluster}/{self.service}"


def deployed(manifest: Manifest, names: Names) -> Where:
    """Return where the service of a manifest's environment is."""
    return Where(
        service=names.service,
        cluster=(manifest.cluster or names.cluster).rpartition("/")[2],
        environment=names.environment,
        queue=names.queue,
        log_group=names.log_group,
        stack=names.stack,
    )
