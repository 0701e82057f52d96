"""What a chaos run has come to: the faults that were found, and the table that is shown.

Rules kept here and nowhere else:

1. A task that was killed, by us or when its stop timeout was over, owes no ledger. Every other one that has worked
   owes a ledger and the exit status 0.
2. What was killed is gone: `ps` says so.
"""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.disasters import Kind
from tests.chaos.havoc import Journal
from tests.chaos.jobs import Effect
from tests.chaos.senders import Sender
from tests.chaos.verdict import Deed, Found, judge, ledger_faults
from tests.chaos.watching import Watch

from forebay.local.summary import RunFigures

STOP_TIMEOUT = "stop timeout"
KILLED = 128 + signal.SIGKILL
"""The exit code of a killed task, as ECS tells it."""
NAMED_MAX = 20
"""Of each sort of fault; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """The end of a run."""

    faults: Sequence[str]
    done: Mapping[Kind, int]
    left_out: Mapping[str, int]
    found: Found
    jobs: int
    facts: Mapping[str, object]
    ledger: Mapping[str, int]

    def text(self) -> str:
        """Return the tables in Markdown, and what is wrong, if anything is."""
        second = self.found.effects - self.jobs + len(self.found.missing)
        lines = ["| what was done | times |", "|---|---:|"]
        lines += [f"| {kind.value} | {self.done.get(kind, 0)} |" for kind in Kind]
        lines += [f"| left out: {reason} | {count} |" for reason, count in sorted(self.left_out.items())]
        lines += ["", "| second effects explained by | count |", "|---|---:|"]
        lines += [f"| {reason} | {count} |" for reason, count in sorted(self.found.duplicates.items())]
        lines += [f"| **unexplained** | {len(self.found.unexplained)} |", f"| **all** | {second} |"]
        lines += ["", "| what came of it | |", "|---|---:|"]
        lines += [f"| {name} | {value} |" for name, value in self.facts.items()]
        columns = " + ".join(f"{name} {count}" for name, count in self.ledger.items() if name not in _SUMS)
        lines += ["", f"Ledgers summed: received {self.ledger.get('received', 0)} = {columns}; "
                  f"orphaned {self.ledger.get('orphaned', 0)}."]  # fmt: skip
        return "\n".join([*lines, *(f"FAULT: {fault}" for fault in self.faults)])


_SUMS = ("received", "orphaned")


def reckon(
    *,
    effects: Sequence[Effect],
    sender: Sender,
    journal: Journal,
    watch: Watch,
    figures: RunFigures,
    visibility_s: float,
    lasted_s: float,
    drained_in_time: bool,
) -> Reckoning:
    """Hold everything that was found against what must be."""
    deeds = [*journal.deeds, *_timeouts(journal, watch)]
    found = judge(effects, keys=sender.keys, resent=sender.resent, deeds=deeds, visibility_s=visibility_s)
    faults = [
        *([] if drained_in_time else ["the queue did not become empty"]),
        *_named("no effect", found.missing),
        *_named("nobody sent", found.unknown),
        *_named("unexplained", found.unexplained),
        *_named("a bug", watch.internal_errors),
        *ledger_faults(watch.ledgers.values()),
        *_endings(journal, watch),
        *_queue_faults(figures),
        *(f"{kind} was never done" for kind in Kind if not journal.done[kind]),
        *(f"killed, and still there: {pid}" for pid in shown_by_ps(list(journal.killed.values()))),
    ]
    ledger: Counter[str] = Counter()
    for one in watch.ledgers.values():
        ledger.update(one)
    return Reckoning(
        faults=faults,
        done=journal.done,
        left_out=journal.left_out,
        found=found,
        jobs=len(sender.keys),
        facts={
            "jobs sent": len(sender.keys),
            "effects missing": len(found.missing),
            "left in the queue": figures.left,
            "in the dead-letter queue": figures.dead,
            "tasks that have run": len(watch.started),
            "tasks killed": len(journal.killed),
            "ledgers": len(watch.ledgers),
            "orphaned": ledger["orphaned"],
            "leases lost, as the tasks told": watch.leases_lost,
            "refusals of protection, as the tasks told": watch.refusals,
            "SQS requests": figures.requests,
            "seconds": round(lasted_s),
        },
        ledger=ledger,
    )


def _timeouts(journal: Journal, watch: Watch) -> Iterator[Deed]:
    """Find the tasks that the scheduler killed because they did not stop in time."""
    for task_id, task in watch.ended.items():
        if task["exit_code"] == KILLED and task_id not in journal.killed:
            at = watch.ended_at[task_id]
            yield Deed(STOP_TIMEOUT, task["pid"], at, at, is_end=True)


def _endings(journal: Journal, watch: Watch) -> Iterator[str]:
    """Say which tasks have ended in a way that nothing explains."""
    for task_id, task in watch.ended.items():
        code, pid = task["exit_code"], task["pid"]
        if pid not in watch.started or task_id in journal.killed or code == KILLED:
            continue
        if code != 0:
            yield f"task {task_id[:8]} (pid {pid}) left with {code}: {task['stopped_reason']}"
        if task_id not in watch.ledgers:
            yield f"task {task_id[:8]} (pid {pid}) left without a ledger"


def _queue_faults(figures: RunFigures) -> Iterator[str]:
    if figures.left:
        yield f"{figures.left} messages were left in the queue"
    if figures.dead:
        yield f"{figures.dead} messages were buried, and no job ever fails"


def _named(what: str, names: Sequence[str]) -> Iterator[str]:
    for name in names[:NAMED_MAX]:
        yield f"{what}: {name}"
    if len(names) > NAMED_MAX:
        yield f"{what}: {len(names) - NAMED_MAX} more"


def shown_by_ps(pids: Sequence[int]) -> list[int]:
    """Return those of these processes that `ps` still shows."""
    if not pids:
        return []
    told = subprocess.run(
        ["ps", "-o", "pid=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=False
    )
    assert told.returncode in (0, 1), told.stderr
    return [int(word) for word in told.stdout.split()]
