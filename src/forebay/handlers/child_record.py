"""One child as its worker knows it: its process, its end of the pipe, and what it has been given to do.

Rules kept here and nowhere else:

1. Sending never waits: what the pipe does not take at once is kept and goes out when it does.
2. Everything but `receive` and `flush` is called with the executor's lock held.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from enum import Enum
from typing import Literal, NamedTuple

from forebay.handlers.child_process import ChildProcess
from forebay.handlers.executor import Blockage
from forebay.handlers.pipe import READ_BYTES, Frames, Header, packed
from forebay.model import Attempt

LOG_TAIL_LINES = 10
LOG_TAIL_CHARACTERS = 500


class Phase(Enum):
    STARTING = "starting"
    """It imports the program."""
    UP = "up"
    LEAVING = "leaving"
    """It has been told to end, and gets nothing more to do."""


class Placed(NamedTuple):
    """An attempt that a child has been given."""

    attempt: Attempt
    placed_at: float


class Child:
    """The record of one child."""

    def __init__(self, process: ChildProcess) -> None:
        self.process = process
        self.phase = Phase.STARTING
        self.running: dict[int, Placed] = {}
        """In the order in which it was given them. Of isolated jobs only the first has begun."""
        self.doomed: dict[int, bool] = {}
        """Isolated attempts that had not begun when they were to end, and whether because of their limit. The child
        hands them back, or else they end as soon as they have begun."""
        self.is_asked_back = False
        """It has been asked for what has not begun, and has not ended it all yet."""
        self.is_last_job = False
        """Its replacement has been asked for; when it has nothing left to do, it goes."""
        self.done: Counter[str] = Counter()
        """Job → how many of it (or batches of it) the child has been given."""
        self.warm_bytes: int | None = None
        """The memory that was its own after its first job that has a limit."""
        self.is_out_of_memory = False
        """A job of it was refused memory: what it has left over may be too little for the next one."""
        self.verdict: Literal["limit", "interrupt"] | None = None
        """Why we kill it, when we do: what its death then means for the attempts that it runs."""
        self.trouble: str | None = None
        """What was no frame among what it has said, when we kill it for that."""
        self.kill_at: float | None = None
        self.slow_at: float | None = None
        """When it has taken so long to come up that somebody should know."""
        self.pinged_at: float | None = None
        self.blockage: Blockage | None = None
        self.stacks: dict[int, tuple[str, ...]] = {}
        self.log_tail: deque[str] = deque(maxlen=LOG_TAIL_LINES)
        self.is_told_broken = False
        """Why it does not come up has been reported."""
        self._frames = Frames()
        self._outgoing: deque[memoryview] = deque()
        self.is_watched_for_writing = False

    @property
    def stays(self) -> bool:
        """Whether it counts as one of those that are wanted."""
        return self.phase is not Phase.LEAVING and not self.is_last_job

    @property
    def has_backlog(self) -> bool:
        """Whether something waits for the pipe to take it."""
        return bool(self._outgoing)

    def send(self, header: Header, tail: bytes = b"") -> bool:
        """Send one frame. False when part of it has to wait for `flush`."""
        frame = packed(header, tail)
        self._outgoing.append(memoryview(frame))
        if len(self._outgoing) == 1:
            self.flush()
        return not self._outgoing

    def flush(self) -> None:
        """Send of what waits as much as the pipe takes."""
        outgoing = self._outgoing
        while outgoing:
            first = outgoing.popleft()
            sent = self._send(first)
            if sent < len(first):
                outgoing.appendleft(first[sent:])  # Of the same memory: a batch may be a hundred megabytes.
                return

    def _send(self, frame: memoryview) -> int:
        try:
            return self.process.socket.send(frame)
        except BlockingIOError:
            return 0
        except OSError:
            return len(frame)  # It is dead or dying; its death tells what becomes of what it had to do.

    def receive(self) -> Iterator[Header] | None:
        """Return the frames that have come; None when none will come any more.

        Raises `BlockingIOError` when there is nothing now, and `ExecutorBroken` while what is no frame is read.
        """
        try:
            received = self.process.socket.recv(READ_BYTES)
        except BlockingIOError:
            raise
        except OSError:
            return None
        if not received:
            return None
        return (header for header, _ in self._frames.feed(received))
