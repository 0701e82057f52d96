"""The thread that keeps children alive: starts them, hears them, kills them when it is time, and sees them die.

Rules kept here and nowhere else:

1. One thread serves all children. Each is started by it, for Linux ends a child with the thread that started it.
2. Who is missing is replaced as soon as `comeback` lets it be. Who does not come up for long is told of.
3. What a child has said before its death counts: its death is told after its last word.
4. No child outlives `close`.
"""

from __future__ import annotations

import os
import selectors
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from time import monotonic
from typing import Any, Protocol

from forebay.errors import ExecutorBroken
from forebay.handlers.child_process import ChildProcess, Death
from forebay.handlers.child_record import Child, Phase
from forebay.handlers.comeback import Comeback
from forebay.handlers.pipe import Header
from forebay.handlers.plan import Plan
from forebay.handlers.waking import Waker

LOOK_S = 0.05
"""How often processes are looked at where the system does not tell of their end by itself."""

REAP_S = 2.0
"""How long the kernel may take to end what has been killed."""


class Master(Protocol):
    """Who the children work for. Called on the keeper's thread."""

    def heard(self, child: Child, header: Header) -> None: ...

    def died(self, child: Child, death: Death) -> None: ...

    def settled(self) -> float | None: ...  # All has been heard that there was. Returns when to call again.


Report = Callable[[str, Mapping[str, object]], None]


class Keeper:
    """Keeps as many children up as the plan says."""

    def __init__(self, plan: Plan, lock: AbstractContextManager[Any], report: Report) -> None:
        """`lock` guards the records; `report` may be called from any thread."""
        self.children: list[Child] = []
        self._module = plan.module
        self._hello = {"t": "hello", **plan.hello}
        self._slow_s = plan.slow_s
        self._environment = dict(os.environ)  # Code that runs beside us may change it, and the next child needs it.
        self._wanted = plan.children
        self._master: Master
        self._lock = lock
        self._report = report
        self._selector = selectors.DefaultSelector()
        self._waker = Waker()
        self._selector.register(self._waker.descriptor, selectors.EVENT_READ)
        self.comeback = Comeback(plan.failures_max)
        self._settle_at: float | None = None
        self._is_closing = False
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="forebay-children", daemon=True)

    def open(self, master: Master) -> None:
        """Begin to start children, and tell `master` of them."""
        self._master = master
        self._thread.start()

    def wake(self) -> None:
        """Have the thread look at the records again."""
        self._waker.wake()

    def close(self, *, wait_s: float) -> bool:
        """End all children: by their own will within `wait_s`, else not. False if the kernel has not ended one."""
        until = monotonic() + wait_s
        with self._lock:
            self._is_closing = True
            for child in self.children:
                if child.phase is Phase.UP:
                    child.send({"t": "end", "wait_s": wait_s})
                child.kill_at = until if child.phase is not Phase.STARTING else monotonic()
                child.phase = Phase.LEAVING
            self.wake()
        self._thread.join(wait_s + REAP_S)
        return self._is_over

    def retire(self, child: Child, *, within_s: float) -> None:
        """Let a child end by its own will; another takes its place. With the lock held."""
        child.send({"t": "end", "wait_s": within_s})
        child.phase = Phase.LEAVING
        child.kill_at = monotonic() + within_s
        self.wake()

    # ── below, everything runs on the keeper's thread ──────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self._has_buried_all():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - a bug of ours must not leave children without a keeper
                frame = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}"
                self._report("internal.error", {"error": type(error).__name__, "where": where})
                self.comeback.failed()
        self._selector.close()
        with self._lock:
            self._is_over = True
        self._waker.close()

    def _has_buried_all(self) -> bool:
        with self._lock:
            return self._is_closing and not self.children

    def _turn(self) -> None:
        now = monotonic()
        with self._lock:
            for child in self.children:
                if child.kill_at is not None and now >= child.kill_at:
                    child.kill_at = None
                    child.process.kill()
                if child.slow_at is not None and now >= child.slow_at:
                    child.slow_at = None
                    if child.phase is Phase.STARTING:
                        self._report("child.slow", {"process_id": child.process.pid, "waited_s": self._slow_s})
                self._watch_writing(child)
            missing = 0 if self._is_closing else self._wanted - sum(child.stays for child in self.children)
        if missing > 0 and now >= self.comeback.due_at:
            self._spawn(missing)
        for key, mask in self._selector.select(self._pause_s(missing)):
            if key.data is None:
                self._waker.rest()
            else:
                key.data(mask)
        for child in list(self.children):
            if child.process.descriptor is None:
                self._look(child)
        self._settle_at = self._master.settled()

    def _pause_s(self, missing: int) -> float | None:
        """How long nothing has to be done unless somebody says something."""
        now = monotonic()
        instants = [at for child in self.children for at in (child.kill_at, child.slow_at) if at is not None]
        if self._settle_at is not None:
            instants.append(self._settle_at)
        if missing > 0 and self.comeback.due_at > now:
            instants.append(self.comeback.due_at)
        if any(child.process.descriptor is None for child in self.children):
            instants.append(now + LOOK_S)
        return max(0.0, min(instants) - now) if instants else None

    def _spawn(self, count: int) -> None:
        for _ in range(count):
            try:
                child = Child(ChildProcess(self._module, self._environment))
            except OSError as error:
                pause_s = self.comeback.failed()
                self._report(
                    "child.failed", {"error": f"{type(error).__name__}: {error.strerror}", "retry_in_s": pause_s}
                )
                return
            with self._lock:
                self.children.append(child)
                child.slow_at = monotonic() + self._slow_s
                child.send(self._hello)
                if self._is_closing:  # Since we looked whether it was wanted.
                    child.phase = Phase.LEAVING
                    child.kill_at = monotonic()
            ends = (child.process.socket, self._hear), (child.process.descriptor, self._look)
            for end, look in ends:
                if end is not None:
                    self._selector.register(end, selectors.EVENT_READ, partial(look, child))

    def _watch_writing(self, child: Child) -> None:
        """Be told when the pipe has room again, while something waits for that."""
        if child.has_backlog == child.is_watched_for_writing:
            return
        key = self._selector.get_map().get(child.process.socket)
        if key is not None:
            child.is_watched_for_writing = child.has_backlog
            also = selectors.EVENT_WRITE if child.has_backlog else 0
            self._selector.modify(child.process.socket, selectors.EVENT_READ | also, key.data)

    def _hear(self, child: Child, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            with self._lock:
                child.flush()
                self._watch_writing(child)
        if mask & selectors.EVENT_READ and not self._take_in(child):
            self._selector.unregister(child.process.socket)
            with self._lock:
                if child.phase is not Phase.LEAVING:
                    # It has closed its end, or talks nonsense: nothing that it does could be told of any more.
                    child.process.kill()

    def _take_in(self, child: Child) -> bool:
        """Hear what has come. False when nothing will come any more."""
        try:
            headers = child.receive()
            for header in headers or ():
                self._master.heard(child, header)
        except BlockingIOError:
            return True
        except ExecutorBroken as error:
            child.trouble = str(error)
            return False
        return headers is not None

    def _look(self, child: Child, _mask: int = 0) -> None:
        """See whether the child has ended, and if so, hear it out and bury it."""
        death = child.process.reap()
        if death is None:
            return
        if child.process.socket in self._selector.get_map():
            self._selector.unregister(child.process.socket)
            self._hear_out(child)
        if child.process.descriptor is not None:
            self._selector.unregister(child.process.descriptor)
        try:
            self._master.died(child, death)
        finally:
            with self._lock:
                self.children.remove(child)
            child.process.close()

    def _hear_out(self, child: Child) -> None:
        """Take in what a dead child has said last."""
        try:
            while (headers := child.receive()) is not None:
                for header in headers:
                    self._master.heard(child, header)
        except (BlockingIOError, ExecutorBroken):
            return  # A copy that it has forked off still holds the pipe, or its last word was cut off.
