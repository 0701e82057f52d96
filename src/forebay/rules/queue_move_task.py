"""One message move task: how far it has come, and the handle by which it can be cancelled.

Rules kept here and nowhere else:

1. A task is RUNNING, COMPLETED, CANCELLING, CANCELLED or FAILED (API reference, ListMessageMoveTasks).
2. Its handle is of the real service's form, base64 around a JSON object with the task's id and its source's ARN.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from forebay.rules import queue_errors as errors
from forebay.rules.queue_messages import NEVER


@dataclass(slots=True, kw_only=True)
class MoveTask:
    """One task, as far as it has come."""

    task_id: str
    source_arn: str
    destination_arn: str | None
    rate: int | None
    """Messages a second; None leaves it to the service."""
    started_at: float
    started_at_ms: int
    to_move: int
    """How many messages were visible when it started."""
    paced_at: float
    moved: int = 0
    paced_from: int = 0
    """Since `paced_at`, when so many had been moved, it has kept its rate."""
    status: str = "RUNNING"
    failure: str | None = None
    """FailureReason, of a FAILED one only."""
    next_at: float = NEVER
    """When it acts next."""

    @property
    def is_active(self) -> bool:
        return self.status in ("RUNNING", "CANCELLING")

    @property
    def handle(self) -> str:
        """What CancelMessageMoveTask takes."""
        text = json.dumps({"taskId": self.task_id, "sourceArn": self.source_arn}, separators=(",", ":"))
        return base64.b64encode(text.encode()).decode()

    def end(self, status: str, failure: str | None = None) -> None:
        """Nothing happens to it any more."""
        self.status, self.failure, self.next_at = status, failure, NEVER


def read_handle(handle: str) -> tuple[str, str]:
    """Return the task's id and its source's ARN."""
    try:
        read: object = json.loads(base64.b64decode(handle, validate=True))
    except ValueError:  # of base64, of UTF-8, or of JSON
        read = None
    match read:
        case {"taskId": str(task_id), "sourceArn": str(source_arn)}:
            return task_id, source_arn
        case _:
            raise errors.invalid_parameter("Value for parameter TaskHandle is invalid.")
