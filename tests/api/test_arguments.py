"""Arguments over the wire and back, and bodies of every kind: the handler gets valid arguments or nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, SecretStr
from pydantic_core import PydanticCustomError
from tests.api.calling import CANARY, message, outcome, worker_with_outbox
from typing_extensions import TypedDict

from forebay import JobError, Worker
from forebay.model import SUCCEEDED, Rejected

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["key", "width"]), inner),
    max_leaves=8,
)
TEXT = st.text(st.characters(codec="utf-8"))


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Size(BaseModel):
    width: int
    height: int = 1


@dataclass
class Point:
    x: float
    y: float


class Named(TypedDict):
    name: str


def sent_and_received(**arguments: Any) -> dict[str, Any]:
    """Enqueue a job with one parameter of each kind, and return what its handler got."""
    worker, outbox = worker_with_outbox()
    got: dict[str, Any] = {}

    @worker.job
    def every(
        *,
        text: str = "",
        number: int = 0,
        share: float = 0.0,
        exact: Decimal = Decimal(0),
        raw: bytes = b"",
        at: datetime | None = None,
        day: date | None = None,
        hour: time | None = None,
        length: timedelta | None = None,
        key: UUID | None = None,
        colour: Colour | None = None,
        size: Size | None = None,
        point: Point | None = None,
        named: Named | None = None,
        several: list[Size] = [],  # noqa: B006
        chosen: set[int] = set(),  # noqa: B006
        table: dict[str, int] = {},  # noqa: B006
    ) -> None:
        got.update(locals())

    every.enqueue(**arguments)
    assert outcome(worker, outbox.messages[-1].body, job="every") == SUCCEEDED
    return {name: got[name] for name in arguments}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "text": TEXT,
            "number": st.integers(),
            "share": st.floats(allow_nan=False),
            "exact": st.decimals(allow_nan=False, allow_infinity=False),
            "raw": st.binary(),
            "at": st.datetimes(timezones=st.none() | st.just(UTC)),
            "day": st.dates(),
            "hour": st.times(),
            "length": st.timedeltas(timedelta(days=-1_000), timedelta(days=1_000)),
            "key": st.uuids(),
            "colour": st.sampled_from(Colour),
            "size": st.builds(Size, width=st.integers(), height=st.integers()),
            "point": st.builds(
                Point,
                x=st.floats(allow_nan=False, allow_infinity=False),
                y=st.floats(allow_nan=False, allow_infinity=False),
            ),
            "named": st.fixed_dictionaries({"name": TEXT}),
            "several": st.lists(st.builds(Size, width=st.integers())),
            "chosen": st.sets(st.integers()),
            "table": st.dictionaries(TEXT, st.integers()),
        },
    )
)
def test_every_kind_of_argument_arrives_as_it_was_sent(arguments: dict[str, Any]) -> None:
    assert sent_and_received(**arguments) == arguments


def test_the_body_is_a_plain_json_object_of_what_was_given() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def thumbnail(key: str, width: int = 320) -> None: ...

    thumbnail.enqueue("ä.png")

    assert json.loads(outbox.messages[0].body) == {"key": "ä.png"}, "defaults are the worker's own"
    assert outbox.messages[0].attributes == {"job": ("String", "thumbnail")}


def test_characters_that_sqs_refuses_are_escaped() -> None:
    assert sent_and_received(text="a\x00b\ufffec\uffff") == {"text": "a\x00b\ufffec\uffff"}


@given(JSON | st.text(), st.sampled_from(["thumbnail", "nothing"]))
def test_any_json_gives_valid_arguments_or_a_rejection(value: Any, job: str) -> None:
    worker = Worker("shop")
    got: list[tuple[object, object]] = []

    @worker.job
    def thumbnail(key: str, width: int = 320) -> None:
        got.append((key, width))

    @worker.job
    def nothing() -> None: ...

    ended = outcome(worker, json.dumps(value), job=job)

    assert isinstance(ended, Rejected) or ended == SUCCEEDED
    assert all(isinstance(key, str) and isinstance(width, int) for key, width in got)


@given(st.text())
def test_any_text_gives_valid_arguments_or_a_rejection(body: str) -> None:
    worker = Worker("shop")

    @worker.job
    def thumbnail(key: str) -> None: ...

    assert isinstance(outcome(worker, body, job="thumbnail"), Rejected)


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, '"\ud800', "", "NaN", '{"key": "a"', "\x00"])
@pytest.mark.parametrize("job", ["thumbnail", "nothing"])
def test_hostile_bodies_are_rejected(body: str, job: str) -> None:
    worker = Worker("shop")

    @worker.job
    def thumbnail(key: str = "") -> None: ...

    @worker.job
    def nothing() -> None: ...

    assert isinstance(outcome(worker, body, job=job), Rejected)


def test_what_is_missing_and_what_is_wrong_is_told_by_name() -> None:
    worker = Worker("shop")

    @worker.job
    def thumbnail(key: str, sizes: list[Size], mode: Literal["fit", "fill"] = "fit") -> None: ...

    body = '{"sizes": [{"width": 1}, {"width": "x"}], "mode": "y"}'

    assert outcome(worker, body, job="thumbnail") == Rejected(
        "key: Field required; "
        "sizes[1].width: Input should be a valid integer, unable to parse string as an integer; "
        "mode: Input should be 'fit' or 'fill'"
    )


def test_fields_that_a_job_does_not_know_are_passed_over() -> None:
    worker = Worker("shop")

    @worker.job
    def thumbnail(key: str) -> None: ...

    assert outcome(worker, '{"key": "a", "since_next_version": true}', job="thumbnail") == SUCCEEDED


def _refuse(value: str) -> str:
    raise ValueError(f"{value} is not to my liking")


def _refuse_in_its_own_words(value: str) -> str:
    raise PydanticCustomError("picky", "{value} is not to my liking", {"value": value})


def _assert(value: str) -> str:
    assert not value, value
    return value


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


Validated = Annotated[str, AfterValidator(_refuse)]
Picky = Annotated[str, AfterValidator(_refuse_in_its_own_words)]
Asserted = Annotated[str, AfterValidator(_assert)]
Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, CANARY),
        (str, [CANARY]),
        (bytes, CANARY + "!"),
        (datetime, CANARY),
        (date, CANARY),
        (time, CANARY),
        (timedelta, CANARY),
        (UUID, CANARY),
        (Decimal, CANARY),
        (Colour, CANARY),
        (Literal["a", "b"], CANARY),
        (SecretStr, [CANARY]),
        (Size, {"width": CANARY}),
        (Size, {CANARY: 1}),
        (Point, {CANARY: 1}),
        (dict[str, int], {CANARY: "x"}),
        (dict[int, int], {CANARY: 1}),
        (dict[str, dict[str, int]], {CANARY: {CANARY: "x"}}),
        (int | Size, {CANARY: CANARY}),
        (Pet, {"kind": CANARY}),
        (Validated, CANARY),
        (Picky, CANARY),
        (Asserted, CANARY),
        (Annotated[str, Field(max_length=3)], CANARY),
        (Annotated[str, Field(pattern="^a+$")], CANARY),
    ],
    ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", str(value)),  # the same name in every process and run
)
def test_no_value_is_told_by_a_rejection_or_an_error(annotation: Any, value: object) -> None:
    worker, _ = worker_with_outbox()

    def job(field: Any) -> None: ...

    job.__annotations__["field"] = annotation
    declared = worker.job(name="job")(job)

    ended = outcome(worker, json.dumps({"field": value}), job="job")
    with pytest.raises(JobError) as sent:
        declared.enqueue(field=value)

    assert isinstance(ended, Rejected)
    assert ended.reason.startswith("field")
    assert CANARY not in ended.reason
    assert CANARY not in str(sent.value)
    assert sent.value.__cause__ is None
    assert sent.value.__suppress_context__, "pydantic's own error stays out of tracebacks"


def test_the_reason_is_bounded_however_much_is_wrong() -> None:
    worker = Worker("shop")

    @worker.job
    def total(numbers: list[int]) -> None: ...

    ended = outcome(worker, json.dumps({"numbers": ["x"] * 10_000}), job="total")

    assert isinstance(ended, Rejected)
    assert len(ended.reason) <= 1_000
    assert "more" in ended.reason


def test_secrets_that_pydantic_would_mask_are_not_sent_as_asterisks() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def login(password: SecretStr) -> None: ...

    with pytest.raises(JobError, match="masks SecretStr") as error:
        login.enqueue(password=SecretStr(CANARY))
    assert CANARY not in str(error.value)
    assert outbox.messages == []


def test_ten_asterisks_are_a_text_like_any_other() -> None:
    assert sent_and_received(text="**********") == {"text": "**********"}


def test_types_that_cannot_be_validated_are_an_error_of_the_declaration() -> None:
    worker = Worker("shop")

    class Opaque:
        pass

    @worker.job
    def job(value: Opaque) -> None: ...

    with pytest.raises(JobError, match="'job'"):
        assert worker.registry


def test_a_field_as_a_default_is_refused_with_what_to_write() -> None:
    worker = Worker("shop")

    @worker.job
    def job(width: int = Field(default=320, ge=1)) -> None: ...

    with pytest.raises(JobError, match="Annotated"):
        assert worker.registry


def test_a_body_is_not_read_before_the_handler_is_called() -> None:
    """Routing happens on the control loop, reading where the handler runs."""
    worker = Worker("shop")

    @worker.job
    def thumbnail(key: str) -> None: ...

    routed = worker.registry.route(message("not JSON at all", job="thumbnail"))

    assert getattr(routed, "name", None) == "thumbnail"
