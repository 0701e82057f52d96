"""The two answers that a handler gives by raising: not now, and never."""

from __future__ import annotations

from forebay.api.durations import Duration, seconds
from forebay.handlers.failure import Answer, reason_text
from forebay.model import Postponed, Rejected


class RetryLater(Answer):
    """Give the job back and try again after `delay`; without one, after the usual back-off.

    Not counted or logged as a failure, and it never sends a job to the dead-letter queue. The reason is logged: keep
    values out of it.
    """

    delay_s: float | None = None
    reason: str = ""

    def __init__(self, delay: Duration | None = None, reason: str = "") -> None:
        self.delay_s = None if delay is None else seconds("RetryLater(delay)", delay)
        self.reason = reason
        super().__init__(delay, reason)

    def outcome(self) -> Postponed:
        return Postponed(self.delay_s, reason_text(self.reason))


class Reject(Answer):
    """The job can never succeed: send it to the dead-letter queue at once.

    The reason is logged and kept with the message: say what was wrong, and keep values out of it.
    """

    reason: str = ""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason)

    def outcome(self) -> Rejected:
        return Rejected(reason_text(self.reason))
