"""What a conversion says about a key: that it has no counterpart, or works differently, and what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Note:
    """One remark about one key of Copilot's manifest. Values of variables and secrets never stand in it."""

    place: str
    """The key, from the top: `subscribe.topics[0].queue`."""
    kind: Literal["left out", "differs"]
    """`left out`: the new manifest has nothing for it. `differs`: it is converted, or not needed, but not the same."""
    text: str

    def within(self, environment: str) -> Note:
        """Return the same remark about the override of an environment."""
        return replace(self, place=f"environments.{environment}.{self.place}")


@dataclass(slots=True)
class Notes:
    """Collects remarks in order, each once."""

    taken: list[Note] = field(default_factory=list[Note])

    def left_out(self, place: str, text: str) -> None:
        self._add(Note(place, "left out", text))

    def differs(self, place: str, text: str) -> None:
        self._add(Note(place, "differs", text))

    def _add(self, note: Note) -> None:
        if note not in self.taken:
            self.taken.append(note)
