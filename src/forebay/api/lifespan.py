"""What is done once in each process that runs handlers: start hooks before all attempts, stop hooks after them.

Rules kept here and nowhere else:

1. Start hooks run in the order in which they are declared, one after the other. Stop hooks, and the ends of start hooks
   that yield, run in the reverse of that order, each of them, whatever the others raise.
2. Asynchronous hooks run on the handlers' loop, so that what they make belongs to it. Plain ones run in the thread that
   starts the lifespan, which is never the control loop's.
3. A start hook that raises undoes the hooks before it, and nothing is worked.
4. A hook's parameters are what earlier hooks have made, found by their annotations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from forebay.api.callables import hints_of, kind_of, returned, told
from forebay.api.generators import Opened, finished
from forebay.api.shared import Shared
from forebay.errors import ForebayError, JobError, Misuse
from forebay.handlers.loop_steps import LoopSteps
from forebay.handlers.loop_thread import LoopThread

LOOP_ENDS_S = 1.0

_Function = Callable[..., Any]


class HookFailed(ForebayError):
    """A hook of the user's has raised; what it raised is the cause."""

    def __init__(self, hook: str, error: BaseException, also: Sequence[HookFailed] = ()) -> None:
        """`also` failed while the hooks before this one were undone."""
        super().__init__(f"{hook} raised {type(error).__qualname__}")
        self.hook = hook
        self.error = error
        self.also = tuple(also)


@dataclass(frozen=True, slots=True)
class _Hook:
    """One declared hook."""

    function: _Function
    is_start: bool
    told: str


@dataclass(slots=True)
class _Turn:
    """A hook's turn from start to stop. Two contexts, for one cannot be entered in two threads at once."""

    hook: _Hook
    function: _Function
    """The hook's own, or what stands in for it in a test."""
    loop: LoopThread
    here: Context = field(default_factory=Context)
    steps: LoopSteps = field(init=False)
    opened: Opened = field(init=False)

    def __post_init__(self) -> None:
        self.steps = LoopSteps(self.loop, Context())
        self.opened = Opened(self.step)

    async def step(self, one: Coroutine[Any, Any, Any]) -> Any:
        """Carry out a step on the handlers' loop; this thread waits for it."""
        return self.steps.run(one)

    def begin(self, arguments: Mapping[str, Any]) -> Any:
        """Call the hook and return what it gives."""
        value = self.here.run(self.function, **arguments)
        match kind_of(self.function):
            case "function":
                return value
            case "coroutine":
                return finished(self.step(value))
            case "generator":
                return self.here.run(finished, self.opened.enter(value, self.hook.told))
            case "async generator":
                return finished(self.opened.enter(value, self.hook.told))

    def end(self) -> None:
        """Take a hook that yields to its end."""
        is_plain = kind_of(self.function) == "generator"
        error = self.here.run(finished, self.opened.leave(None)) if is_plain else finished(self.opened.leave(None))
        if error is not None:
            raise error


class Lifespan:
    """The hooks of one worker, and in each process what they have made."""

    def __init__(self, overrides: Mapping[_Function, _Function]) -> None:
        """`overrides` are read at each start: what stands in for a hook in a test."""
        self.shared = Shared()
        self._overrides = overrides
        self._hooks: list[_Hook] = []
        self._turns: list[_Turn] = []
        self._loop: LoopThread | None = None
        self.ending = ""
        """The hook that is being ended, or was last: who does not want to wait any more can say for what."""

    @property
    def is_needed(self) -> bool:
        """Whether there is any hook at all. Without one, starting and stopping take no time."""
        return bool(self._hooks)

    @property
    def loop(self) -> LoopThread:
        """The handlers' loop. Raises `JobError` when the worker has not been started in this process."""
        if self._loop is None:
            raise Misuse(
                "asynchronous middleware and dependencies of a `def` handler run on the handlers' event loop, and "
                "there is none: the worker has not been started"
            )
        return self._loop

    def has_start(self, function: _Function) -> bool:
        """Say whether `function` is a start hook."""
        return any(hook.function is function for hook in self._hooks if hook.is_start)

    def declare_start(self, function: _Function) -> None:
        """Keep a start hook. Raises `JobError` when nobody could call it."""
        self._declare(_Hook(function, True, f"start hook {told(function)!r}"))

    def declare_stop(self, function: _Function) -> None:
        """Keep a stop hook. Raises `JobError` when nobody could call it."""
        hook = _Hook(function, False, f"stop hook {told(function)!r}")
        if kind_of(function) in ("generator", "async generator"):
            raise JobError(
                f"{hook.told} has a `yield` in it, but it is called once, at the end: let a start hook yield"
            )
        self._declare(hook)

    def check_idle(self) -> None:
        """Raise `JobError` when the worker runs in this process already."""
        if self._loop is not None:
            raise JobError("this worker runs in this process already, and its start hooks run once in a process")

    def start(self, loop: LoopThread) -> None:
        """Run the start hooks, blocking this thread. Raises `HookFailed`; what had been started is undone then.

        Not for the control loop's thread, nor for the handlers'.
        """
        self.check_idle()
        self._loop = loop
        for hook in self._hooks:
            turn = _Turn(hook, self._overrides.get(hook.function, hook.function), loop)
            self._turns.append(turn)
            try:
                if hook.is_start:
                    self._keep(hook, turn.begin(self._arguments(turn)))
            except BaseException as error:
                raise HookFailed(hook.told, error, self.stop()) from error

    def stop(self) -> list[HookFailed]:
        """Run the stop hooks, blocking this thread, and return what has gone wrong."""
        failed: list[HookFailed] = []
        while self._turns:
            turn = self._turns.pop()
            self.ending = turn.hook.told
            try:
                if turn.hook.is_start:
                    turn.end()
                else:
                    turn.begin(self._arguments(turn))
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is told, and the others have their turn
                failed.append(HookFailed(turn.hook.told, error))
            turn.steps.close()
        self.shared.clear()
        self._loop = None
        return failed

    def _declare(self, hook: _Hook) -> None:
        for parameter in inspect.signature(hook.function).parameters.values():
            if parameter.annotation is parameter.empty and parameter.default is parameter.empty:
                raise JobError(
                    f"{hook.told}: {parameter.name!r} has no annotation, so nobody knows which shared value it takes"
                )
        self._hooks.append(hook)

    def _keep(self, hook: _Hook, value: object) -> None:
        kind = returned(hook.function, hook.told)
        self.shared.keep(hook.function, type(value) if kind is None else kind, value)

    def _arguments(self, turn: _Turn) -> dict[str, Any]:
        parameters = inspect.signature(turn.function).parameters.values()
        hints = hints_of(turn.function, turn.hook.told) if parameters else {}
        arguments: dict[str, Any] = {}
        for parameter in parameters:
            try:
                arguments[parameter.name] = self.shared.get(hints[parameter.name])
            except JobError as error:
                if parameter.default is parameter.empty:
                    raise JobError(f"{turn.hook.told}: nobody can fill in {parameter.name!r}: {error}") from None
        return arguments


@contextmanager
def lasting(lifespan: Lifespan) -> Generator[LoopThread]:
    """Run the start hooks, yield the handlers' loop, and run the stop hooks. Raises the first `HookFailed`."""
    loop = LoopThread()
    lifespan.start(loop)
    try:
        yield loop
    finally:
        failed = lifespan.stop()
        loop.close(wait_s=LOOP_ENDS_S)
    if failed:
        raise failed[0] from failed[0].error
