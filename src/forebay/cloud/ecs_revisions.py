"""The revisions of a service: what its tasks run, one number after the other.

Rules kept here and nowhere else:

1. A revision is a command and an environment, and never changes. A task runs those of the revision it was ordered with.
2. A new one is made of the newest, save for what is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from forebay.cloud.ecs_surroundings import common_variables
from forebay.cloud.ecs_tasks import TaskCommand


@dataclass(frozen=True, slots=True)
class Revision:
    """What the tasks of one revision run, and when that was said."""

    command: TaskCommand
    registered_at: float


class Revisions:
    """Every revision of one service. The first has number 1."""

    def __init__(self, command: TaskCommand, now: float) -> None:
        self.newest = 1
        """The highest number."""
        self._made = {1: Revision(command, now)}

    @property
    def by_number(self) -> Mapping[int, Revision]:
        return MappingProxyType(self._made)

    def add(self, arguments: Sequence[str] | None, environment: Mapping[str, str] | None, now: float) -> int:
        """Make a revision; return its number. None: as in the newest."""
        command = self._made[self.newest].command
        if arguments is not None:
            command = replace(command, arguments=tuple(arguments))
        if environment is not None:
            command = replace(command, environment={**common_variables(), **environment})
        self.newest += 1
        self._made[self.newest] = Revision(command, now)
        return self.newest

    def withdraw_newest(self) -> None:
        """Take back a revision that no task was ordered with."""
        assert self.newest > 1, "the first revision stays"
        del self._made[self.newest]
        self.newest -= 1
