"""What a child's code logs and prints: it goes to the worker, which writes it as its own handlers' output is written.

Rules kept here and nowhere else:

1. Log records go to the log handlers of the worker, with the attempt they were made in. Those that the program has put
   on the root logger when the child imported it are set aside, or every line would come twice.
2. What is printed goes whole lines at a time, where the worker writes for its handlers at all.
3. A copy that a handler forks off writes where it can: to the standard streams.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from forebay.handlers.child_link import ParentLink
from forebay.handlers.pipe_words import record_said
from forebay.observability.current import CURRENT_ATTEMPT
from forebay.observability.kinds import Keep
from forebay.observability.logs import QUIET_LIBRARIES, exception_place
from forebay.observability.prints import take_over

_CHUNK_CHARACTERS = 64 * 1024


@dataclass(frozen=True, slots=True)
class Output:
    """How the worker's own process writes, so that its children do alike."""

    level: int
    """The level of its root logger."""
    takes_prints: bool


def send_output(link: ParentLink, output: Output) -> None:
    """Have everything that is logged and printed from now on go to the worker."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    if root.level == logging.WARNING:
        root.setLevel(output.level)  # logging's own default, which nobody chose here.
    for name in QUIET_LIBRARIES:
        library = logging.getLogger(name)
        if library.level == logging.NOTSET:
            library.setLevel(logging.WARNING)
    root.addHandler(_Forwarding(link))
    if output.takes_prints:
        take_over(_Lines(link))


class _Forwarding(logging.Handler):
    """Sends log records to the worker."""

    def __init__(self, link: ParentLink) -> None:
        super().__init__()
        self._link = link
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        if not self._link.is_ours:
            if logging.lastResort is not None and record.levelno >= logging.lastResort.level:
                logging.lastResort.handle(record)
            return
        place: str | None = None
        try:
            if record.exc_info and record.exc_info[0] is not None:
                place = exception_place(record.exc_info[0], record.exc_info[2])
                record.exc_text = record.exc_text or self._formatter.formatException(record.exc_info)
            said = record_said(record, place)
        except Exception as error:  # noqa: BLE001  (the user's arguments and their __str__; never our reason to fail)
            said = record_said(_unreadable(record, error), None)
        attempt = CURRENT_ATTEMPT.get()
        self._link.send({"t": "log", "n": None if attempt is None else attempt.number, "record": said})


def _unreadable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Return what is said in place of a record that cannot be formatted or sent."""
    where = f"{record.filename}:{record.lineno}"
    words = f"a log record at {where} cannot be formatted: {type(error).__name__}"
    return logging.LogRecord(str(record.name), logging.ERROR, str(record.pathname), 0, words, None, None)


class _Lines:
    """What `observability.prints` writes to. Implements `observability.writer.LineWriter`."""

    def __init__(self, link: ParentLink) -> None:
        self._link = link

    def write(self, line: str, _keep: Keep = Keep.ROUTINE, /) -> None:
        if not self._link.is_ours:
            os.write(1, line.encode("utf-8", "backslashreplace"))
            return
        for at in range(0, len(line), _CHUNK_CHARACTERS):
            self._link.send({"t": "print", "text": line[at : at + _CHUNK_CHARACTERS]})

    def take_dropped(self, *, at_the_end: bool = False) -> int:  # noqa: ARG002 - nothing is ever dropped here
        return 0
