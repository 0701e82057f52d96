"""What a worker hears of its children, and what it makes of it: outcomes, words of the user's code, deaths.

Rules kept here and nowhere else:

1. A child dies of one attempt where that can be known: the others are given back, as if they had been interrupted.
   Isolated ones that it had not begun go to other children.
2. A death that we caused means what we caused it for: a limit that passed, or an interrupt.
3. A child that has grown too much since it was warm, or has done its number of jobs, goes; another takes its place.
4. The user's own log handlers may block; they are never called with the lock held, for the control loop waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any, Protocol

from forebay.handlers.ahead import Gathering
from forebay.handlers.child_process import Death
from forebay.handlers.child_record import LOG_TAIL_CHARACTERS, Child, Phase
from forebay.handlers.children import Keeper, Report
from forebay.handlers.crash import Told, blamed, crashed, read_dump, reason_of, signal_name
from forebay.handlers.executor import Blockage, Deliver, Ended
from forebay.handlers.pipe import Header
from forebay.handlers.pipe_words import outcome_heard, record_heard
from forebay.handlers.placing import Placing
from forebay.model import Failed, Interrupted, Outcome, TimedOut
from forebay.observability.current import CURRENT_ATTEMPT

RETIRE_S = 10.0
"""How long a child that is replaced gets for the program's own hooks."""


class EndIsolated(Protocol):
    """Sees to it that what an isolated child runs ends: `on_process.ProcessExecutor.end_isolated`."""

    def __call__(self, child: Child, number: int, *, because_of_limit: bool) -> None: ...


class Listening:
    """The master of the children. Implements `handlers.children.Master`: all of it runs on the keeper's thread."""

    def __init__(
        self,
        placing: Placing,
        keeper: Keeper,
        lock: AbstractContextManager[Any],
        report: Report,
        *,
        end_isolated: EndIsolated,
    ) -> None:
        self._placing = placing
        self._end_isolated = end_isolated
        self._gathering = Gathering()
        self._keeper = keeper
        self._lock = lock
        self._report = report
        self._ended: list[Ended] = []
        self._room_told = 0
        self._has_given_up = False
        self.deliver: Deliver
        self._words = {
            "ready": self._ready,
            "unusable": self._unusable,
            "ended": self._has_ended,
            "checkpoint": self._checkpoint,
            "pong": self._pong,
            "stack": self._stack,
        }

    def heard(self, child: Child, header: Header) -> None:
        match header["t"]:
            case "log":
                self._log(child, header)
            case "print":
                print_out = self._placing.plan.print_out
                if print_out is not None:
                    print_out(header["text"])
            case "extend":
                self.deliver.extend(header["n"], header["limit_s"])
            case word:
                with self._lock:
                    self._words[word](child, header)

    def settled(self) -> float | None:
        """Tell what there is to tell; return when to be called again at the latest."""
        now = monotonic()
        with self._lock:
            overdue_at = self._placing.ask_back_overdue(now)
            room = self._placing.room
            if room >= self._room_told and self._placing.are_all_supplied and self._gathering.goes_on(self._ended, now):
                return self._gathering.ends_at
            self._gathering.ends_at = None
            ended, self._ended = self._ended, []
        if room == 0 and self._keeper.comeback.is_hopeless and not self._has_given_up:
            self._has_given_up = True
            self.deliver.give_up("no child process can be used (child.failed tells why)")
        # The room first: an end frees a place, and whoever hears of it must not fill one that has died.
        if room != self._room_told:
            self._room_told = room
            for runs in self._placing.plan.kinds:
                self.deliver.room(runs, room)
        if ended:
            self.deliver.ended(ended)
        return overdue_at

    def _log(self, child: Child, header: Header) -> None:
        said = header["record"]
        child.log_tail.append(f"{said['levelname']} {said['name']}: {said['msg']}"[:LOG_TAIL_CHARACTERS])
        placed = child.running.get(header["n"]) if header["n"] is not None else None
        record = record_heard(said)
        token = CURRENT_ATTEMPT.set(None if placed is None else placed.attempt)
        try:
            # Not `Logger.handle`: what hooks into loggers (an error tracker) has seen the record in the child.
            for handler in logging.getLogger().handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
        finally:
            CURRENT_ATTEMPT.reset(token)

    # ── with the lock held ─────────────────────────────────────────────────────────────────────────────────

    def _ready(self, child: Child, _: Header) -> None:
        if child.phase is Phase.STARTING:
            child.phase = Phase.UP
            self._keeper.comeback.succeeded()
            self._placing.place()

    def _unusable(self, child: Child, header: Header) -> None:
        child.is_told_broken = True
        fields = {name: header[name] for name in ("error", "frames", "traceback")}
        self._report(
            "child.failed", {**fields, "process_id": child.process.pid, "retry_in_s": self._keeper.comeback.failed()}
        )

    def _has_ended(self, child: Child, header: Header) -> None:
        jobs = {child.running[number].attempt.job for number, _, _ in header["ended"] if number in child.running}
        for number, lasted_s, outcome in header["ended"]:
            self._ended.append(self._placing.end(child, number, outcome_heard(outcome), lasted_s))
            child.is_out_of_memory = child.is_out_of_memory or _is_out_of_memory(self._ended[-1].outcome)
        begun = next(iter(child.doomed.keys() & set(list(child.running)[:1])), None)
        if begun is not None:
            self._end_isolated(child, begun, because_of_limit=child.doomed.pop(begun))
        if self._placing.plan.is_isolated and not child.running and child.phase is Phase.UP:
            self._is_free(child, jobs, header["own_bytes"])
        self._placing.place()

    def _is_free(self, child: Child, jobs: set[str], own_bytes: int | None) -> None:
        """A child of isolated jobs has nothing to do: let it go on, or go."""
        if child.verdict == "interrupt":
            child.verdict = child.kill_at = None  # The code has obeyed.
        fields: dict[str, object] = {"process_id": child.process.pid, "jobs": sum(child.done.values())}
        grown_bytes = self._grown_bytes(child, own_bytes)
        limit_bytes = min((limit for job in jobs if (limit := self._placing.registry[job].memory_bytes)), default=None)
        if child.is_last_job:
            fields["reason"] = "recycle"
        elif limit_bytes is not None and child.is_out_of_memory:
            fields["reason"] = "memory refused"
        elif limit_bytes is not None and grown_bytes > limit_bytes / 2:
            fields |= {"reason": "growth", "grown_bytes": grown_bytes}
        else:
            return
        self._keeper.retire(child, within_s=RETIRE_S)
        self._report("child.replaced", fields)

    def _grown_bytes(self, child: Child, own_bytes: int | None) -> int:
        """Return how much the child has grown since its first job that had a limit: what that left is its warmth."""
        if own_bytes is None:
            return 0
        if child.warm_bytes is None:
            child.warm_bytes = own_bytes
        return own_bytes - child.warm_bytes

    def _checkpoint(self, child: Child, header: Header) -> None:
        placed = child.running.get(header["n"])
        if placed is not None:
            placed.attempt.signals.checkpoint = header["state"]

    def _pong(self, child: Child, header: Header) -> None:
        child.pinged_at = None
        if header["blockage"] is not None:
            blocked_s, stack = header["blockage"]
            child.blockage = Blockage(blocked_s, tuple(stack))

    def _stack(self, child: Child, header: Header) -> None:
        if header["n"] in child.running and header["stack"]:
            child.stacks[header["n"]] = tuple(header["stack"])

    # ── deaths ─────────────────────────────────────────────────────────────────────────────────────────────

    def died(self, child: Child, death: Death) -> None:
        with self._lock:
            told = read_dump(death.dump)
            if child.verdict != "interrupt" and self._placing.plan.is_isolated and not self._placing.is_closing:
                self._ended += self._placing.put_back(child)
            jobs = " ".join(sorted({placed.attempt.job for placed in child.running.values()}))
            has_worked = bool(child.running)
            self._end_all(child, death, told)
            is_ours = child.verdict is not None or child.phase is Phase.LEAVING
            if not is_ours:
                self._tell_death(child, death, told, jobs, has_worked=has_worked)
            child.phase = Phase.LEAVING
            self._placing.place()

    def _end_all(self, child: Child, death: Death, told: Told) -> None:
        running = {number: placed.attempt for number, placed in child.running.items()}
        outcomes: Mapping[int, Outcome]
        if child.verdict == "limit":
            outcomes = {
                number: TimedOut(attempt.limit_s) if self._placing.has_begun(child, number) else Interrupted()
                for number, attempt in running.items()
            }
        elif child.verdict == "interrupt":
            outcomes = {number: Interrupted() for number in running}
        else:
            guilty = blamed(death, told, running)
            batches = {running[number].batch for number in guilty} - {0}
            crash = crashed(death, told, trouble=child.trouble, log_tail=child.log_tail)
            outcomes = {
                number: crash if number in guilty or attempt.batch in batches else Interrupted()
                for number, attempt in running.items()
            }
        self._ended += [self._placing.end(child, number, outcome) for number, outcome in outcomes.items()]

    def _tell_death(self, child: Child, death: Death, told: Told, jobs: str, *, has_worked: bool) -> None:
        fields: dict[str, object] = {
            "process_id": child.process.pid,
            "exit_code": death.exit_code,
            "signal": signal_name(death.exit_code),
            "reason": reason_of(death, told, trouble=child.trouble),
            "peak_memory_bytes": death.peak_memory_bytes,
        }
        known = {name: value for name, value in fields.items() if value is not None}
        if has_worked:
            self._report("child.died", {**known, "jobs": jobs})
        elif child.phase is Phase.STARTING and child.is_told_broken:
            return  # It has said itself why it cannot be used.
        else:
            stack = {"stack": " > ".join(told.stack)} if told.stack else {}
            event = "child.failed" if child.phase is Phase.STARTING else "child.died"
            self._report(event, {**known, **stack, "retry_in_s": self._keeper.comeback.failed()})


def _is_out_of_memory(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.error == "MemoryError"
