"""The tasks backend of Django that sends to SQS.

Rules kept here and nowhere else:

1. What SQS cannot do is not promised: no priorities, no results, and `run_after` for 15 minutes at most.
2. A task travels as a job that is named by its module path, with `args` and `kwargs` in the body, so that any program
   can send one.
3. It is sent at once. What must wait for a transaction goes through `transaction.on_commit`, as Django has it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from forebay.api.delivery import Wishes, delay_until
from forebay.api.home import QUEUE_VARIABLE
from forebay.api.queue import Addressed, Queue
from forebay.django.framework import (
    DEFAULT_TASK_QUEUE_NAME,
    AnyResult,
    AnyTask,
    BaseTaskBackend,
    InvalidTask,
    TaskResult,
    TaskResultStatus,
    task_enqueued,
)
from forebay.errors import SettingsError
from forebay.queue.port import is_fifo

OPTIONS = ("queues", "modules", "job", "jobs")


class SqsBackend(BaseTaskBackend):
    """Sends tasks to SQS: `TASKS = {"default": {"BACKEND": "forebay.django.SqsBackend"}}`."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = False
    supports_priority = False

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        """OPTIONS has `queues` (Django's name → URL or name of an SQS queue), `modules` that hold tasks beside those of
        the apps, `job` (settings of every task: `timeout`, `attempts` and others of `@worker.job`) and `jobs` (those of
        single ones, by module path).
        """  # fmt: skip
        super().__init__(alias, params)
        self.options: dict[str, Any]
        unknown = sorted(self.options.keys() - set(OPTIONS))
        if unknown:
            raise ImproperlyConfigured(
                f"TASKS[{alias!r}]['OPTIONS'] has {unknown[0]!r}, but forebay.django knows {', '.join(OPTIONS)}"
            )
        strange = sorted(set(self.options.get("queues", {})) - self.queues)
        if strange:
            raise ImproperlyConfigured(
                f"TASKS[{alias!r}]['OPTIONS']['queues'] has {strange[0]!r}, which is not among its QUEUES "
                f"({', '.join(sorted(self.queues))})"
            )

    def validate_task(self, task: AnyTask) -> None:
        """Raise `InvalidTask` for what cannot be carried out."""
        super().validate_task(task)
        if task.run_after is not None:
            try:
                delay_until(_aware(task.run_after), now_utc=datetime.now(UTC))
            except SettingsError as error:
                raise InvalidTask(f"run_after: {error}") from error

    def enqueue(self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Send the task and return its result, which stays READY: SQS keeps no results. Raises `QueueError`."""
        self.validate_task(task)
        result = result_of(self.alias, task, args, kwargs, enqueued_at=timezone.now())
        message_id = self._way_of(task).enqueue(task.module_path, args=result.args, kwargs=result.kwargs)
        return self._sent(result, message_id)

    async def aenqueue(self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Send the task from a coroutine, without a thread."""
        self.validate_task(task)
        result = result_of(self.alias, task, args, kwargs, enqueued_at=timezone.now())
        message_id = await self._way_of(task).aenqueue(task.module_path, args=result.args, kwargs=result.kwargs)
        return self._sent(result, message_id)

    @property
    def addresses(self) -> Sequence[str]:
        """The SQS queues of this backend's tasks."""
        return [self.address_of(name) for name in sorted(self.queues or {DEFAULT_TASK_QUEUE_NAME})]

    def address_of(self, queue_name: str) -> str:
        """Return the SQS queue of a queue of Django's.

        It is what OPTIONS say; else the one of that name in FOREBAY_QUEUE_URL (for `default` the first); else its name.
        """
        given: str | None = self.options.get("queues", {}).get(queue_name)
        if given is not None:
            return given
        urls = os.environ.get(QUEUE_VARIABLE, "").split()
        named = [url for url in urls if url.rsplit("/", 1)[-1] == queue_name]
        if not named and queue_name == DEFAULT_TASK_QUEUE_NAME:
            named = urls
        return named[0] if named else queue_name

    def _way_of(self, task: AnyTask) -> Addressed:
        address = self.address_of(task.queue_name)
        wishes: Wishes = {} if task.run_after is None else {"at": _aware(task.run_after)}
        if is_fifo(address):
            wishes |= {"group": task.module_path, "dedupe": str(uuid4())}
        return Queue(address).options(**wishes)

    def _sent(self, result: AnyResult, message_id: str) -> AnyResult:
        object.__setattr__(result, "id", message_id)
        task_enqueued.send(type(self), task_result=result)
        return result


def result_of(
    alias: str, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any], *, enqueued_at: datetime | None
) -> AnyResult:
    """Return the result of a task that nobody has begun. Raises `TypeError` for what JSON does not have."""
    return TaskResult(
        task=task,
        id="",
        status=TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=list(args),
        kwargs=dict(kwargs),
        backend=alias,
        errors=[],
        worker_ids=[],
    )


def _aware(moment: datetime) -> datetime:
    """Return Django's moment with a time zone, also where `USE_TZ` is off."""
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
