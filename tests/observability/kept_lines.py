"""Fakes and values shared by the tests of what a worker tells."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from forebay.model import SUCCEEDED, Attempt, Message, Outcome
from forebay.observability.events import Keep

QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/thumbnails"
CANARY = "canary-7f3a"


class KeptLines:
    """A `LineWriter` that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.keeps: list[Keep] = []
        self.dropped = 0

    def write(self, line: str, keep: Keep = Keep.ROUTINE, /) -> None:
        self.lines.append(line)
        self.keeps.append(keep)

    def take_dropped(self, *, at_the_end: bool = False) -> int:
        dropped, self.dropped = self.dropped, 0
        return dropped

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines as JSON objects."""
        return [json.loads(line) for line in self.lines]

    def named(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.events if line["event"] == event]


class Ended(NamedTuple):
    """The shape that the reporter asks of a conclusion."""

    attempt: Attempt
    outcome: Outcome = SUCCEEDED
    lasted_s: float = 0.25
    settlement: str = "delete"
    delay_s: float = 0.0


def attempt(number: int = 1, *, job: str = "resize", receive_count: int = 1) -> Attempt:
    message = Message(QUEUE_URL, f"id-{number}", "receipt", f'{{"key": "{CANARY}"}}', receive_count)
    return Attempt(number, job, message, 60.0)
