"""What everything of one deployment is called. Pure.

Rules kept here and nowhere else:

1. Every name follows from the service's name and the environment's, so that `status` finds what is there also where no
   stack tells it (the local cloud).
2. Names are fixed where something outside of the template must know them: the queue (producers), the cluster
   (protection is scoped to its tasks), the service. Roles and policies are named by CloudFormation.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_ENVIRONMENT = "test"
"""The environment of a manifest that names none."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one service in one environment."""

    service: str
    environment: str
    is_fifo: bool = False

    @property
    def stack(self) -> str:
        return f"{self.service}-{self.environment}"

    @property
    def cluster(self) -> str:
        return self.stack

    @property
    def family(self) -> str:
        return self.stack

    @property
    def queue(self) -> str:
        return f"{self.stack}.fifo" if self.is_fifo else self.stack

    @property
    def dead_letter_queue(self) -> str:
        return f"{self.stack}-dead.fifo" if self.is_fifo else f"{self.stack}-dead"

    @property
    def log_group(self) -> str:
        return f"/forebay/{self.stack}"

    @property
    def repository(self) -> str:
        """The ECR repository: one for all environments of a service, so that what was tested is what goes on."""
        return self.service
