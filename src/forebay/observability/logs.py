"""How records of the standard `logging` module, the user's above all, become lines of ours.

Rules kept here and nowhere else:

1. A record becomes the event `log`, with the job and message inside whose attempt it was made.
2. With `--log json` plain stream handlers on standard output and error give way to ours, so that every line is one
   object; with `--log text` a stream handler that the user has set up stays, and ours is not added.
3. Other handlers (files, error trackers) and levels that the user has set are never touched.
4. A library may put a handler's exception into its own record (asyncio: "Task exception was never retrieved",
   Django: each task that fails).
   Of such records only the first line and the frames are shown, unless error detail is `full`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType

from forebay.observability.attempts import ErrorDetail, started_fields
from forebay.observability.current import CURRENT_ATTEMPT
from forebay.observability.events import Keep
from forebay.observability.lines import json_line, one_line, timestamp
from forebay.observability.writer import LineWriter
from forebay.settings import LogFormat

SAMPLE_LOGGER = "forebay.sample"
"""The sample worker's logger. Its records are the article's lines and are shown as they are."""

QUIET_LIBRARIES = ("botocore", "boto3", "urllib3", "aiohttp.access", "s3transfer")
"""Libraries whose INFO records say nothing about the user's jobs."""

LIBRARIES = (
    "asyncio",
    "anyio",
    "aiohttp",
    "botocore",
    "boto3",
    "concurrent.futures",
    "urllib3",
    "django.tasks",
    "django_tasks",
)
"""Loggers whose records are not the user's own words."""

EXCEPTION_PLACE = "exception_place"
"""What a record from a child process has instead of the exception itself: its type and place, beside `exc_text`."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message", "asctime", "event", "at", "level", "taskName", EXCEPTION_PLACE,
}  # fmt: skip
"""What every record has, and what our lines mean by themselves. Anything else came from `extra={…}`."""

_SCALARS = (str, int, float, bool)


class LogHandler(logging.Handler):
    """Turns records into lines."""

    def __init__(self, writer: LineWriter, *, log: LogFormat, error_detail: ErrorDetail = "frames") -> None:
        super().__init__()
        self._writer = writer
        self._is_json = log == "json"
        self._detail: ErrorDetail = error_detail

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object]
        try:
            fields = self._fields(record)
        except Exception as error:  # noqa: BLE001  (the user's arguments and their __str__; never our reason to fail)
            fields = {
                "logger": record.name,
                "message": f"a log record at {record.filename}:{record.lineno} cannot be formatted: "
                f"{type(error).__name__}",
            }
        at_utc = datetime.fromtimestamp(record.created, UTC)
        line = (
            json_line("log", {"level": record.levelname, **fields}, at_utc)
            if self._is_json
            else record_text(record.levelname, fields, at_utc)
        )
        self._writer.write(line, Keep.IMPORTANT if record.levelno >= logging.WARNING else Keep.ROUTINE)

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        is_ours_to_trim = self._detail != "full" and _is_library(record.name)
        message = record.getMessage()
        fields: dict[str, object] = {
            "logger": record.name,
            "message": message.partition("\n")[0] if is_ours_to_trim else message,
        }
        place = getattr(record, EXCEPTION_PLACE, None)
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = (
                exception_place(record.exc_info[0], record.exc_info[2])
                if is_ours_to_trim
                else logging.Formatter().formatException(record.exc_info)
            )
        elif place is not None:
            fields["exception"] = place if is_ours_to_trim else record.exc_text
        attempt = CURRENT_ATTEMPT.get()
        if attempt is not None:
            fields |= {"job": attempt.job, "batch": attempt.batch} if attempt.batch else started_fields(attempt)
        for name, value in vars(record).items():
            if name not in _STANDARD and isinstance(value, _SCALARS):
                fields.setdefault(name, value)
        return fields


def install(handler: LogHandler, root: logging.Logger, *, log: LogFormat) -> bool:
    """Let `handler` have the records of `root`, by the rules of this module. Returns whether it was added."""
    plain = [existing for existing in root.handlers if _is_plain_stream(existing)]
    if log == "text" and plain:
        return False
    if not root.handlers and root.level == logging.WARNING:
        root.setLevel(logging.INFO)  # logging's own default, which nobody chose.
    for existing in plain:
        root.removeHandler(existing)
    for name in QUIET_LIBRARIES:
        library = logging.getLogger(name)
        if library.level == logging.NOTSET:
            library.setLevel(logging.WARNING)
    root.addHandler(handler)
    return True


def _is_plain_stream(handler: logging.Handler) -> bool:
    if type(handler) is not logging.StreamHandler:
        return False
    streams = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return any(handler.stream is stream for stream in streams)  # pyright: ignore[reportUnknownMemberType]


def _is_library(name: str) -> bool:
    return any(name == library or name.startswith(library + ".") for library in LIBRARIES)


def exception_place(kind: type[BaseException], traceback: TracebackType | None) -> str:
    """Return what may be shown of an exception that is not the user's to show: its type and its place."""
    return f"{kind.__qualname__} at {_where(traceback)}"


def _where(traceback: TracebackType | None) -> str:
    """Return `file:line function` of the innermost frame."""
    if traceback is None:
        return "an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{code.co_filename}:{traceback.tb_lineno} {code.co_qualname}"


def record_text(level: str, fields: Mapping[str, object], at_utc: datetime) -> str:
    """Return `time LEVEL logger: message job=… message_id=…`; the sample's lines bare. `fields` are those of `log`."""
    message = str(fields["message"])
    if fields["logger"] == SAMPLE_LOGGER:
        return f"{timestamp(at_utc)} {one_line(message)}\n"
    parts = [f"{timestamp(at_utc)} {level} {fields['logger']}: {one_line(message)}"]
    parts += [f"{name}={fields[name]}" for name in ("job", "message_id") if name in fields]
    line = " ".join(parts) + "\n"
    if "exception" in fields:
        # A traceback keeps its lines: text is for people, and one of forty frames on a line is for nobody.
        line += str(fields["exception"]).rstrip("\n") + "\n"
    return line
