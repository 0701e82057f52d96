"""The article's worker: a body is a number of milliseconds."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.calling import CANARY, outcome

from forebay import Reject
from forebay.api.sample import MILLISECONDS_MAX, milliseconds_of, worker
from forebay.model import SUCCEEDED, Rejected


@pytest.fixture
def lines() -> Iterator[list[str]]:
    told: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    kept, logger = Kept(), logging.getLogger("forebay.sample")
    level = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    yield told
    logger.removeHandler(kept)
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("body", "milliseconds"),
    [("0", 0.0), ("20000", 20_000.0), (" 1.50\n", 1.5), ("39600000", 39_600_000.0), ("0" * 500 + "7", 7.0)],
)
def test_a_number_of_milliseconds_is_taken(body: str, milliseconds: float) -> None:
    assert milliseconds_of(body) == milliseconds


@pytest.mark.parametrize(
    "body",
    ["", "-1", "+1", "1.", ".5", "1e3", "0x10", "1 2", "NaN", "Infinity", "٣", "39600000.1", "9" * 500, '"5"', "[5]"],
)
def test_all_else_is_rejected(body: str) -> None:
    with pytest.raises(Reject):
        milliseconds_of(body)


@given(st.text() | st.from_regex(r"[0-9.\s]*"))
def test_any_body_is_a_number_in_bounds_or_rejected(body: str) -> None:
    try:
        milliseconds = milliseconds_of(body)
    except Reject:
        return

    assert 0 <= milliseconds <= MILLISECONDS_MAX


def test_a_job_tells_the_articles_three_lines(lines: list[str]) -> None:
    assert outcome(worker, "1") == SUCCEEDED
    assert outcome(worker, " 0.50 ") == SUCCEEDED

    assert lines == [
        "message-1 - Received",
        "message-1 - Working for 1 milliseconds",
        "message-1 - Done",
        "message-1 - Received",
        "message-1 - Working for 0.5 milliseconds",
        "message-1 - Done",
    ]


def test_a_body_that_is_no_number_is_told_nowhere(lines: list[str]) -> None:
    ended = outcome(worker, CANARY)

    assert isinstance(ended, Rejected)
    assert CANARY not in ended.reason
    assert lines == ["message-1 - Received"]


def test_the_sample_has_eleven_hours_and_needs_to_be_told_its_queue() -> None:
    assert [(handler.runs, handler.limit_s) for handler in worker.registry] == [("loop", 39_600.0)]
    assert "queue" not in worker.arguments
    assert worker.tells_its_own
