"""What it costs to route a message and to validate its arguments, beside a handler that reads its own JSON.

Rules kept here and nowhere else:

1. CPU time of this process, by turns in short rounds: what is told is the median of the differences within rounds.
2. The raw handler does what everybody has to do: it parses the body and awaits the function.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from statistics import median
from typing import Any

from benchmarks.jobs import NOTE
from benchmarks.report import Figure, Results
from benchmarks.server import Server
from forebay import Worker
from forebay.handlers.registry import Handler
from forebay.model import Attempt, Message, MessageAttribute

ROUND = 2_000
BODY = json.dumps({"note": NOTE, "width": 320, "tags": ["a", "b"], "at": "2026-11-28T12:00:00Z"})

worker = Worker("calling")


async def _nothing(note: str, width: int, tags: list[str], at: Any) -> None:
    """Do nothing."""


@worker.job(name="typed")
async def typed(note: str, width: int, tags: list[str], at: datetime) -> None:
    """Do nothing."""


def calling(server: Server, results: Results, *, is_quick: bool) -> None:  # noqa: ARG001 - no server is needed
    """Routing by the attribute and four arguments (text, number, list, time), read by pydantic."""
    registry = worker.registry
    message = Message("q", "id", "r", BODY, attributes={"job": MessageAttribute("String", "typed")})

    async def raw() -> None:
        await _nothing(**json.loads(message.body))

    async def routed() -> None:
        handler = registry.route(message)
        assert isinstance(handler, Handler)
        await handler.call(Attempt(1, handler.name, message, handler.limit_s))  # type: ignore[misc]

    rounds = 10 if is_quick else 100
    pairs = [(_us_each(raw), _us_each(routed)) for _ in range(rounds)]
    raw_us, routed_us = (median(pair[index] for pair in pairs) for index in (0, 1))
    results.add(
        None,
        Figure(
            "routing and validation of a job, more than a raw handler",
            median(ours - bare for bare, ours in pairs),
            " µs",
            15,
            beside=f"{routed_us:.1f} µs, raw {raw_us:.1f} µs with json.loads; text, number, list and time",
        ),
    )


def _us_each(function: Callable[[], Coroutine[Any, Any, None]]) -> float:
    began_s = time.process_time()
    for _ in range(ROUND):
        try:
            function().send(None)
        except StopIteration:
            pass
    return (time.process_time() - began_s) / ROUND * 1e6
