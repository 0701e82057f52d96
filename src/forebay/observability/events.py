"""The catalogue of events: everything a worker may tell the outside, with the meaning and unit of each field.

Rules kept here and nowhere else:

1. An event is reported only under a name of this catalogue; `docs/events.md` lists exactly the same names.
2. Fields are flat, carry their unit in their name, and never hold a body, an argument or a secret.
3. How precious a line is (`Keep`) and how often one event may be told (`per_second`) are facts about the event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """How much an operator should care. The numbers are those of `logging`."""

    DEBUG = 10
    """For the curious."""
    INFO = 20
    """A change of phase, or an attempt."""
    WARNING = 30
    """Somebody may have to act."""
    ERROR = 40
    """Work was lost, done twice, or cannot go on."""


class Keep(IntEnum):
    """What may happen to a line when nobody reads standard output."""

    ROUTINE = 0
    """Dropped and counted when the buffer is full."""
    IMPORTANT = 1
    """Kept beyond the buffer, up to a bound of its own."""
    VITAL = 2
    """Kept always: the start, the drain and the ledger."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event."""

    name: str
    level: Level
    text: str | None
    """The text line after its time. `{field}` is a value; a part in `[…]` is left out when a field of it is absent.
    None: told in JSON only."""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Every field that may come with it, and what it means."""
    keep: Keep = Keep.ROUTINE
    per_second: int = 20
    """Lines a second and queue; what is beyond is counted in the next line's `suppressed`."""


QUEUE = {"queue": "the queue's name: the last part of its URL"}
ATTEMPT = {
    "job": "the handler's name",
    "message_id": "SQS's id of the message",
    "attempt": "which delivery of the message this is, counted by SQS from 1",
    **QUEUE,
}
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
OUTCOMES = ("succeeded", "failed", "postponed", "rejected", "timed_out", "crashed", "interrupted")
"""The words for how an attempt ends, as in `attempt.finished` and the counts of `attempts.summary`."""

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
        "[, protection {protect}][, task {task_id}]",
        {
            "worker": "the worker's name",
            "queues": "URLs of the queues it works, separated by spaces",
            "version": "Forebay's version",
            "python": "the interpreter's version",
            "slots": "messages it may hold at once",
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
            "action": "the IAM action that was denied",
            "note": "the statement to add, and what happens until then",
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
)

_ATTEMPT = (
    EventKind(
        "attempt.started",
        Level.INFO,
        "{message_id} - {job} started (attempt {attempt})",
        {**ATTEMPT},
        per_second=100,
    ),
    EventKind(
        "attempt.finished",
        Level.INFO,
        "{message_id} - {job} {outcome} in {lasted_s} s (attempt {attempt})[; again in {delay_s} s]"
        "[: {error}][: {reason}][, exit code {exit_code}][, limit {limit_s} s][ at {frames}][: {error_message}]",
        {
            **ATTEMPT,
            "outcome": "succeeded, failed, postponed, rejected, timed_out, crashed or interrupted",
            "lasted_s": "how long the handler ran, in seconds",
            "settlement": "what follows: delete, release, bury, park or none (the lease was lost)",
            "delay_s": "how long the message stays hidden when given back, in seconds",
            "error": "the exception's type",
            "fingerprint": "equal for equal failures",
            "frames": "where it was raised: file:line function, innermost last",
            "error_message": "the exception's message, only with error detail `full`",
            "traceback": "the whole traceback, only with error detail `full`",
            "reason": "why the job was rejected or postponed",
            "exit_code": "the exit code of a crashed child; negative is a signal",
            "limit_s": "the time limit that passed, in seconds",
            "stopped": "false when the code of a timed-out attempt still runs",
        },
        per_second=100,
    ),
    EventKind(
        "attempts.summary",
        Level.INFO,
        "{count} more attempts in {period_s} s: {succeeded} succeeded[, {failed} failed][, {postponed} postponed]"
        "[, {rejected} rejected][, {timed_out} timed out][, {crashed} crashed][, {interrupted} interrupted]",
        {
            "count": "attempts that ended and were not told one by one",
            "period_s": "the time it covers, in seconds",
            "started": "attempts that started and were not told one by one",
            "lasted_s_total": "how long they ran in all, in seconds",
            "lasted_s_max": "the longest of them, in seconds",
            **{outcome: f"those that ended as {outcome}; left out when 0, but for succeeded" for outcome in OUTCOMES},
            "job.<name>.<outcome>": "the same counts for each job, at most twenty jobs",
            "job.<name>.lasted_s_total": "how long the attempts of that job ran, in seconds",
        },
    ),
    EventKind(
        "attempt.stuck",
        Level.WARNING,
        "{message_id} - {job} does not stop, {ran_s} s after its start; its lease is kept",
        {**ATTEMPT, "ran_s": "time since it started, in seconds"},
        Keep.IMPORTANT,
    ),
    EventKind(
        "lease.lost",
        Level.ERROR,
        "{message_id} - lease lost[ ({reason})]: another worker may have it; its result is not deleted as success",
        {**ATTEMPT, "reason": "how we know", "state": "waiting, running or settling"},
        Keep.IMPORTANT,
        per_second=100,
    ),
    EventKind(
        "message.buried",
        Level.ERROR,
        "{message_id} - moved to the dead-letter queue: {reason}",
        {
            **ATTEMPT,
            "reason": "why",
            "fingerprint": "equal for equal failures",
            "dead_letter": "where it went",
        },
        Keep.IMPORTANT,
        per_second=100,
    ),
    EventKind(
        "message.parked",
        Level.ERROR,
        "{message_id} - hopeless ({reason}) and there is no dead-letter queue: hidden[ for {hidden_s} s][. {remedy}]",
        {
            **ATTEMPT,
            "reason": "why",
            "fingerprint": "equal for equal failures",
            "hidden_s": "for how long it is hidden, in seconds",
            "remedy": "the command that adds a dead-letter queue",
        },
        Keep.IMPORTANT,
        per_second=100,
    ),
    EventKind(
        "message.duplicate",
        Level.INFO,
        "{message_id} - delivered again while held or done here; not started twice",
        {**ATTEMPT, "adopted": "true when the attempt that stands for it goes on with the newer delivery"},
    ),
    EventKind(
        "message.released",
        Level.INFO,
        "{message_id} - given back[: {reason}]",
        {**ATTEMPT, "reason": "why", "delay_s": "how long it stays hidden, in seconds"},
    ),
    EventKind(
        "handlers.blocked",
        Level.WARNING,
        "The handlers' event loop has not turned for {blocked_s} s, at {stack}",
        {
            "blocked_s": "for how long, in seconds",
            "stack": "where user code stands: file:line function, innermost last",
        },
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
        "The task is protected by something else[ for {held_s} s]: another worker in the same task?",
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
    kind.name: kind for group in (_WORKER, _QUEUE, _ATTEMPT, _PROTECTION, _LOG) for kind in group
}
"""Every event by its name, in the order in which they are documented."""

LIMIT_SECONDS = 1.0
"""The window of `per_second`."""
