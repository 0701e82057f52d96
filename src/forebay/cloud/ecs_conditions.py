"""Waiting on the loop until something is so, without looking again and again: whoever changes things says when to look.

Rules kept here and nowhere else:

1. A condition that is so already is not waited for; one that comes true is told in the same turn, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Condition = Callable[[], bool]


class Conditions:
    """What is being waited for."""

    def __init__(self) -> None:
        self._waiting: set[tuple[Condition, asyncio.Future[None]]] = set()

    async def until(self, condition: Condition) -> None:
        """Return when `condition()` is true."""
        if condition():
            return
        waiting = (condition, asyncio.get_running_loop().create_future())
        self._waiting.add(waiting)
        try:
            await waiting[1]
        finally:
            self._waiting.discard(waiting)

    def look(self) -> None:
        """Something has changed."""
        for condition, future in list(self._waiting):
            if not future.done() and condition():
                future.set_result(None)
