"""What an exception means, and what may be told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from forebay import Queue, Reject, RetryLater
from forebay.errors import Misuse
from forebay.handlers.failure import outcome_of
from forebay.model import Failed, Outcome, Postponed, Rejected

CANARY = "canary-7f3a"


def _raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - some tests raise what is no Exception
        return error
    raise AssertionError("nothing was raised")


def _failed(function: Callable[[], object]) -> Failed:
    outcome = outcome_of(_raised(function))
    assert isinstance(outcome, Failed)
    return outcome


def fail_with(value: object) -> None:
    raise ValueError(value)


def test_a_failure_names_its_type_and_where_it_was_raised() -> None:
    outcome = _failed(lambda: fail_with("x"))

    assert outcome.error == "ValueError"
    assert outcome.frames[-1].endswith(" fail_with")
    assert "test_failure.py:" in outcome.frames[-1]


def test_a_failure_tells_no_machine_path() -> None:
    frames = _failed(lambda: fail_with("x")).frames

    assert [frame for frame in frames if frame.startswith("/")] == []


def test_values_are_in_no_frame_no_fingerprint_and_no_repr() -> None:
    outcome = _failed(lambda: fail_with(CANARY))

    assert CANARY not in repr(outcome)
    assert CANARY not in "".join(outcome.frames) + outcome.fingerprint + outcome.error
    assert CANARY in outcome.message, "kept for those who choose to see it"
    assert CANARY in outcome.traceback


def test_of_what_our_code_raises_the_call_in_the_users_code_is_told() -> None:
    """A log line has room for few frames: ours would leave none for the line that has to be mended."""
    told = _failed(lambda: Queue("shop").options(delay="soon"))

    assert [place.split(" ")[-1].split(".")[-1] for place in told.frames[-2:]] == ["<lambda>", "options"]


def test_only_words_of_ours_are_told() -> None:
    class Theirs(Misuse):
        """A class of the user's, with words of the user's."""

    def ours() -> None:
        raise Misuse("middleware 'timed' yields twice")

    def theirs() -> None:
        raise Theirs(CANARY)

    assert _failed(ours).error == "JobError: middleware 'timed' yields twice"
    assert "canary" not in repr(_failed(theirs))


def test_the_fingerprint_groups_across_values_and_parts_by_type_and_place() -> None:
    first, second = _failed(lambda: fail_with("a")), _failed(lambda: fail_with("b"))
    elsewhere = _failed(lambda: int("no number"))
    other_type = _failed(lambda: cast("Any", None).nothing)

    assert first.fingerprint == second.fingerprint
    assert len({first.fingerprint, elsewhere.fingerprint, other_type.fingerprint}) == 3


def test_the_depth_of_a_recursion_does_not_change_the_fingerprint() -> None:
    def descend(levels: int) -> None:
        if levels == 0:
            raise ValueError
        descend(levels - 1)

    assert _failed(lambda: descend(3)).fingerprint == _failed(lambda: descend(90)).fingerprint


def test_the_cause_is_part_of_the_fingerprint() -> None:
    def chained(cause: Exception) -> None:
        raise ValueError from cause

    assert _failed(lambda: chained(KeyError())).fingerprint != _failed(lambda: chained(OSError())).fingerprint


def test_a_runaway_recursion_is_told_in_few_frames() -> None:
    def endless() -> None:
        endless()

    outcome = _failed(endless)

    assert outcome.error == "RecursionError"
    assert len(outcome.frames) < 30
    assert any("more" in frame for frame in outcome.frames)
    assert len(outcome.traceback) <= 16_000


class BrokenText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class BrokenNotes(Exception):
    __notes__ = cast("list[str]", 5)


class BrokenType(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise KeyError("broken")


class OfBrokenType(Exception, metaclass=BrokenType):
    pass


def _circle() -> Exception:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    return first


def _deep_group() -> Exception:
    error: Exception = ValueError()
    for _ in range(2_000):
        error = ExceptionGroup("group", [error])
    return error


@pytest.mark.parametrize(
    "error",
    [
        BrokenText(),
        BrokenNotes(),
        OfBrokenType(),
        _circle(),
        _deep_group(),
        SystemExit(),
        KeyboardInterrupt(),
        GeneratorExit(),
        ValueError("x" * 10_000_000),
        ValueError("\ud800"),
        ExceptionGroup("several", [ValueError(CANARY), KeyError(CANARY)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_exception_can_break_the_telling(error: BaseException) -> None:
    def throw() -> None:
        raise error

    outcome = _failed(throw)

    assert outcome.error
    assert len(outcome.message) <= 2_000
    assert CANARY not in repr(outcome)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RetryLater(), Postponed(None)),
        (RetryLater(5), Postponed(5.0)),
        (RetryLater("1h30m", "the other side is down"), Postponed(5_400.0, "the other side is down")),
        (Reject("no such picture"), Rejected("no such picture")),
        (ExceptionGroup("of a TaskGroup", [RetryLater(5), RetryLater(9)]), Postponed(9.0)),
        (ExceptionGroup("of a TaskGroup", [RetryLater(5), Reject("never")]), Rejected("never")),
        (ExceptionGroup("nested", [ExceptionGroup("inner", [Reject("never")])]), Rejected("never")),
    ],
)
def test_an_answer_is_believed(error: Exception, expected: Outcome) -> None:
    assert outcome_of(error) == expected


def test_a_group_with_one_failure_in_it_has_failed() -> None:
    outcome = outcome_of(ExceptionGroup("of a TaskGroup", [RetryLater(5), ValueError()]))

    assert isinstance(outcome, Failed)


def test_an_answer_class_of_ones_own_may_forget_its_base() -> None:
    class OutOfStock(Reject):
        def __init__(self) -> None:
            pass

    assert outcome_of(OutOfStock()) == Rejected("")


def test_a_reason_is_text_and_bounded_whatever_was_given() -> None:
    assert outcome_of(Reject(cast("str", BrokenText()))) == Rejected("(SystemExit from its __str__)")
    assert outcome_of(Reject("x" * 5_000)) == Rejected("x" * 1_000)
