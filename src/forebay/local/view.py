"""What a run of the local system needs of the place where it is shown: a terminal, a file, a live view.

Rules kept here and nowhere else:

1. A view is told of things in the order in which they happened, on the run's event loop, and must be quick.
2. What a view raises ends the run (`local.runtime`).
"""

from __future__ import annotations

from typing import Protocol

from forebay.local.port import Picture


class View(Protocol):
    """Where a run is shown."""

    @property
    def shows_pictures(self) -> bool: ...

    def tell(self, line: str) -> None:
        """Say something about the run itself."""
        ...

    def task_line(self, line: str, *, is_warning: bool) -> None:
        """Show a line of a task, with its line break."""
        ...

    def show(self, picture: Picture) -> None: ...

    def end(self, picture: Picture) -> None:
        """Show the last picture. What is told from now on stands below it."""
        ...
