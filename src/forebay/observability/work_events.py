"""The part of the catalogue that is about attempts and messages; `events` holds the rest and joins them."""

from __future__ import annotations

from forebay.observability.kinds import ATTEMPT, QUEUE, EventKind, Keep, Level

OUTCOMES = ("succeeded", "failed", "postponed", "rejected", "timed_out", "crashed", "continued", "interrupted")
"""The words for how an attempt ends, as in `attempt.finished` and the counts of `attempts.summary`."""

WORK = (
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
        "[: {error}][: {reason}][, {signal}][, exit code {exit_code}][, limit {limit_s} s]"
        "[ at {frames}][ at {stack}][: {error_message}]",
        {
            **ATTEMPT,
            "outcome": "succeeded, failed, postponed, rejected, timed_out, crashed, continued or interrupted",
            "lasted_s": "how long the handler ran, in seconds",
            "settlement": "what follows: delete, release, resend, continue, bury, park or none (the lease was lost)",
            "delay_s": "how long the message stays hidden when given back or sent again, in seconds",
            "error": "the exception's type",
            "fingerprint": "equal for equal failures",
            "frames": "where it was raised: file:line function, innermost last",
            "error_message": "the exception's message, only with error detail `full`",
            "traceback": "the whole traceback, only with error detail `full`",
            "reason": "why the job was rejected or postponed, or what is known of a crash",
            "exit_code": "the exit code of a crashed child; negative is a signal",
            "signal": "the signal that a crashed child died of, by name",
            "peak_memory_bytes": "the most memory that a crashed child ever had, or the worker had when it started it",
            "stack": "where the code of a crashed child stood: file:line function, innermost last",
            "log_tail": "the last lines that a crashed child logged, only with error detail `full`",
            "limit_s": "the time limit that passed, in seconds",
            "stopped": "false when the code of a timed-out attempt still runs",
        },
        per_second=100,
    ),
    EventKind(
        "attempts.summary",
        Level.INFO,
        "{count} more attempts in {period_s} s: {succeeded} succeeded[, {failed} failed][, {postponed} postponed]"
        "[, {rejected} rejected][, {timed_out} timed out][, {crashed} crashed]"
        "[, {continued} continued][, {interrupted} interrupted]",
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
        "{message_id} - {job} does not stop, {ran_s} s after its start; its lease is kept[; it stands at {stack}]",
        {
            **ATTEMPT,
            "ran_s": "time since it started, in seconds",
            "stack": "where the code stands: file:line function, innermost last; left out when that is not known",
        },
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
        "message.continued",
        Level.INFO,
        "{message_id} - {job} goes on elsewhere from its checkpoint ({state_bytes} bytes)",
        {**ATTEMPT, "state_bytes": "the size of its state"},
        Keep.IMPORTANT,
        per_second=100,
    ),
    EventKind(
        "checkpoint.asked",
        Level.WARNING,
        "Asked {running} running attempts to go on elsewhere from their next checkpoint: {reason}; {left_s} s are left",
        {
            "running": "how many attempts were asked",
            "reason": "why",
            "left_s": "seconds until SQS ends the lease, or ECS may stop the task",
        },
        Keep.IMPORTANT,
    ),
    EventKind(
        "checkpoint.unreadable",
        Level.WARNING,
        "{message_id} - somebody has rewritten this job on its way, so that its state cannot be read: it starts anew",
        {**QUEUE, "message_id": "SQS's id of the message"},
        Keep.IMPORTANT,
    ),
    EventKind(
        "attempts.approximate",
        Level.WARNING,
        "{queue} is FIFO: attempts of {jobs} are counted by deliveries, for retry='resend' would break its order",
        {**QUEUE, "jobs": "the jobs that ask for exact counts"},
        Keep.IMPORTANT,
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
        "messages.given_back",
        Level.INFO,
        "Given back unstarted: {count} of {job} ({reason})",
        {
            "job": "the handler's name",
            "count": "messages given back since the last such line, which is a second or more ago",
            "reason": "why: its share and the slots that may wait are taken, or what it depends on is suspected",
        },
    ),
    EventKind(
        "dependency.suspected",
        Level.WARNING,
        "{job}: {failures} of the last {window} attempts failed. One is tried at a time now, the next in {pause_s} s;"
        " until one succeeds no message of it is buried",
        {
            "job": "the handler's name",
            "failures": "attempts that failed",
            "window": "attempts looked at",
            "pause_s": "time until the first probe, in seconds",
        },
        Keep.IMPORTANT,
    ),
    EventKind(
        "dependency.recovered",
        Level.INFO,
        "{job}: an attempt has succeeded after {lasted_s} s and {probes} probes; full speed again",
        {
            "job": "the handler's name",
            "probes": "attempts made meanwhile",
            "lasted_s": "how long it was suspected, in seconds",
        },
        Keep.IMPORTANT,
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
