"""The part of the catalogue that is about child processes; `events` holds the rest and joins them."""

from __future__ import annotations

from forebay.observability.kinds import EventKind, Keep, Level

_PROCESS = {"process_id": "the operating system's number of the child"}
_DEATH = {
    "exit_code": "its exit code; negative is a signal",
    "signal": "the signal that it died of, by name",
    "reason": "what is known of the cause",
    "peak_memory_bytes": "the most memory that it ever had, or the worker had when it started it",
}

CHILDREN = (
    EventKind(
        "child.died",
        Level.WARNING,
        "Child process {process_id} died[ of {signal}] (exit code {exit_code}): {reason}[; it ran {jobs}][ at {stack}]"
        "[; another in {retry_in_s} s]",
        {
            **_PROCESS,
            **_DEATH,
            "jobs": "the jobs that it ran, separated by spaces; left out when it ran none",
            "stack": "where its code stood: file:line function, innermost last",
            "retry_in_s": "the pause before another is started, in seconds; none when it had work",
        },
        Keep.IMPORTANT,
    ),
    EventKind(
        "child.failed",
        Level.ERROR,
        "A child process cannot be used[: {error}][: {reason}][, exit code {exit_code}][ at {frames}]"
        "[; another in {retry_in_s} s]",
        {
            **_PROCESS,
            **_DEATH,
            "error": "what importing the program or its start hooks raised, in its own words, or the system's word",
            "frames": "where it was raised: file:line function, innermost last",
            "traceback": "the whole traceback; it comes before any job, so it holds nothing of one",
            "stack": "where its code stood when it died: file:line function, innermost last",
            "retry_in_s": "the pause before another is started, in seconds",
        },
        Keep.IMPORTANT,
    ),
    EventKind(
        "child.slow",
        Level.WARNING,
        "Child process {process_id} has not come up in {waited_s} s: the program is still being imported",
        {**_PROCESS, "waited_s": "how long it has been starting, in seconds"},
        Keep.IMPORTANT,
    ),
    EventKind(
        "child.replaced",
        Level.INFO,
        "Child process {process_id} is replaced ({reason}), jobs done: {jobs}[; it has grown by {grown_bytes} bytes]",
        {
            **_PROCESS,
            "jobs": "how many jobs it has done",
            "reason": "growth (by more than half of its job's memory limit), memory refused, or recycle",
            "grown_bytes": "how much it has grown since its first job, in bytes",
        },
    ),
)
