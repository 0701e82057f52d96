"""The pipe between a worker and its children: frames come whole, and nothing is lost of what they carry."""

from __future__ import annotations

import logging
import struct
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import ExecutorBroken
from forebay.handlers.pipe import HEADER_BYTES_MAX, Frames, Header, packed
from forebay.handlers.pipe_words import (
    attempts_heard,
    attempts_said,
    outcome_heard,
    outcome_said,
    raise_signals,
    record_heard,
    record_said,
    signals_said,
)
from forebay.model import (
    CONTINUED,
    SUCCEEDED,
    Attempt,
    Crashed,
    Failed,
    Interrupted,
    Message,
    MessageAttribute,
    Outcome,
    Postponed,
    Rejected,
    Signals,
    TimedOut,
)

OUTCOMES: list[Outcome] = [
    SUCCEEDED,
    CONTINUED,
    Interrupted(),
    Failed("ValueError", "0123", ("a.py:1 f", "b.py:2 g"), "words", "Traceback …"),
    Postponed(None),
    Postponed(2.5, "busy"),
    Rejected("no"),
    TimedOut(60.0, stopped=False),
    Crashed(-6, "Aborted", 1024, ("a.py:1 f",), ("INFO shop: last words",), "SIGABRT"),
]


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=6), st.data())
def test_frames_come_out_whole_and_in_order_however_they_are_cut(
    said: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(packed({"said": text}, tail) for text, tail in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames = Frames(tail_bytes_max=50)
    heard: list[tuple[Header, bytes]] = []

    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        heard += frames.feed(stream[begin:end])

    assert heard == [({"said": text}, tail) for text, tail in said]


@pytest.mark.parametrize(
    "received",
    [
        struct.pack("!II", HEADER_BYTES_MAX + 1, 0),
        struct.pack("!II", 2, 1) + b"{}x",
        struct.pack("!II", 2, 0) + b"[]",
        struct.pack("!II", 4, 0) + b"nope",
    ],
    ids=["a huge header", "a tail that nobody expects", "no object", "no JSON"],
)
def test_what_is_no_frame_is_found_out(received: bytes) -> None:
    with pytest.raises(ExecutorBroken):
        list(Frames().feed(received))


def test_an_attempt_arrives_with_everything_that_it_has() -> None:
    """Every field is given a value of its own, so that one that is added and not sent is found here."""
    message = Message(
        source="https://sqs/1/queue",
        message_id="id",
        receipt="receipt",
        body='{"snow": "❄ \ud800"}',
        receive_count=3,
        sent_at_ms=1,
        first_received_at_ms=2,
        group="g",
        attributes={"job": MessageAttribute("String", "resize"), "raw": MessageAttribute("Binary", b"\x00\xff")},
        system={"SenderId": "me"},
        state='{"page": 7}',
    )
    attempt = Attempt(7, "resize", message, 60.0, batch=5, ordinal=4, message_max_bytes=262_144)
    left_out = [field.name for field in fields(Message) if getattr(message, field.name) == field.default]

    (heard,) = attempts_heard(*attempts_said([attempt], now=0.0), now=0.0, signals=lambda _: attempt.signals)

    assert left_out == []
    assert heard == attempt


def test_several_attempts_keep_their_own_bodies() -> None:
    attempts = [Attempt(number, "noop", Message("q", "id", "r", "❄" * number), 60.0) for number in range(4)]

    heard = attempts_heard(*attempts_said(attempts, now=0.0), now=0.0, signals=lambda number: attempts[number].signals)

    assert heard == attempts


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_outcome_arrives_in_full(outcome: Outcome) -> None:
    (frame,) = Frames().feed(packed({"outcome": outcome_said(outcome)}))

    assert outcome_heard(frame[0]["outcome"]) == outcome


def test_a_deadline_travels_as_the_time_that_is_left() -> None:
    """The two processes need not agree on what time it is."""
    told, heard = Signals(), Signals()
    told.deadline_at, told.lease_lost, told.hand_on = 130.0, True, True

    raise_signals(heard, signals_said(told, now=100.0), now=5.0)

    assert (heard.deadline_at, heard.lease_lost, heard.hand_on, heard.stopping) == (35.0, True, True, False)


def test_a_log_record_arrives_formatted_with_the_texts_and_numbers_that_were_added() -> None:
    record = logging.LogRecord("shop", logging.WARNING, "/app/shop.py", 3, "sold %d", (7,), None)
    record.__dict__.update(colour="green", weight=2.5, thing=object())

    heard = record_heard(record_said(record, None))

    assert (heard.getMessage(), heard.levelno, heard.name) == ("sold 7", logging.WARNING, "shop")
    assert (vars(heard)["colour"], vars(heard)["weight"], "thing" in vars(heard)) == ("green", 2.5, False)
