"""Which children a run is to have, and what they are told first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from forebay.handlers.pipe import Header
from forebay.handlers.registry import Runs

SLOW_S = 60.0
FAILURES_MAX = 6
"""With the pauses between them half a minute or more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which children there are to be."""

    kinds: tuple[Runs, ...]
    """The kinds of handlers that they run."""
    children: int
    slots_each: int
    """Attempts that one child runs at once. 1 for isolated jobs."""
    module: str
    """What a child runs, with `python -m`."""
    hello: Header = field(default_factory=dict[str, object])
    """What it is told first."""
    print_out: Callable[[str], object] | None = None
    """Takes what children print. None: they print themselves."""

    slow_s: float = SLOW_S
    """Who takes longer to come up is told of: the import of a program may wait for something that never comes."""

    failures_max: int = FAILURES_MAX
    """Children in a row that did not come up, after which the worker leaves if it has none at all."""

    @property
    def is_isolated(self) -> bool:
        """Whether an attempt is alone in its child, so that the child may be killed for it."""
        return self.kinds == ("process",)
