"""Background workers for Amazon SQS on Amazon ECS that never lose a job."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forebay.api.answers import Reject as Reject
    from forebay.api.answers import RetryLater as RetryLater
    from forebay.api.batch import Batch as Batch
    from forebay.api.context import Context as Context
    from forebay.api.dependencies import Depends as Depends
    from forebay.api.envelopes import EventBridgeEvent as EventBridgeEvent
    from forebay.api.envelopes import S3Event as S3Event
    from forebay.api.envelopes import S3Record as S3Record
    from forebay.api.envelopes import SnsNotification as SnsNotification
    from forebay.api.job import Job as Job
    from forebay.api.many import NotAllSent as NotAllSent
    from forebay.api.many import aenqueue_many as aenqueue_many
    from forebay.api.many import enqueue_many as enqueue_many
    from forebay.api.middleware import Sending as Sending
    from forebay.api.queue import Call as Call
    from forebay.api.queue import Queue as Queue
    from forebay.api.worker import Worker as Worker
    from forebay.errors import ForebayError as ForebayError
    from forebay.errors import JobError as JobError
    from forebay.errors import QueueError as QueueError
    from forebay.errors import SettingsError as SettingsError
    from forebay.model import Message as Message
    from forebay.model import MessageAttribute as MessageAttribute

# Public name → the module that defines it. Loaded when first asked for: `import forebay` itself loads nothing, so that
# a command that needs no worker does not wait for one.
_HOMES = {
    "Batch": "forebay.api.batch",
    "Call": "forebay.api.queue",
    "Context": "forebay.api.context",
    "EventBridgeEvent": "forebay.api.envelopes",
    "Depends": "forebay.api.dependencies",
    "ForebayError": "forebay.errors",
    "Job": "forebay.api.job",
    "JobError": "forebay.errors",
    "Message": "forebay.model",
    "MessageAttribute": "forebay.model",
    "NotAllSent": "forebay.api.many",
    "Queue": "forebay.api.queue",
    "QueueError": "forebay.errors",
    "Reject": "forebay.api.answers",
    "RetryLater": "forebay.api.answers",
    "S3Event": "forebay.api.envelopes",
    "S3Record": "forebay.api.envelopes",
    "Sending": "forebay.api.middleware",
    "SettingsError": "forebay.errors",
    "SnsNotification": "forebay.api.envelopes",
    "Worker": "forebay.api.worker",
    "aenqueue_many": "forebay.api.many",
    "enqueue_many": "forebay.api.many",
}

__all__ = [
    "Batch",
    "Call",
    "Context",
    "Depends",
    "EventBridgeEvent",
    "ForebayError",
    "Job",
    "JobError",
    "Message",
    "MessageAttribute",
    "NotAllSent",
    "Queue",
    "QueueError",
    "Reject",
    "RetryLater",
    "S3Event",
    "S3Record",
    "Sending",
    "SettingsError",
    "SnsNotification",
    "Worker",
    "aenqueue_many",
    "enqueue_many",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'forebay' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
