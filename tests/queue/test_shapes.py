"""What we believe of an answer: never a crash, never a lost sibling, never a damaged message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import FaultKind, QueueError
from forebay.model import MessageAttribute
from forebay.queue import shapes
from forebay.queue.attributes import read_attributes, write_attributes
from forebay.queue.codec import decode, decode_forgiving, encode

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["MessageId", "ReceiptHandle", "Body", "MD5OfBody", "Attributes", "MessageAttributes"]
RESULTS = ["Successful", "Failed", "Messages", "Attributes", "QueueUrl"]
WORDS = ["Id", "Code", "Message", "SenderFault", "DataType", "StringValue", "BinaryValue", "SentTimestamp"]


def near_json(*names: str) -> st.SearchStrategy[Any]:
    """Objects with the right keys and anything at all behind them."""
    return st.dictionaries(st.sampled_from([*names, "Other"]), st.one_of(JSON, LISTS), max_size=6)


ENTRIES = st.dictionaries(
    st.sampled_from(WORDS + FIELDS), st.one_of(JSON, st.sampled_from(["0", "1", "9"])), max_size=6
)
LISTS = st.lists(st.one_of(ENTRIES, JSON), max_size=5)


def good(number: int, body: str = "body") -> dict[str, Any]:
    return {
        "MessageId": f"id-{number}",
        "ReceiptHandle": f"receipt-{number}",
        "Body": body,
        "MD5OfBody": hashlib.md5(body.encode()).hexdigest(),
        "Attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1700000000123", "MessageGroupId": "g"},
    }


def test_a_message_is_read_with_its_system_attributes() -> None:
    (message,), damaged = shapes.read_messages({"Messages": [good(1, "ü")]}, source="url")

    assert (message.message_id, message.receipt, message.body, message.source) == ("id-1", "receipt-1", "ü", "url")
    assert (message.receive_count, message.sent_at_ms, message.first_received_at_ms) == (2, 1_700_000_000_123, None)
    assert (message.group, damaged) == ("g", [])


@pytest.mark.parametrize("answer", [{}, {"Messages": None}, {"Messages": []}, {"Other": 1}])
def test_nothing_received_is_no_error(answer: dict[str, object]) -> None:
    assert shapes.read_messages(answer, source="url") == ([], [])


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in good(2).items() if key != name}


@pytest.mark.parametrize(
    ("bad", "message_id"),
    [
        ("a text", ""),
        (None, ""),
        (without("MessageId"), ""),
        (without("ReceiptHandle"), "id-2"),
        ({**good(2), "Body": 7}, "id-2"),
        ({**good(2), "Body": "bod"}, "id-2"),
        ({**good(2), "MD5OfBody": 5}, "id-2"),
        ({**good(2), "MD5OfBody": ""}, "id-2"),
        ({**good(2), "Body": "\ud800"}, "id-2"),
        ({**good(2), "MessageAttributes": [1]}, "id-2"),
        ({**good(2), "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "%%%"}}}, "id-2"),
        ({**good(2), "MessageAttributes": {"a": {"DataType": "String"}}}, "id-2"),
        ({**good(2), "MessageAttributes": {"a": {"StringValue": "v"}}}, "id-2"),
    ],
)
def test_a_damaged_message_is_left_out_and_its_siblings_are_not(bad: object, message_id: str) -> None:
    messages, damaged = shapes.read_messages({"Messages": [good(1), bad, good(3)]}, source="url")

    assert [message.message_id for message in messages] == ["id-1", "id-3"]
    assert [entry.message_id for entry in damaged] == [message_id]


@pytest.mark.parametrize(
    "attributes",
    [
        None,
        5,
        [],
        {},
        {"SentTimestamp": 5},
        {"SentTimestamp": "x"},
        {"SentTimestamp": "9" * 40},
        {"SentTimestamp": "-1"},
    ],
)
def test_system_attributes_that_make_no_sense_are_passed_over(attributes: object) -> None:
    (message,), damaged = shapes.read_messages({"Messages": [{**good(1), "Attributes": attributes}]}, source="url")

    assert (message.receive_count, message.sent_at_ms, damaged) == (1, None, [])


@given(near_json(*RESULTS), st.integers(1, 10))
def test_any_answer_of_a_wrong_shape_is_a_queue_error_at_most(answer: dict[str, Any], count: int) -> None:
    reads: list[Callable[[], object]] = [
        lambda: shapes.read_messages(answer, source="url"),
        lambda: shapes.read_batch(answer, count),
        lambda: shapes.read_sent(answer, count),
        lambda: shapes.read_attributes_map(answer),
        lambda: shapes.read_queue_url(answer),
    ]

    assert all(fault_kind(read) in (None, FaultKind.NO_ANSWER) for read in reads)


def fault_kind(read: Callable[[], object]) -> FaultKind | None:
    try:
        read()
    except QueueError as error:
        return error.fault.kind
    return None


@given(st.lists(st.one_of(ENTRIES, JSON), max_size=6), st.integers(0, 6))
def test_a_good_message_survives_any_neighbours(neighbours: list[Any], place: int) -> None:
    among = [*neighbours[:place], good(1), *neighbours[place:]]

    messages, damaged = shapes.read_messages({"Messages": among}, source="url")

    assert "id-1" in [message.message_id for message in messages]
    assert len(messages) + len(damaged) == len(among)


def test_a_batch_that_went_well_has_no_faults() -> None:
    assert shapes.read_batch({"Successful": [{"Id": "0"}, {"Id": "1"}]}, 2) == {}


def test_each_failed_entry_has_its_own_fault() -> None:
    failed = [
        {"Id": "1", "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": "no"},
        {"Id": "2", "SenderFault": False, "Code": "Strange"},
    ]

    faults = shapes.read_batch({"Successful": [{"Id": "0"}], "Failed": failed}, 3)

    assert {index: fault.kind for index, fault in faults.items()} == {1: FaultKind.LEASE_LOST, 2: FaultKind.UNAVAILABLE}


@pytest.mark.parametrize("answer", [{}, {"Successful": []}, {"Successful": [{"Id": "7"}, {"Id": "8"}]}])
def test_an_entry_that_the_answer_does_not_name_may_or_may_not_have_been_carried_out(answer: dict[str, object]) -> None:
    faults = shapes.read_batch(answer, 2)

    assert [faults[index].kind for index in (0, 1)] == [FaultKind.NO_ANSWER] * 2


def test_sent_messages_come_back_in_order_with_ids_and_faults() -> None:
    answer: dict[str, object] = {
        "Successful": [{"Id": "2", "MessageId": "c"}, {"Id": "0", "MessageId": "a"}],
        "Failed": [{"Id": "1", "SenderFault": True, "Code": "InvalidMessageContents"}],
    }

    first, second, third = shapes.read_sent(answer, 3)

    assert (first.message_id, third.message_id) == ("a", "c")
    assert second.fault is not None
    assert second.fault.kind is FaultKind.REFUSED


ATTRIBUTES = st.dictionaries(
    st.text(min_size=1, max_size=20),
    st.one_of(
        st.builds(MessageAttribute, st.sampled_from(["String", "Number", "Number.int", "String.note"]), st.text()),
        st.builds(MessageAttribute, st.sampled_from(["Binary", "Binary.png"]), st.binary()),
    ),
    max_size=10,
)


@given(ATTRIBUTES)
def test_attributes_survive_the_way_out_and_back(attributes: dict[str, MessageAttribute]) -> None:
    assert read_attributes(json.loads(json.dumps(write_attributes(attributes)))) == attributes


@given(JSON)
def test_both_json_libraries_agree(value: object) -> None:
    try:
        data = encode(value)
    except ValueError:
        return  # a lone surrogate, or a number beyond 64 bits: neither can be part of a request of ours

    assert decode(data) == json.loads(json.dumps(value))
    assert decode_forgiving(data) == decode(data)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_json_are_a_value_error(data: bytes) -> None:
    try:
        decode(data)
    except ValueError:
        return

    json.loads(data.decode("utf-8", "replace"))


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5_000, b'{"Messages":[{"Body":"', b""])
def test_json_made_to_hurt_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


def test_a_broken_byte_in_one_message_costs_only_that_message() -> None:
    whole = json.dumps({"Messages": [good(1), good(2, "BROKEN"), good(3)]}).encode().replace(b"BROKEN", b"\xff\xfe")

    answer = decode(whole)

    assert isinstance(answer, dict)
    messages, damaged = shapes.read_messages(answer, source="url")
    assert [message.message_id for message in messages] == ["id-1", "id-3"]
    assert [entry.message_id for entry in damaged] == ["id-2"]
