"""Which queue a worker's jobs are sent to.

Rules kept here and nowhere else:

1. Inside a run it is a queue that the run works: a job that enqueues another one stays where it is, whatever the code
   says, because option and environment go before code.
2. Elsewhere it is what the code says; else the first of `FOREBAY_QUEUE_URL`, so that a producer and its workers can
   be told in the same way; else the queue that is named as the worker.
3. A job with a queue of its own (`queue=`) goes there, inside of a run too. Unless a run is told which queues to work,
   it works those as well: nothing that this code sends is left lying.
4. It is decided when a job is sent, never at import: who changes the variable, as tests do, is followed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import cast

from forebay.api.queue import Queue
from forebay.api.texts import is_filled_text
from forebay.errors import SettingsError

QUEUE_VARIABLE = "FOREBAY_QUEUE_URL"


class Home:
    """The queue of one worker, as the code gives it and as a run decides."""

    def __init__(self, name: str, queue: str | Sequence[str] | Queue | None) -> None:
        self._name = name
        self._given = queue if isinstance(queue, Queue) else None
        self._in_code = _addresses(name, queue)
        self._of_jobs: dict[str, Queue] = {}
        """By address as it stands in code: queues that single jobs are sent to."""
        self._worked: tuple[str, ...] = ()
        self._queue: Queue | None = self._given

    @property
    def addresses(self) -> tuple[str, ...] | None:
        """The queues to work when nothing outside names any. None: there are none, and a run must be told."""
        own = (self._name,) if self._in_code is None else self._in_code
        return tuple(dict.fromkeys([*own, *self._of_jobs])) or None

    def works(self, addresses: Sequence[str]) -> None:
        """Say which queues a run works. A queue object given in code is kept if it is one of them."""
        self._worked = tuple(addresses)
        is_kept = self._given is not None and self._given.address in self._worked
        self._queue = self._given if is_kept else None

    def rests(self) -> None:
        """Say that the run is over, in a program that goes on: jobs go where they went before it."""
        self._worked = ()
        self._queue = self._given

    def queue(self) -> Queue:
        """Return the queue to send to. Raises `SettingsError` when there is none."""
        if self._queue is not None and self._queue is self._given:
            return self._queue
        address = self._address()
        if self._queue is None or self._queue.address != address:
            self._queue = Queue(address)
        return self._queue

    def other(self, queue: str | Queue) -> Callable[[], Queue]:
        """Return what gives the queue of a job that is not sent to the worker's own."""
        if isinstance(queue, Queue):
            self._of_jobs.setdefault(queue.address, queue)
            return lambda: queue
        in_code = self._of_jobs.setdefault(queue, Queue(queue))
        by_url: dict[str, Queue] = {}

        def current() -> Queue:
            # A run knows by URL what the code may know by name, and a local cloud's URL is not AWS's.
            for url in self._worked:
                if _name_of(url) == _name_of(queue):
                    return by_url.setdefault(url, Queue(url))
            return in_code

        return current

    def names_of_jobs(self) -> tuple[str, ...]:
        """Return the names of the queues that single jobs are sent to, FIFO queues left out."""
        names = (_name_of(address) for address in self._of_jobs)
        return tuple(name for name in names if not name.endswith(".fifo"))

    def _address(self) -> str:
        if self._worked:
            mine = self._in_code or (self._name,)
            own = [address for address in self._worked if address in mine or _name_of(address) in mine]
            return own[0] if own else self._worked[0]
        if self._in_code:
            return self._in_code[0]
        urls = os.environ.get(QUEUE_VARIABLE, "").split()
        if urls:
            return urls[0]
        if self._in_code is not None:
            raise SettingsError(f"worker {self._name!r} has no queue to send to: set {QUEUE_VARIABLE}")
        return self._name


def _listed(name: str, queues: object) -> Sequence[str]:
    if not isinstance(queues, Sequence):
        raise SettingsError(f"queue={queues!r} of worker {name!r} is no URL and no name, and no list of them")
    return cast("Sequence[str]", queues)


def _name_of(address: str) -> str:
    return address.rsplit("/", 1)[-1]


def _addresses(name: str, queue: str | Sequence[str] | Queue | None) -> tuple[str, ...] | None:
    match queue:
        case None:
            return None
        case Queue():
            return (queue.address,)
        case str():
            given: Sequence[str] = queue.split()
        case _:
            given = _listed(name, queue)
    if not all(is_filled_text(address) and " " not in address.strip() for address in given):
        raise SettingsError(f"a queue of worker {name!r} is no URL and no name: {', '.join(map(repr, given))}")
    return tuple(address.strip() for address in given)
