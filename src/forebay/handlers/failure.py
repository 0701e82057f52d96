"""What an exception out of a handler means: an answer that the user gave on purpose, or a failure.

Rules kept here and nowhere else:

1. An `Answer` is believed: it says itself which outcome it is. A group that holds nothing but answers is an answer.
   So is `GoingOn`, which is no `Exception`: an `except Exception` around a step of the work must not swallow it.
2. Everything else is a failure, `SystemExit` and `KeyboardInterrupt` included: user code does not stop a worker.
3. A fingerprint is made of types and functions, never of values or line numbers: it groups across inputs and edits.
4. The exception's own words stay in `Failed.message` and `Failed.traceback`, bounded, and out of every repr. Only what
   `Misuse` says is told with its type: the words are ours, and nobody could mend what is called a `JobError`.
5. No exception can break this: not one whose `__str__` raises, whose causes run in a circle, or that has no stack left.
"""

from __future__ import annotations

import traceback
from asyncio import CancelledError
from collections.abc import Iterator
from hashlib import sha256
from typing import cast

from forebay.errors import Misuse
from forebay.handlers.frames import Place, places_of, told, up_to_ours
from forebay.model import CONTINUED, Continued, Failed, Postponed, Rejected, Succeeded

MESSAGE_MAX = 2_000
TRACEBACK_MAX = 16_000
"""Characters kept of an exception's own words. Ten thousand failures in hand must not eat the memory."""

REASON_MAX = 1_000
_CAUSES_MAX = 64
_TRACEBACK_FRAMES = -24


Answered = Succeeded | Postponed | Rejected


class Answer(Exception):
    """An exception by which a handler answers instead of failing, such as `forebay.RetryLater` and `forebay.Reject`."""

    def outcome(self) -> Answered:
        """Return what the user has said."""
        raise NotImplementedError


class GoingOn(BaseException):
    """Raised by `ctx.checkpoint` where the job is to go on elsewhere: ends the attempt, through every `finally`."""


def outcome_of(error: BaseException) -> Failed | Answered | Continued:
    """Return the outcome that `error` stands for. Never raises."""
    try:
        return answer_of(error) or _failed(error)
    except BaseException as trouble:  # noqa: BLE001 - an exception built to break us must not cost its attempt
        return Failed(error=f"{_name(type(error))} (not readable: {_name(type(trouble))})", fingerprint="unreadable")


def came_from_cancelling(error: BaseException) -> bool:
    """Say whether a cancellation stands anywhere in the causes or members of `error`."""
    return any(isinstance(cause, CancelledError) for cause in _causes(error))


def reason_text(reason: object) -> str:
    """Return the reason given by user code as bounded text."""
    return _words(reason)[:REASON_MAX]


def answer_of(error: BaseException) -> Answered | Continued | None:
    """Return the answer that `error` stands for, None if it is a failure. Raises what an answer's own code raises."""
    if isinstance(error, Answer):
        return error.outcome()
    if isinstance(error, GoingOn):
        return CONTINUED
    if not isinstance(error, BaseExceptionGroup):
        return None
    # A TaskGroup wraps what its children raise. If all of them answered, the job has been answered; "never" is the
    # strongest word, "elsewhere" comes next, and of several delays the longest is the one that suits all.
    answers: list[Answered | Continued] = []
    for leaf in _leaves(cast("BaseExceptionGroup[BaseException]", error)):
        answer = answer_of(leaf)
        if answer is None:
            return None
        answers.append(answer)
    rejected = [answer for answer in answers if isinstance(answer, Rejected)]
    if rejected:
        return rejected[0]
    if CONTINUED in answers:
        return CONTINUED
    postponed = [answer for answer in answers if isinstance(answer, Postponed)]
    return max(postponed, key=lambda answer: answer.delay_s or 0.0, default=answers[0])


def _failed(error: BaseException) -> Failed:
    places = up_to_ours(places_of(error.__traceback__))
    return Failed(
        error=_told(error),
        fingerprint=_fingerprint(error, places),
        frames=told(places),
        message=_words(error)[:MESSAGE_MAX],
        traceback=_full_text(error),
    )


def _fingerprint(error: BaseException, places: list[Place]) -> str:
    """Return a short name for this kind of failure."""
    digest = sha256()
    for cause in _causes(error):
        digest.update(_told(cause).encode(errors="replace") + b"\n")
    # Each function once, in the order first met: how deep a recursion went is a value too.
    for file, function in dict.fromkeys((_basename(code.co_filename), code.co_qualname) for code, _ in places):
        digest.update(f"{file} {function}\n".encode(errors="replace"))
    return digest.hexdigest()[:12]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, its causes and its members, each once, up to a bound."""
    waiting = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _CAUSES_MAX:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting.extend(cast("BaseExceptionGroup[BaseException]", cause).exceptions)
        following = cause.__cause__ if cause.__suppress_context__ else cause.__cause__ or cause.__context__
        if following is not None:
            waiting.append(following)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    waiting: list[BaseException] = [group]
    while waiting:
        member = waiting.pop()
        if isinstance(member, BaseExceptionGroup):
            waiting.extend(cast("BaseExceptionGroup[BaseException]", member).exceptions)
        else:
            yield member


def _full_text(error: BaseException) -> str:
    try:
        told_whole = traceback.TracebackException(type(error), error, error.__traceback__, limit=_TRACEBACK_FRAMES)
        return "".join(told_whole.format())[-TRACEBACK_MAX:]
    except Exception as trouble:  # noqa: BLE001 - a `__notes__` or `__cause__` of an odd type must not hide the failure
        return f"(no traceback: {_name(type(trouble))} while it was formatted)"


def _words(value: object) -> str:
    try:
        return str(value)
    except BaseException as trouble:  # noqa: BLE001 - a `__str__` that raises is the user's, and anything may come out
        return f"({_name(type(trouble))} from its __str__)"


def _told(error: BaseException) -> str:
    """Return what may be told of the error: its type, and words only if they are ours."""
    # Exactly this type: a class of the user's that derives from it has words of its own.
    return f"JobError: {_words(error)[:REASON_MAX]}" if type(error) is Misuse else _name(type(error))


def _name(kind: type[BaseException]) -> str:
    """Return the type's qualified name; builtins go without their module."""
    try:
        module = cast("object", kind.__module__)
    except Exception:  # noqa: BLE001 - a metaclass may answer with anything
        module = "?"
    return kind.__qualname__ if module in ("builtins", None) else f"{module}.{kind.__qualname__}"


def _basename(file: str) -> str:
    return file.replace("\\", "/").rsplit("/", 1)[-1]
