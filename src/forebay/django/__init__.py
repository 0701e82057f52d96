"""Django's tasks on SQS: the backend for `TASKS`, and the worker that `forebay run forebay.django:worker` runs.

Loaded when first asked for: naming the backend in settings must not set Django up, and the worker must.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forebay.api.worker import Worker
    from forebay.django.backend import SqsBackend as SqsBackend

    worker: Worker

__all__ = ["SqsBackend", "worker"]


def __getattr__(name: str) -> object:
    if name == "SqsBackend":
        from forebay.django.backend import SqsBackend

        return SqsBackend
    if name == "worker":
        from forebay.django.tasks import built_worker

        globals()["worker"] = made = built_worker()
        return made
    raise AttributeError(f"module 'forebay.django' has no attribute {name!r}")
