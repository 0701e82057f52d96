"""Which handler a message goes to: by attribute, by what its body says, to the default one, or to nobody."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import JobError
from forebay.handlers.registry import DEFAULT, Handler, Registry, Unroutable
from forebay.handlers.routing import EXAMINED_MAX, texts_of
from forebay.model import Message, MessageAttribute

CANARY = "canary-7f3a"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["type", "Type"]), inner),
    max_leaves=8,
)


def handler(name: str, **settings: Any) -> Handler:
    return Handler(name, "thread", lambda attempt: None, 60.0, **settings)


def message(body: str = "{}", *, job: MessageAttribute | None = None) -> Message:
    return Message("queue", "message-1", "receipt", body, attributes={} if job is None else {"job": job})


def named(job: str, body: str = "{}") -> Message:
    return message(body, job=MessageAttribute("String", job))


def routed(registry: Registry, one: Message) -> str:
    """Return the name of the handler, or the reason why there is none."""
    found = registry.route(one)
    return found.reason if isinstance(found, Unroutable) else found.name


def sns(subject: str) -> str:
    return json.dumps({"Type": "Notification", "Subject": subject, "Message": "{}"})


SHIP = handler("ship", aliases=("send", "post"), subject="order placed", detail_type="Order Placed")
PAY = handler("pay")
ALL = Registry([SHIP, PAY], default=handler(DEFAULT), job_field="type")


@pytest.mark.parametrize("name", ["ship", "send", "post"])
def test_a_job_is_found_by_its_name_and_by_its_former_names(name: str) -> None:
    assert routed(ALL, named(name)) == "ship"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"type": "pay"}', "pay"),
        ('{"type": "send"}', "ship"),
        (' {"a": [1, {"type": "x"}], "type"\n: "pay", "cents": 5}', "pay"),
        ('{"\\u0074ype": "pay"}', "pay"),
        ('{"type": "refund"}', DEFAULT),
        ('{"type": 5}', DEFAULT),
        ('{"inner": {"type": "pay"}}', DEFAULT),
        ('["type", "pay"]', DEFAULT),
        ("pay", DEFAULT),
        ("", DEFAULT),
        (sns("order placed"), "ship"),
        (sns("order cancelled"), DEFAULT),
        ('{"Subject": "order placed"}', DEFAULT),
        ('{"Type": "SubscriptionConfirmation", "Subject": "order placed"}', DEFAULT),
        ('{"detail-type": "Order Placed", "detail": {}}', "ship"),
        ('{"detail-type": "Order Cancelled", "detail": {}}', DEFAULT),
        ('{"Type": "Notification", "Subject": "order placed", "type": "pay"}', "pay"),
        ('{"detail-type": "Order Placed", "type": "refund"}', "ship"),
    ],
)
def test_without_the_attribute_the_body_leads_to_the_job(body: str, expected: str) -> None:
    assert routed(ALL, message(body)) == expected


def test_the_attribute_goes_before_the_body_and_before_the_default_handler() -> None:
    assert routed(ALL, named("ship", '{"type": "pay"}')) == "ship"
    assert routed(ALL, named("refund", '{"type": "pay"}')) == "no job named 'refund' is declared here"


def test_a_binary_attribute_names_no_job() -> None:
    assert routed(ALL, message('{"type": "pay"}', job=MessageAttribute("Binary", b"ship"))) == "pay"


def test_a_body_is_not_looked_at_when_nothing_of_it_is_declared() -> None:
    plain = Registry([PAY], default=handler(DEFAULT))

    for body in ('{"type": "pay"}', sns("order placed"), '{"detail-type": "Order Placed"}'):
        assert routed(plain, message(body)) == DEFAULT


def test_a_message_that_leads_nowhere_is_told_by_what_was_looked_at_and_never_by_its_values() -> None:
    registry = Registry([SHIP], job_field="type")

    reason = routed(registry, message(json.dumps({"type": CANARY, "Subject": CANARY})))

    assert reason == (
        "the message names no job (attribute 'job', nor does 'type', 'Type', 'Subject', 'detail-type' of the body lead "
        "to one) and there is no default handler"
    )
    assert routed(Registry([PAY]), message()) == (
        "the message names no job (attribute 'job') and there is no default handler"
    )


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (handler("ship"), "name 'ship'"),
        (handler("post"), "name 'post'"),
        (handler("other", aliases=("ship",)), "name 'ship'"),
        (handler("other", subject="order placed"), "subject 'order placed'"),
        (handler("other", detail_type="Order Placed"), "detail_type 'Order Placed'"),
        (handler("other", aliases=("other",)), "name 'other'"),
    ],
)
def test_nothing_leads_to_two_jobs(other: Handler, told: str) -> None:
    with pytest.raises(JobError, match=told):
        Registry([SHIP, other])


def test_handlers_are_listed_once_however_many_names_they_have() -> None:
    assert [one.name for one in ALL] == ["ship", "pay", DEFAULT]
    with pytest.raises(KeyError):
        ALL["send"]


@given(st.dictionaries(st.text(), JSON), st.lists(st.sampled_from(["type", "Type", "other", ""])))
def test_the_texts_of_an_object_are_those_that_the_whole_parser_finds(
    whole: dict[str, Any], names: Collection[str]
) -> None:
    for body in (json.dumps(whole), json.dumps(whole, indent=2, ensure_ascii=False)):
        expected = {name: value for name, value in whole.items() if name in names and isinstance(value, str)}

        assert texts_of(body, names) == expected


@given(st.text())
def test_any_text_says_something_or_nothing(body: str) -> None:
    assert texts_of(body, ["type"]) == {} or '"' in body


@pytest.mark.parametrize(
    "body",
    [
        '{"a":' * 100_000,
        '{"a": ' + "[" * 100_000,
        '{"' + "\\" * 200_001,
        '{"a": 1,' * 50_000,
        '{"a": "' + "x" * 1_000_000 + '", "type": "pay"}',
    ],
)
def test_a_body_made_to_hurt_falls_through(body: str) -> None:
    assert texts_of(body, ["type"]) == {}


def test_what_stands_in_front_of_a_large_part_is_found() -> None:
    body = json.dumps({"type": "pay", "detail-type": "Order", "detail": "x" * EXAMINED_MAX})

    assert texts_of(body, ["type", "detail-type", "Subject"]) == {"type": "pay", "detail-type": "Order"}
