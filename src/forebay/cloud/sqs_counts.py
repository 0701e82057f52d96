"""What has been asked of the local SQS: for benchmarks, tests and the curious.

Rules kept here and nowhere else:

1. A request counts under its operation on arrival, whatever becomes of it; messages count when they are answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from forebay.rules.queue_semantics import QueueService


class Counts:
    """Counters since the start, or since the last `reset()`."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        """By operation."""
        self.refusals: Counter[str] = Counter()
        """Requests answered with an error, by its legacy code."""
        self.messages: Counter[str] = Counter()
        """`sent`, `delivered` and `deleted` messages, and `empty` receives."""
        self.moments: dict[str, float] = {}
        """By the server's monotonic clock: the first `delivered`, the last `deleted`. For benchmarks."""

    def reset(self) -> None:
        self.requests.clear()
        self.refusals.clear()
        self.messages.clear()
        self.moments.clear()

    def shown(self) -> dict[str, Any]:
        """The counters as JSON takes them."""
        return {
            "requests": dict(self.requests),
            "refusals": dict(self.refusals),
            "messages": dict(self.messages),
            "moments": dict(self.moments),
        }

    def note(self, operation: str, result: Mapping[str, Any], now: float) -> None:
        """Count the messages of one answer."""
        if operation == "ReceiveMessage":
            count = len(result.get("Messages", ()))
            self.messages["delivered" if count else "empty"] += count or 1
            if count and "delivered" not in self.moments:
                self.moments["delivered"] = now
        elif operation.startswith("DeleteMessage"):
            self.moments["deleted"] = now
            self.messages["deleted"] += len(result.get("Successful", ())) if operation.endswith("Batch") else 1
        elif operation.startswith("SendMessage"):
            self.messages["sent"] += len(result.get("Successful", ())) if operation.endswith("Batch") else 1


def queue_figures(service: QueueService, url: str, now: float) -> dict[str, Any]:
    """Return what one queue holds now, as JSON takes it."""
    attributes = service.get_queue_attributes(url, ["All"], now=now)
    prefix = "ApproximateNumberOfMessages"
    return {
        "visible": int(attributes[prefix]),
        "in_flight": int(attributes[prefix + "NotVisible"]),
        "delayed": int(attributes[prefix + "Delayed"]),
        "swallowed": service.registry.find(url).swallowed_count,
        "modes": asdict(service.modes(url)),
    }
