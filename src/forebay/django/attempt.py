"""One attempt at a task, as Django sees it: its result, its context, its signals.

Rules kept here and nowhere else:

1. Each attempt has a result of its own, which begins as RUNNING and ends as SUCCESSFUL or FAILED; its `attempts` are
   SQS's count of deliveries. Django's signals are sent for each.
2. A task that asks to be tried later (`RetryLater`), or that this worker has stopped, has not failed: nothing is sent.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from django.utils import timezone

from forebay.api.answers import RetryLater
from forebay.api.context import Context
from forebay.django.backend import SqsBackend, result_of
from forebay.django.framework import (
    AnyResult,
    AnyTask,
    TaskContext,
    TaskError,
    TaskResultStatus,
    task_finished,
    task_started,
)

WORKER_ID = "forebay"
"""Django counts attempts by the workers that made them. SQS knows how many there were, and not whose."""


class TaskAttempt:
    """A context manager around the call of a task's function."""

    def __init__(
        self, backend: SqsBackend, task: AnyTask, ctx: Context, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self._sender = type(backend)
        self._result: AnyResult = result_of(backend.alias, task, args, kwargs, enqueued_at=ctx.message.sent_at_utc)
        self._result.worker_ids.extend([WORKER_ID] * ctx.attempt)
        self._set(id=ctx.message.message_id)
        context = [TaskContext(task_result=self._result)] if task.takes_context else []
        self.arguments: Sequence[Any] = [*context, *self._result.args]
        self.keywords: Mapping[str, Any] = self._result.kwargs

    def has_returned(self, value: object) -> None:
        """Keep what the function returned, for those who listen to the signals."""
        self._set(_return_value=value)

    def __enter__(self) -> None:
        now = timezone.now()
        self._set(status=TaskResultStatus.RUNNING, started_at=now, last_attempted_at=now)
        task_started.send(self._sender, task_result=self._result)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if isinstance(error, RetryLater | asyncio.CancelledError):
            return
        if error is not None:
            told = "".join(traceback.format_exception(error))
            path = f"{type(error).__module__}.{type(error).__qualname__}"
            self._result.errors.append(TaskError(exception_class_path=path, traceback=told))
        status = TaskResultStatus.SUCCESSFUL if error is None else TaskResultStatus.FAILED
        self._set(status=status, finished_at=timezone.now())
        task_finished.send(self._sender, task_result=self._result)

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self._result, name, value)  # Results are frozen; Django's own backends do the same.
