"""The worker that does Django's tasks.

Rules kept here and nowhere else:

1. A message names a task and never a module to import: what can be run is what was found when the worker began, in the
   `tasks` modules of the apps and in `OPTIONS["modules"]`, and it is a Task.
2. No task begins or ends with a database connection that is too old or broken.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any, cast

import django
from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import close_old_connections
from django.utils.module_loading import autodiscover_modules

from forebay.api.context import Context
from forebay.api.job_options import JobSettings
from forebay.api.worker import Worker
from forebay.django.attempt import TaskAttempt
from forebay.django.backend import SqsBackend
from forebay.django.framework import AnyTask, Task, task_backends
from forebay.errors import SettingsError

SETTINGS_VARIABLE = "DJANGO_SETTINGS_MODULE"


def built_worker() -> Worker:
    """Return a worker with a job for each task of the project. Raises `SettingsError` where there is none to be had."""
    if not apps.ready:
        if not os.environ.get(SETTINGS_VARIABLE):
            raise SettingsError(
                f"forebay.django:worker needs the project's settings: set {SETTINGS_VARIABLE}=mysite.settings"
            )
        django.setup()
    backends = _backends()
    autodiscover_modules("tasks")
    for backend in backends.values():
        for module in backend.options.get("modules", ()):
            import_module(module)
    first = next(iter(backends.values()))
    worker = Worker("django", queue=list(dict.fromkeys(one for each in backends.values() for one in each.addresses)))
    for path, task in sorted(_tasks().items()):
        backend = backends.get(task.backend, first)
        own = backend.options.get("jobs", {}).get(path, {})
        settings = cast("JobSettings", {**backend.options.get("job", {}), **own, "name": path})
        worker.job(**settings)(_job(task, backend))
    return worker


def _backends() -> Mapping[str, SqsBackend]:
    configured: Iterable[str] = task_backends.settings
    every = {alias: task_backends[alias] for alias in configured}
    ours = {alias: backend for alias, backend in every.items() if isinstance(backend, SqsBackend)}
    if not ours:
        raise SettingsError(
            'TASKS in the settings names no forebay.django.SqsBackend: write TASKS = {"default": {"BACKEND": '
            '"forebay.django.SqsBackend"}}'
        )
    return ours


def _tasks() -> Mapping[str, AnyTask]:
    """Return every task that lies in a module which is imported by now, by its module path."""
    found: dict[str, AnyTask] = {}
    modules: list[object] = list(sys.modules.values())
    for module in modules:
        if not isinstance(module, ModuleType):
            continue  # Programs may put what they like there.
        for value in list(vars(module).values()):
            # `isinstance` would ask lazy objects of Django's for their class, and so make them.
            if issubclass(type(value), Task):
                found.setdefault(value.module_path, value)
    return found


def _job(task: AnyTask, backend: SqsBackend) -> Callable[..., Any]:
    """Return the job that does `task`: on the event loop when it is a coroutine function, else in a thread."""
    function: Callable[..., Any] = task.func
    if iscoroutinefunction(function):

        async def arun(ctx: Context, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None) -> None:
            await sync_to_async(close_old_connections)()
            attempt = TaskAttempt(backend, task, ctx, args or [], kwargs or {})
            try:
                with attempt:
                    attempt.has_returned(await function(*attempt.arguments, **attempt.keywords))
            finally:
                await sync_to_async(close_old_connections)()

        return arun

    def run(ctx: Context, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None) -> None:
        close_old_connections()
        attempt = TaskAttempt(backend, task, ctx, args or [], kwargs or {})
        try:
            with attempt:
                attempt.has_returned(function(*attempt.arguments, **attempt.keywords))
        finally:
            close_old_connections()

    return run
