"""What the agent's answers mean, down to bytes that no agent sends (facts/ecs-task-protection.md section 1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.protection.agent_http import Answer
from forebay.protection.ecs import read_answer
from forebay.protection.port import Held, ProtectionAnswer, Refused, Unheld

NOON = datetime(2026, 12, 20, 12, 0, 0, tzinfo=UTC)
DATE = "Sun, 20 Dec 2026 12:00:00 GMT"
ARN = "arn:aws:ecs:us-east-1:000000000000:task/local/abc"


def read(
    body: str, *, minutes: int | None = 5, status: int = 200, date: str = DATE, is_write: bool = True
) -> ProtectionAnswer:
    """What the client makes of a body that came at 12:00:00, asked at 100 s on the monotonic clock."""
    answer = Answer(status, {"date": date} if date else {}, body.encode())
    return read_answer(answer, asked_at=100.0, utc=NOON, minutes=minutes, is_write=is_write)


def stated(expiration: str, enabled: str = "true") -> str:
    return f'{{"protection":{{"ExpirationDate":{expiration},"ProtectionEnabled":{enabled},"TaskArn":"{ARN}"}}}}'


@pytest.mark.parametrize(
    ("expiration", "left_s"),
    [
        ('"2026-12-20T12:04:30.837Z"', 270.837),
        ('"2026-12-20T12:04:30Z"', 270.0),
        ('"2026-12-20T12:04:30.123456789Z"', 270.123456),
        ('"2026-12-20T14:04:30+02:00"', 270.0),
        ("1797768270", 270.0),
        ('"2026-12-20T13:00:00Z"', 300.0),  # bounded by the five minutes that were asked for
        ('"2026-12-20T11:00:00Z"', 0.0),
    ],
)
def test_what_is_left_is_the_expiration_less_the_answers_own_date(expiration: str, left_s: float) -> None:
    answer = read(stated(expiration))

    assert isinstance(answer, Held)
    assert answer.until_at == pytest.approx(100.0 + left_s)


def test_a_look_is_bounded_by_nothing_but_the_expiration() -> None:
    assert read(stated('"2026-12-20T13:00:00Z"'), minutes=None, is_write=False) == Held(3_700.0)


def test_not_protected_has_no_expiration() -> None:
    assert read(stated("null", "false")) == Unheld()
    assert read(stated("null", "false"), minutes=None, is_write=False) == Unheld()


def test_a_hold_confirmed_without_an_expiration_lasts_as_long_as_asked() -> None:
    assert read(stated("null")) == Held(400.0)


def test_a_look_without_an_expiration_is_no_answer() -> None:
    answer = read(stated("null"), minutes=None, is_write=False)

    assert answer == Refused("UnreadableAnswer", is_lasting=False, detail=_detail(answer))


def test_unknown_fields_and_another_case_change_nothing() -> None:
    body = (
        '{"requestID":"r","later":[1],"Protection":{"expirationDate":"2026-12-20T12:01:00Z",'
        '"protectionEnabled":true,"taskArn":"a","Colour":"red"}}'
    )

    assert read(body) == Held(160.0)


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Dec 2026 12:00:00 GMT"])
def test_without_a_readable_date_this_machines_clock_has_to_do(date: str) -> None:
    assert read(stated('"2026-12-20T12:01:00Z"'), date=date) == Held(160.0)


def test_a_reason_that_is_not_known_yet_passes() -> None:
    answer = read('{"failure":{"Arn":"a","Detail":"soon","Reason":"NEW_WORD"}}')

    assert answer == Refused("NEW_WORD", is_lasting=False, detail="soon")


def test_a_failure_beside_a_protection_is_a_refusal() -> None:
    both = stated('"2026-12-20T12:01:00Z"')[:-1] + ',"failure":{"Reason":"DEPLOYMENT_BLOCKED"}}'

    assert read(both) == Refused("DEPLOYMENT_BLOCKED", is_lasting=False)


@given(st.binary(max_size=200), st.integers(100, 599), st.booleans())
def test_no_bytes_break_the_reader(body: bytes, status: int, is_write: bool) -> None:
    answer = read_answer(Answer(status, {}, body), asked_at=0.0, utc=NOON, minutes=5, is_write=is_write)

    assert isinstance(answer, Refused)  # random bytes are never consent


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMED = st.dictionaries(
    st.sampled_from(["protection", "failure", "error", "ExpirationDate", "ProtectionEnabled", "Reason", "Code"]),
    JSON
    | st.dictionaries(
        st.sampled_from(["ExpirationDate", "ProtectionEnabled", "TaskArn", "Reason", "Detail", "Code", "Message"]), JSON
    ),
)


@given(NAMED, st.sampled_from([200, 400, 403, 500, 504]), st.booleans())
def test_wrong_types_in_the_right_places_break_nothing(content: object, status: int, is_write: bool) -> None:
    body = json.dumps(content).encode()

    answer = read_answer(
        Answer(status, {}, body), asked_at=0.0, utc=NOON, minutes=5 if is_write else None, is_write=is_write
    )

    assert isinstance(answer, Held | Unheld | Refused)
    if isinstance(answer, Held):
        assert b'"ProtectionEnabled": true' in body


def _detail(answer: ProtectionAnswer) -> str:
    assert isinstance(answer, Refused)
    return answer.detail
