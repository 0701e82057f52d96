"""The port to ECS task scale-in protection, and what its answers mean.

HTTP 200 is not consent: a refusal arrives as 200 with a `failure` (facts/ecs-task-protection.md section 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Held:
    """ECS will not choose this task for scale-in before `until_at` (monotonic)."""

    until_at: float


@dataclass(frozen=True, slots=True)
class Unheld:
    """The task is not protected."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Protection was not given. `is_lasting`: asking again cannot help until somebody changes something."""

    reason: str
    """ECS's word: DEPLOYMENT_BLOCKED, TASK_NOT_VALID, AccessDeniedException, ThrottlingException, …"""
    is_lasting: bool
    detail: str = ""
    is_unknown: bool = False
    """The call may have taken effect all the same (504, connection cut off): look before believing anything."""


ProtectionAnswer = Held | Unheld | Refused


class Protection(Protocol):
    """Somebody who can protect this task. Never raises but on cancellation: trouble is a `Refused`."""

    async def hold(self, *, minutes: int) -> ProtectionAnswer: ...

    async def unhold(self) -> ProtectionAnswer: ...

    async def look(self) -> ProtectionAnswer:
        """Ask for the present state."""
        ...

    async def aclose(self) -> None: ...
