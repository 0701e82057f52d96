"""What can be wished for a message, and what SQS cannot do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.calling import CANARY, worker_with_outbox

from forebay import SettingsError
from forebay.api.delivery import Delivery, delay_until
from forebay.model import MessageAttribute

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "wait_s"),
    [
        (NOW + timedelta(minutes=15), 900),
        (NOW + timedelta(seconds=1.2), 2),
        (NOW - timedelta(days=1), 0),
        ((NOW + timedelta(seconds=60)).astimezone(timezone(timedelta(hours=5, minutes=30))), 60),
    ],
)
def test_a_moment_becomes_a_delay_that_is_never_too_short(at: datetime, wait_s: int) -> None:
    assert delay_until(at, now_utc=NOW) == wait_s


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(minutes=15)))
def test_no_job_is_early(until: timedelta) -> None:
    assert until <= timedelta(seconds=delay_until(NOW + until, now_utc=NOW)) < until + timedelta(seconds=1)


def test_a_moment_without_a_time_zone_is_refused_with_what_to_write() -> None:
    with pytest.raises(SettingsError, match=r"no time zone.*datetime\.now\(UTC\)"):
        Delivery.of(at=datetime(2026, 11, 28, 12))  # noqa: DTZ001  (that is the mistake)


def test_a_moment_that_sqs_cannot_wait_for_is_refused_with_who_can() -> None:
    with pytest.raises(SettingsError, match=r"1,000 s away.*EventBridge Scheduler"):
        delay_until(NOW + timedelta(seconds=1000), now_utc=NOW)
    with pytest.raises(SettingsError, match="15 minutes"):
        Delivery.of(at=datetime.now(UTC) + timedelta(hours=1))


def test_a_moment_is_looked_at_again_when_the_message_is_made() -> None:
    """A prepared job may be kept: what is left until the moment shrinks."""
    worker, outbox = worker_with_outbox()

    @worker.job
    def thumbnail() -> None: ...

    thumbnail.options(at=datetime.now(UTC) + timedelta(minutes=10)).enqueue()
    thumbnail.options(at=datetime.now(UTC) - timedelta(minutes=10)).enqueue()

    later, at_once = outbox.messages
    assert 540 < later.delay_s <= 600
    assert at_once.delay_s == 0


def test_two_answers_to_when_are_one_too_many() -> None:
    with pytest.raises(SettingsError, match="one of them"):
        Delivery.of(delay="1s", at=NOW)


def test_attributes_have_the_types_that_sqs_knows() -> None:
    given_ = {"tenant": "x", "size": 3, "ratio": 0.5, "price": Decimal("9.90"), "raw": b"\x00", "own": None}
    own = MessageAttribute("String.colour", "red")

    attributes = Delivery.of(attributes=cast("Any", {**given_, "own": own})).attributes

    assert attributes == {
        "tenant": ("String", "x"),
        "size": ("Number", "3"),
        "ratio": ("Number", "0.5"),
        "price": ("Number", "9.90"),
        "raw": ("Binary", b"\x00"),
        "own": own,
    }


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"job": "x"}, "'job' is Forebay's own"),
        ({"forebay.attempt": 1}, r"'forebay\.attempt' is Forebay's own"),
        ({"urgent": True}, "'urgent' is a bool"),
        ({"tenant": None}, r"'tenant' \(NoneType\)"),
        ({"ratio": float("nan")}, r"'ratio' \(float\).*finite"),
        ({"empty": ""}, "'empty' is empty"),
        ({"a name": "x"}, "name is not one"),
        ({f"a{number}": "x" for number in range(10)}, "10 attributes, and one names the job"),
    ],
)
def test_attributes_that_sqs_would_refuse_are_refused_here(attributes: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Delivery.of(attributes=attributes)


@pytest.mark.parametrize(("wish", "told"), [({"group": "with space"}, "group"), ({"dedupe": "x" * 129}, "dedupe")])
def test_groups_and_deduplication_ids_that_sqs_would_refuse_are_refused_here(wish: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Delivery.of(**wish)


def test_a_wish_that_nobody_knows_is_named() -> None:
    with pytest.raises(TypeError, match="'priority'; there are delay, at"):
        Delivery.of(**cast("Any", {"priority": 1}))


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"at": "2026-11-28T12:00:00Z"}, "at is of type str: write a datetime"),
        ({"at": datetime(2026, 11, 28, tzinfo=UTC).date()}, "at is of type date: write a datetime"),
        ({"group": 5}, "group is of type int: write text"),
        ({"dedupe": 5}, "dedupe is of type int: write text"),
        ({"attributes": ["tenant"]}, "attributes is of type list: write a dict"),
        ({"attributes": {5: "x"}}, "the attribute 5 has no name"),
    ],
)
def test_a_wish_of_another_type_is_refused_in_words(wish: dict[str, Any], told: str) -> None:
    """Not every producer is seen by a type checker."""
    with pytest.raises(SettingsError, match=told):
        Delivery.of(**wish)


def test_attributes_are_in_no_repr() -> None:
    assert CANARY not in repr(Delivery.of(attributes={"tenant": CANARY}))
