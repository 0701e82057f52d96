"""A job that is sent again: its state goes and comes inside the body, which is restored to the last character."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.model import (
    ATTEMPT_ATTRIBUTE,
    CHECKPOINT_ATTRIBUTE,
    ERROR_ATTRIBUTE,
    FIRST_SENT_ATTRIBUTE,
    Message,
    MessageAttribute,
)
from forebay.queue.burial import buried_copy
from forebay.queue.contents import problem, size_bytes
from forebay.queue.continuation import as_sent, copy_of, obstacle, restored, room_bytes
from forebay.queue.port import BODY_MAX_BYTES, Outgoing

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
SPACE = st.text(alphabet=" \t\r\n", max_size=3)
NUMBER = MessageAttribute("Number", "7")


def message(body: str = '{"key": 1}', attributes: Mapping[str, MessageAttribute] | None = None) -> Message:
    return Message(
        "q", "id-1", "receipt", body, sent_at_ms=1_000, group="tenant", attributes=attributes or {},
        system={"AWSTraceHeader": "Root=1-a-b"},
    )  # fmt: skip


def delivered(copy: Outgoing) -> Message:
    """The copy as a worker receives it."""
    return Message("q", "id-2", "receipt-2", copy.body, sent_at_ms=2_000, attributes=copy.attributes)


def there_and_back(one: Message, state: str | None, *, attempts: int = 0) -> Message:
    came = delivered(copy_of(one, attempts=attempts, state=state))
    if CHECKPOINT_ATTRIBUTE not in came.attributes:
        return came
    back = restored(came)
    assert back is not None
    return back


@given(
    body=st.dictionaries(st.text(), JSON, max_size=4),
    state=JSON,
    indent=st.sampled_from([None, 2]),
    is_ascii=st.booleans(),
    before=SPACE,
    after=SPACE,
)
def test_any_object_and_any_state_come_back_exactly(
    body: dict[str, Any], state: Any, indent: int | None, is_ascii: bool, before: str, after: str
) -> None:
    text = before + json.dumps(body, indent=indent, ensure_ascii=is_ascii) + after
    written = json.dumps(state, ensure_ascii=is_ascii)

    copy = copy_of(message(text), attempts=0, state=written)
    back = there_and_back(message(text), written)

    assert (back.body, back.state) == (text, written)
    assert json.loads(copy.body) == {**body, CHECKPOINT_ATTRIBUTE: state}


@pytest.mark.parametrize("body", ["{}", "{ \n}", '{"a":"}"}', '{"forebay.checkpoint":{"x":1}}', '{"a":{}}\n'])
def test_a_state_replaces_the_one_before_it(body: str) -> None:
    first = there_and_back(message(body), '{"at":"}"}')

    second = there_and_back(first, "[2]")

    assert (second.body, second.state) == (body, "[2]")


def test_a_copy_keeps_what_is_the_producers() -> None:
    own = MessageAttribute("String", "mine")

    copy = copy_of(message(attributes={"job": own}), attempts=3, state=None, delay_s=4)

    assert (copy.body, copy.delay_s, copy.group, copy.trace_header) == ('{"key": 1}', 4, "tenant", "Root=1-a-b")
    assert copy.attributes == {
        "job": own,
        ATTEMPT_ATTRIBUTE: MessageAttribute("Number", "3"),
        FIRST_SENT_ATTRIBUTE: MessageAttribute("Number", "1000"),
    }


def test_the_first_send_and_the_attempts_survive_every_copy() -> None:
    once = there_and_back(message(), "1", attempts=1)
    twice = there_and_back(once, "2", attempts=2)

    assert (twice.attempts_before, twice.first_sent_at_ms, twice.sent_at_ms) == (2, 1_000, 2_000)
    assert there_and_back(twice, None).state is None, "no state is sent where there is none"


@pytest.mark.parametrize("value", ["", "-1", "1.5", "9" * 16, "one", b"1"])
def test_a_count_that_is_none_counts_as_absent(value: str | bytes) -> None:
    odd = MessageAttribute("Number", value)

    came = message(attributes={ATTEMPT_ATTRIBUTE: odd, FIRST_SENT_ATTRIBUTE: odd})

    assert came.attempts_before == 0
    assert came.first_sent_at_ms == 1_000


def test_what_does_not_fit_together_is_no_state() -> None:
    copy = copy_of(message('{"a":1}'), attempts=0, state='{"page":3}')
    cut = copy.attributes[CHECKPOINT_ATTRIBUTE]
    rewritten = json.dumps(json.loads(copy.body), indent=1)

    for body, attribute in [
        (rewritten, cut),
        (copy.body, NUMBER),
        (copy.body, MessageAttribute("Number", "-1")),
        (copy.body, MessageAttribute("Number", "9" * 30)),
        (copy.body, MessageAttribute("Binary", b"6")),
        ("", cut),
        ("}", MessageAttribute("Number", "0")),
        ('{,"forebay.checkpoint":1}', MessageAttribute("Number", "1")),
        ('{"a":1"forebay.checkpoint":1}', cut),
        ('{"a":1,"forebay.checkpoint":}', cut),
        (copy.body.replace("}", ""), cut),
    ]:
        assert restored(message(body, {CHECKPOINT_ATTRIBUTE: attribute})) is None, body


@pytest.mark.parametrize(
    ("body", "source", "attributes", "words"),
    [
        ("[1]", "q", 0, "no JSON object"),
        ("plain text", "q", 0, "no JSON object"),
        ("{a}", "q", 0, "no JSON object"),
        ("[" * 100_000, "q", 0, "no JSON object"),
        ("{}", "https://sqs/1/orders.fifo", 0, "FIFO"),
        ("{}", "q", 9, "ten are needed"),
    ],
)
def test_what_stands_in_the_way_of_any_state_is_said(body: str, source: str, attributes: int, words: str) -> None:
    own = {f"own-{number}": NUMBER for number in range(attributes)}

    found = obstacle(Message(source, "id", "receipt", body, attributes=own))

    assert found is not None
    assert words in found


def test_a_message_with_eight_attributes_of_its_own_carries_state_and_count_but_no_date() -> None:
    one = message(attributes={f"own-{number}": NUMBER for number in range(8)})

    copy = copy_of(one, attempts=2, state="1")

    assert obstacle(one) is None
    assert problem(copy) is None
    assert {CHECKPOINT_ATTRIBUTE, ATTEMPT_ATTRIBUTE} < set(copy.attributes)
    assert FIRST_SENT_ATTRIBUTE not in copy.attributes


def test_the_room_for_a_state_is_what_sqs_leaves_to_the_byte() -> None:
    one = message(json.dumps({"text": "é" * 1_000}, ensure_ascii=False))
    room = room_bytes(one, attempts=4)

    full = copy_of(one, attempts=4, state=f'"{"x" * (room - 2)}"')
    over = copy_of(one, attempts=4, state=f'"{"x" * (room - 1)}"')

    assert size_bytes(full) == BODY_MAX_BYTES
    assert problem(full) is None
    assert problem(over) is not None


def test_a_buried_copy_has_its_state_inside_and_all_its_attempts_again() -> None:
    came = there_and_back(message(), '{"page":3}', attempts=4)

    copy = buried_copy(came, '{"reason":"failed"}', is_fifo=False)
    back = restored(delivered(copy))

    assert copy.body == as_sent(came)
    assert ERROR_ATTRIBUTE in copy.attributes
    assert back is not None
    assert (back.body, back.state, back.attempts_before) == ('{"key": 1}', '{"page":3}', 0)


def test_the_example_of_the_page_is_what_is_sent() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "wire-format.md").read_text(encoding="utf-8")

    copy = copy_of(message('{"pages": 300}'), attempts=0, state='{"page":90}')

    assert f"```\n{copy.body}\n```" in page
    cut = copy.attributes[CHECKPOINT_ATTRIBUTE].value
    assert isinstance(cut, str)
    assert f"`forebay.checkpoint` = {cut}:" in page
