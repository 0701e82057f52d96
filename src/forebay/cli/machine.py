"""What defaults depend on: the machine, and what kinds of jobs there are."""

from __future__ import annotations

from dataclasses import dataclass

from forebay import platform


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known before anything is set."""

    cores: int
    memory_limit_bytes: int | None
    any_blocking: bool
    """Some job of the worker is a plain `def` that runs in a thread."""
    slots_least: int = 1
    """What the largest share or batch of a job takes: the default is no less."""
    isolated_slots: int | None = None
    """What the children of isolated jobs have room for, where there are no other jobs."""

    @property
    def default_slots(self) -> int:
        """Room for received messages, when nobody says how much."""
        slots = platform.default_slots(any_blocking=self.any_blocking, cores=self.cores)
        return max(slots if self.isolated_slots is None else self.isolated_slots, self.slots_least)

    @property
    def default_buffer_bytes(self) -> int:
        """Bytes of bodies held at once, when nobody says how many."""
        return platform.default_buffer_bytes(self.memory_limit_bytes)
