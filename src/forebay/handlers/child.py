"""A child process at work: it hears of attempts over the pipe, runs them as any worker does, and tells how they ended.

Rules kept here and nowhere else:

1. The executors are the shipped ones. What is different in a child is only where their outcomes go.
2. Plain functions of an isolated job run on the main thread, as they would in a script of their own: some libraries ask
   for that.
3. A thread of its own listens, so that a handler that runs can be told things; it answers while Python itself turns.
4. At the worker's word the program's stop hooks run, then the executors are closed, and the interpreter ends as usual.
   While an attempt still runs there are no stop hooks: what it uses must not be closed under it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from forebay.handlers.batches import gathered
from forebay.handlers.child_link import ParentLink
from forebay.handlers.child_memory import Ceiling, own_bytes
from forebay.handlers.crash import OUT_OF_MEMORY
from forebay.handlers.crash_board import CrashBoard
from forebay.handlers.executor import Ended, Executor
from forebay.handlers.line import Line, Piece
from forebay.handlers.main_thread import MainThread
from forebay.handlers.pipe import Header
from forebay.handlers.pipe_words import attempts_heard, outcome_said, raise_signals
from forebay.handlers.registry import Handler, Registry
from forebay.model import Attempt, Interrupted, Signals
from forebay.platform import leave_now

ENDS_IN_FRAME_MAX = 32
"""So that a frame keeps under its bound, whatever each outcome holds: a character may take twelve bytes there."""
_BUG = 70


class ChildService:
    """What one child does, from `ready` to its end. Implements `handlers.executor.Deliver`."""

    def __init__(
        self,
        link: ParentLink,
        registry: Registry,
        executors: Mapping[str, Executor],
        main_thread: MainThread,
        *,
        stop: Callable[[], None],
    ) -> None:
        """`executors` by the kind that they run; `main_thread` may be one of their threads.

        `stop` is called at the end, unless code still runs then.
        """
        self._link = link
        self._registry = registry
        self._executors = executors
        self._main_thread = main_thread
        self._stop = stop
        self._attempts: dict[int, Attempt] = {}
        self._line = Line(self._begin)

    def run(self) -> None:
        """Work until the worker says that it is enough. On the main thread."""
        for executor in self._executors.values():
            executor.open(self)
        threading.Thread(target=self._listen, name="forebay-pipe", daemon=True).start()
        self._ceiling = Ceiling()  # Now that all threads of ours have their stacks. No attempt comes before `ready`.
        self._link.send({"t": "ready"})
        self._main_thread.work()

    # ── what the executors see ─────────────────────────────────────────────────────────────────────────────

    def ended(self, batch: Sequence[Ended], /) -> None:
        self._ceiling.lift()
        own: int | None = None
        said: list[list[Any]] = []
        for ended in batch:
            attempt = self._attempts.pop(ended.number)
            if own is None and self._registry[attempt.job].memory_bytes is not None:
                own = own_bytes()
            said.append([ended.number, ended.lasted_s, outcome_said(ended.outcome)])
        for at in range(0, len(said), ENDS_IN_FRAME_MAX):
            self._link.send({"t": "ended", "ended": said[at : at + ENDS_IN_FRAME_MAX], "own_bytes": own})
        self._line.ended([ended.number for ended in batch])  # Told first: if the next one crashes us, it was not these.

    def extend(self, number: int, limit_s: float, /) -> None:
        self._link.send({"t": "extend", "n": number, "limit_s": limit_s})

    def room(self, runs: object, room: int, /) -> None:
        """Nobody's in here: who runs where is decided by the worker."""

    def give_up(self, reason: str, /) -> None:
        """Nobody's either: loops and threads never do."""

    # ── below, everything runs on the listening thread ─────────────────────────────────────────────────────

    def _listen(self) -> None:
        words: Mapping[str, Callable[[Header, bytes], None]] = {
            "start": self._start,
            "interrupt": self._interrupt,
            "signals": self._signals,
            "ping": self._ping,
            "stack": self._stack,
            "hand_back": self._hand_back,
            "end": self._end,
        }
        try:
            for header, tail in self._link.frames():
                words[header["t"]](header, tail)
        except MemoryError:
            leave_now(OUT_OF_MEMORY)  # A child that no longer hears is of no use. The worker replaces it.
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is ours; the worker tells of the exit
            sys.excepthook(type(error), error, error.__traceback__)
            leave_now(_BUG)

    def _start(self, header: Header, tail: bytes) -> None:
        attempts = attempts_heard(header, tail, now=monotonic(), signals=self._signals_of)
        self._attempts.update({attempt.number: attempt for attempt in attempts})
        isolated = [one for one in attempts if self._registry[one.job].runs == "process"]
        if isolated:
            singles, batches = gathered(isolated)
            self._line.add([*((attempt,) for attempt in singles), *batches])
        for_each: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            handler = self._registry[attempt.job]
            if handler.runs != "process":
                for_each.setdefault(_kind(handler), []).append(attempt)
        for kind, theirs in for_each.items():
            self._executors[kind].start(theirs)

    def _begin(self, piece: Piece) -> None:
        """Begin isolated work, when there is no other. On whatever thread the one before it has ended."""
        handler = self._registry[piece[0].job]
        if handler.memory_bytes is not None:
            self._ceiling.put(handler.memory_bytes)
        self._executors[_kind(handler)].start(piece)

    def _hand_back(self, _header: Header, _: bytes) -> None:
        taken = self._line.take_back()
        for attempt in taken:
            del self._attempts[attempt.number]
        if taken:
            said = [[attempt.number, 0.0, outcome_said(Interrupted())] for attempt in taken]
            self._link.send({"t": "ended", "ended": said, "own_bytes": None})

    def _signals_of(self, number: int) -> Signals:
        return TellingSignals(self._link, number)

    def _executor_of(self, attempt: Attempt) -> Executor:
        return self._executors[_kind(self._registry[attempt.job])]

    def _interrupt(self, header: Header, _: bytes) -> None:
        attempt = self._attempts.get(header["n"])
        if attempt is not None:
            self._executor_of(attempt).interrupt(attempt.number, because_of_limit=header["because_of_limit"])

    def _signals(self, header: Header, _: bytes) -> None:
        attempt = self._attempts.get(header["n"])
        if attempt is not None:
            raise_signals(attempt.signals, header["signals"], now=monotonic())
            self._executor_of(attempt).notify(attempt)

    def _ping(self, _header: Header, _: bytes) -> None:
        now = monotonic()
        found = [blockage for one in self._executors.values() if (blockage := one.blockage(now=now)) is not None]
        worst = max(found, key=lambda blockage: blockage.blocked_s, default=None)
        self._link.send({"t": "pong", "blockage": None if worst is None else [worst.blocked_s, worst.stack]})

    def _stack(self, header: Header, _: bytes) -> None:
        attempt = self._attempts.get(header["n"])
        stack = () if attempt is None else self._executor_of(attempt).stack_of(attempt.number)
        self._link.send({"t": "stack", "n": header["n"], "stack": stack})

    def _end(self, header: Header, _: bytes) -> None:
        if not self._attempts:
            self._stop()  # While the handlers' loop still turns: what has been started there ends there.
        for executor in self._executors.values():
            executor.close(wait_s=header["wait_s"])
        self._main_thread.leave()


class TellingSignals(Signals):
    """Signals in a child: what the code has reached is known to the worker at once, whatever becomes of the child."""

    __slots__ = ("_checkpoint", "_link", "_number")

    def __init__(self, link: ParentLink, number: int) -> None:
        self._link = link
        self._number = number
        super().__init__()

    @property
    def checkpoint(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._checkpoint

    @checkpoint.setter
    def checkpoint(self, state: str | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._checkpoint = state
        if state is not None:
            self._link.send({"t": "checkpoint", "n": self._number, "state": state})


def _kind(handler: Handler) -> str:
    return handler.runs_inside if handler.runs == "process" else handler.runs


def noting_threads(registry: Registry, board: CrashBoard) -> Registry:
    """Return the same handlers, of which those on threads leave a note of what their thread does."""
    return registry.changed(lambda handler: _noting(handler, board))


def _noting(handler: Handler, board: CrashBoard) -> Handler:
    if _kind(handler) != "thread":
        return handler
    inner: Callable[[Any], object] = handler.call

    def call(work: Any) -> object:
        take_back = board.noting(work.number if isinstance(work, Attempt) else work[0].number)
        try:
            return inner(work)
        finally:
            take_back()

    return replace(handler, call=call)
