"""How a stack is told to people: `file:line function`, without source lines and without a single value.

Rules kept here and nowhere else:

1. A file is named relative to the entry of `sys.path` it was imported from, so that no machine's path gets out.
2. Frames of ours at the outer end say nothing about the user's code and are left out.
3. A stack is cut to its outermost and innermost frames: a runaway recursion does not fill a log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import dropwhile
from types import CodeType, FrameType, TracebackType

OUTER_MAX = 6
INNER_MAX = 18
"""The innermost frames tell the most; the outermost say how the code was entered."""

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_OURS_TO_TELL = os.path.join(_OURS, "api", "sample.py")
_AWAITED_MAX = 1_000
_WAITING = os.path.join("concurrent", "futures", "_base.py")
_MACHINERY = (os.sep + "asyncio" + os.sep, os.sep + "threading.py", os.sep + "contextvars.py")

Place = tuple[CodeType, int]
"""A frame's code and the line it stands on. Holds no values, so keeping it keeps nothing alive."""


def places_of(traceback: TracebackType | None) -> list[Place]:
    """Return the frames of a traceback, outermost first, from the first that is not ours."""
    places: list[Place] = []
    while traceback is not None:
        places.append((traceback.tb_frame.f_code, traceback.tb_lineno))
        traceback = traceback.tb_next
    return list(dropwhile(_is_ours, places))


def up_to_ours(places: list[Place]) -> list[Place]:
    """Return the frames with one of ours at the inner end, if user code called us: how we fared inside says nothing."""
    theirs = len(places)
    while theirs and _is_ours(places[theirs - 1]):
        theirs -= 1
    return places[: theirs + 1]


def without_ours(error: BaseException) -> BaseException:
    """Return the error with its traceback beginning at the first frame that is not ours."""
    traceback = error.__traceback__
    while traceback is not None and _is_ours((traceback.tb_frame.f_code, traceback.tb_lineno)):
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def places_of_running(frame: FrameType | None) -> list[Place]:
    """Return the frames of running code, outermost first, from the first that is neither ours nor the runtime's."""
    places: list[Place] = []
    while frame is not None:
        places.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    places.reverse()
    return list(dropwhile(lambda place: _is_ours_or_machinery(place[0].co_filename), places)) or places


def places_awaited(coroutine: object) -> list[Place]:
    """Return the frames of a coroutine that waits, outermost first, down to what it waits for."""
    places: list[Place] = []
    while len(places) < _AWAITED_MAX:
        # Coroutines and generator-based ones (of older libraries) name the same parts in their own ways.
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        places.append((frame.f_code, frame.f_lineno))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return list(dropwhile(_is_ours, places)) or places


def told(places: Sequence[Place]) -> tuple[str, ...]:
    """Return the frames as text, with the middle of a long stack counted instead of told."""
    if len(places) <= OUTER_MAX + INNER_MAX:
        return tuple(_text(places))
    left_out = len(places) - OUTER_MAX - INNER_MAX
    return (*_text(places[:OUTER_MAX]), f"… {left_out} more", *_text(places[-INNER_MAX:]))


def told_places(places: Sequence[tuple[str, int, str]]) -> tuple[str, ...]:
    """As `told`, for frames of another process: file, line and function, outermost first. Ours are left out as well."""
    theirs = list(dropwhile(lambda place: _is_ours_or_machinery(place[0]), places)) or list(places)
    texts = [f"{short(file)}:{line} {function}" for file, line, function in theirs]
    if len(texts) <= OUTER_MAX + INNER_MAX:
        return tuple(texts)
    return (*texts[:OUTER_MAX], f"… {len(texts) - OUTER_MAX - INNER_MAX} more", *texts[-INNER_MAX:])


def _text(places: Iterable[Place]) -> Iterable[str]:
    return (f"{short(code.co_filename)}:{line} {code.co_qualname}" for code, line in places)


@lru_cache(maxsize=4096)
def short(filename: str) -> str:
    """Return the file's path as imports see it, such as `app/jobs.py`."""
    roots = sorted((root for root in (*sys.path, os.getcwd()) if root), key=len, reverse=True)
    for root in roots:
        prefix = root.rstrip(os.sep) + os.sep
        if filename.startswith(prefix):
            return filename[len(prefix) :]
    return os.path.join(*filename.split(os.sep)[-2:])


def _is_ours(place: Place) -> bool:
    # A thread of ours that waits for the handlers' loop has the future's frames in the traceback, before any other.
    return _is_our_file(place[0].co_filename) or place[0].co_filename.endswith(_WAITING)


def _is_our_file(file: str) -> bool:
    return file.startswith(_OURS) and file != _OURS_TO_TELL


def _is_ours_or_machinery(file: str) -> bool:
    return _is_our_file(file) or file.startswith("<frozen ") or any(part in file for part in _MACHINERY)
