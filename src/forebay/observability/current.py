"""Which attempt the running code belongs to, so that a log record can say so."""

from __future__ import annotations

from contextvars import ContextVar

from forebay.model import Attempt

CURRENT_ATTEMPT: ContextVar[Attempt | None] = ContextVar("forebay_current_attempt", default=None)
"""Set by the executors at the start of each attempt, in a context of its own."""
