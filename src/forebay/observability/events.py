"""The catalogue of events: everything a worker may tell the outside, with the meaning and unit of each field.

Rules kept here and nowhere else:

1. An event is reported only under a name of this catalogue; `docs/events.md` lists exactly the same names.
2. Fields are flat, carry their unit in their name, and never hold a body, an argument or a secret.
3. How precious a line is (`Keep`) and how often one event may be told (`per_second`) are facts about the event.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.observability.child_events import CHILDREN
from forebay.observability.kinds import QUEUE, EventKind, Keep, Level
from forebay.observability.work_events import OUTCOMES, WORK

LEDGER = {
    "received": "messages received since the start",
    "succeeded": "messages done and deleted",
    "retried": "messages given back after a failed or postponed attempt",
    "buried": "messages copied to the dead-letter queue, then deleted",
    "parked": "hopeless messages hidden for as long as SQS allows, for want of a dead-letter queue",
    "continued": "messages sent again with a checkpoint, then deleted",
    "duplicate": "second deliveries of a message held or done here",
    "released": "messages given back unfinished, at no fault of the job",
    "lease_lost": "messages no longer ours when they ended",
    "orphaned": "messages that no column explains: always 0",
}
COMMON_FIELDS = {
    "event": "the event's name",
    "at": "when it happened: UTC, RFC 3339, milliseconds",
    "level": "how much to care: left out for INFO, else DEBUG, WARNING or ERROR",
    "suppressed": "how many events of the same kind and queue were not told since the last line",
}
"""Fields that any line may carry."""


_WORKER = (
    EventKind(
        "worker.started",
        Level.INFO,
        "Worker {worker} started on {queues}: {slots} slots, visibility {visibility_s} s, drain {drain_s} s"
        "[, {children} child processes][, protection {protect}][, task {task_id}]",
        {
            "worker": "the worker's name",
            "queues": "URLs of the queues it works, separated by spaces",
            "version": "Forebay's version",
            "python": "the interpreter's version",
            "slots": "messages it may hold at once",
            "children": "child processes that run its jobs; left out when there are none",
            "visibility_s": "how long a received message stays hidden between heartbeats, in seconds",
            "drain_s": "how long running attempts get after a stop request, in seconds",
            "buffer_bytes": "bodies held stay under this many bytes",
            "protect": "auto, always or never",
            "jobs": "names of the declared jobs, separated by spaces",
            "process_id": "the operating system's number of the process",
            "dead_letter": "URL of the dead-letter queue in force",
            "transport": "the HTTP implementation in use",
            "loop": "the event loop in use",
            "task_id": "the ECS task's id (metadata v4)",
            "task_family": "the task definition's family",
            "task_revision": "the task definition's revision",
            "cluster": "the ECS cluster",
        },
        Keep.VITAL,
    ),
    EventKind("worker.note", Level.WARNING, "{note}", {**QUEUE, "note": "what the operator should know"}, Keep.VITAL),
    EventKind(
        "hook.failed",
        Level.ERROR,
        "{hook} raised {error}[ at {frames}]",
        {
            "hook": "the start or stop hook, by the name of its function",
            "error": "the exception's type",
            "frames": "where it was raised: file:line function, innermost last",
        },
        keep=Keep.IMPORTANT,
    ),
    EventKind(
        "drain.started",
        Level.INFO,
        "Stopping ({reason}): {running} running[, {waiting} waiting], at most {limit_s} s"
        "[; the open poll ends in {poll_ends_in_s} s][. {note}]",
        {
            "reason": "who asked: a signal's name, or the program's word",
            "running": "attempts that run",
            "waiting": "messages held but not started",
            "limit_s": "how long running attempts get, in seconds",
            "poll_ends_in_s": "time until the last open long poll ends, in seconds",
            "note": "what to expect, on a terminal",
        },
        Keep.VITAL,
    ),
    EventKind(
        "worker.stopped",
        Level.INFO,
        "Worker stopped ({reason}), exit status {exit_status}: received {received} = succeeded {succeeded}"
        " + retried {retried} + buried {buried} + parked {parked} + continued {continued} + duplicate {duplicate}"
        " + released {released} + lease lost {lease_lost}; orphaned {orphaned}[; {requests} requests]"
        "[, about {estimated_usd} USD]",
        {
            **LEDGER,
            "reason": "why it stopped",
            "exit_status": "the process's exit status",
            "requests": "requests made to SQS",
            "estimated_usd": "their price in US dollars, by the list price of the first paid tier",
            "lasted_s": "time since worker.started, in seconds",
        },
        Keep.VITAL,
    ),
)

_QUEUE = (
    EventKind("poll.started", Level.INFO, "Long polling for messages", {**QUEUE, "wait_s": "the longest wait"}),
    EventKind(
        "poll.failed",
        Level.WARNING,
        "Cannot receive from {queue}: {code}[: {detail}][; next try in {retry_in_s} s]",
        {
            **QUEUE,
            "kind": "the class of the error: throttled, unavailable, no_answer, denied, credentials, missing, refused",
            "code": "the service's own word for the error",
            "detail": "the service's explanation",
            "retry_in_s": "time until the next try, in seconds",
            "failures": "polls failed in a row",
        },
        Keep.IMPORTANT,
        per_second=1,
    ),
    EventKind(
        "poll.recovered",
        Level.INFO,
        "Receiving again from {queue}[ after {failures} failures][ in {lasted_s} s]",
        {**QUEUE, "failures": "polls failed in a row before", "lasted_s": "how long the trouble lasted, in seconds"},
        Keep.IMPORTANT,
        per_second=1,
    ),
    EventKind(
        "permission.missing",
        Level.WARNING,
        "Permission missing on {queue}: {action}[ ({code})][; {consequence}][. To add: {grant}]",
        {
            **QUEUE,
            "action": "the IAM action, or the operation, that was denied",
            "code": "the service's own word for the error",
            "grant": "the IAM statement to add to the role or the queue's policy",
            "consequence": "what happens until then",
        },
        Keep.IMPORTANT,
        per_second=1,
    ),
    EventKind(
        "settle.failed",
        Level.WARNING,
        "Cannot settle messages of {queue}: {action}: {code}[: {detail}]",
        {
            **QUEUE,
            "action": "the operation that failed",
            "code": "the service's own word for the error",
            "detail": "the service's explanation",
        },
        Keep.IMPORTANT,
        per_second=1,
    ),
    EventKind(
        "message.corrupt",
        Level.WARNING,
        "{message_id} - not taken: {reason}; it comes back when its visibility timeout ends",
        {**QUEUE, "message_id": "SQS's id of the message", "reason": "what does not fit, such as its checksum"},
        Keep.IMPORTANT,
    ),
    EventKind(
        "clock.corrected",
        Level.WARNING,
        "This machine's clock is {skew_s} s away from the service's; requests are signed with the service's time",
        {"skew_s": "the service's clock less ours, in seconds"},
        Keep.IMPORTANT,
        per_second=1,
    ),
    EventKind(
        "credentials.failed",
        Level.WARNING,
        "Credentials cannot be refreshed: {code}[: {detail}]",
        {"code": "the provider's own word for the error", "detail": "the provider's explanation"},
        Keep.IMPORTANT,
        per_second=1,
    ),
)

_PROTECTION = (
    EventKind(
        "protection.acquiring",
        Level.INFO,
        "Acquiring task protection",
        {"minutes": "asked for"},
    ),
    EventKind(
        "protection.held",
        Level.INFO,
        None,  # The article's log goes from "Acquiring task protection" straight to "Long polling for messages".
        {
            "minutes": "asked for",
            "held_s": "how long ECS keeps the task from scale-in, in seconds",
            "is_renewal": "true when it was held before",
        },
    ),
    EventKind("protection.releasing", Level.INFO, "Releasing task protection"),
    EventKind("protection.released", Level.INFO, "Task protection released"),
    EventKind(
        "protection.refused",
        Level.WARNING,
        "Task protection refused: {reason}[: {detail}][; next try in {retry_in_s} s]",
        {
            "reason": "ECS's word: DEPLOYMENT_BLOCKED, TASK_NOT_VALID, AccessDeniedException, …",
            "detail": "ECS's explanation",
            "is_lasting": "true when asking again cannot help until somebody changes something",
            "retry_in_s": "time until the next try, in seconds",
            "note": "what to do about it",
        },
        Keep.IMPORTANT,
        per_second=1,
    ),
    EventKind(
        "protection.foreign",
        Level.WARNING,
        "Task protection was changed by something else[, {held_s} s left][: {note}]",
        {"held_s": "for how much longer, in seconds", "note": "what to do about it"},
        Keep.IMPORTANT,
        per_second=1,
    ),
    EventKind(
        "protection.absent",
        Level.INFO,
        "Not on ECS (no ECS_AGENT_URI): running without task protection",
        {"note": "what follows from it"},
    ),
)

_LOG = (
    EventKind(
        "log",
        Level.INFO,
        "{message}",
        {
            "logger": "the logger's name",
            "message": "the record's message",
            "exception": "the record's traceback, when it has one",
            "job": "the job inside whose attempt it was logged",
            "message_id": "the message of that attempt",
            "attempt": "the number of that delivery",
        },
    ),
    EventKind(
        "log.dropped",
        Level.WARNING,
        "{count} log lines were dropped because standard output was not read",
        {"count": "lines dropped since the last such line"},
        Keep.IMPORTANT,
    ),
    EventKind(
        "internal.error",
        Level.ERROR,
        "A bug in Forebay: {error} at {where}",
        {"error": "the exception's type", "where": "file:line function", "note": "what to do about it"},
        Keep.VITAL,
    ),
)

CATALOGUE: Mapping[str, EventKind] = {
    kind.name: kind for group in (_WORKER, _QUEUE, WORK, CHILDREN, _PROTECTION, _LOG) for kind in group
}
"""Every event by its name, in the order in which they are documented."""

LIMIT_SECONDS = 1.0
"""The window of `per_second`."""

__all__ = ["CATALOGUE", "COMMON_FIELDS", "LEDGER", "LIMIT_SECONDS", "OUTCOMES", "EventKind", "Keep", "Level"]
