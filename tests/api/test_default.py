"""The default handler: what a body that names no job becomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from tests.api.calling import CANARY, outcome

from forebay import Context, Message, Worker
from forebay.model import SUCCEEDED, Outcome, Rejected

Order = type("Order", (BaseModel,), {"__annotations__": {"number": int}})


def given_to(annotation: Any, body: str) -> tuple[Outcome, list[Any]]:
    """Return how a default handler with one parameter ended, and what it got."""
    worker = Worker("shop")
    got: list[Any] = []

    def handler(value: Any) -> None:
        got.append(value)

    handler.__annotations__["value"] = annotation
    worker.default(handler)
    return outcome(worker, body), got


@given(st.text())
def test_text_comes_verbatim(body: str) -> None:
    assert given_to(str, body) == (SUCCEEDED, [body])


@given(st.text(st.characters(codec="utf-8")))
def test_bytes_come_verbatim_in_utf8(body: str) -> None:
    assert given_to(bytes, body) == (SUCCEEDED, [body.encode()])


def test_a_message_comes_with_all_its_attributes() -> None:
    ended, got = given_to(Message, "anything at all")

    assert ended == SUCCEEDED
    assert isinstance(got[0], Message)
    assert got[0].body == "anything at all"
    assert got[0].receive_count == 3


@pytest.mark.parametrize(
    ("annotation", "body", "expected"),
    [
        (int, "42", 42),
        (list[int], "[1, 2]", [1, 2]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Any, '{"a": [null]}', {"a": [None]}),
        (Order, '{"number": 7}', Order(number=7)),
        (Annotated[str, Field(max_length=5)], "short", "short"),
    ],
)
def test_anything_else_is_a_json_value(annotation: Any, body: str, expected: object) -> None:
    assert given_to(annotation, body) == (SUCCEEDED, [expected])


@pytest.mark.parametrize(
    ("annotation", "body"),
    [
        (int, '"42"'),
        (int, "4.2"),
        (list[int], '["1"]'),
        (bool, "1"),
        (Order, '{"number": "7"}'),
        (Any, "not JSON"),
        (int, CANARY),
        (dict[str, int], f'{{"{CANARY}": "{CANARY}"}}'),
        (Annotated[str, Field(max_length=5)], CANARY),
    ],
)
def test_json_that_does_not_fit_strictly_is_rejected_without_its_values(annotation: Any, body: str) -> None:
    ended, got = given_to(annotation, body)

    assert isinstance(ended, Rejected)
    assert CANARY not in ended.reason
    assert got == []


def test_several_parameters_need_a_json_object() -> None:
    worker = Worker("shop")
    got: list[tuple[str, int]] = []

    @worker.default
    async def handler(key: str, width: int = 320) -> None:
        got.append((key, width))

    assert outcome(worker, '{"key": "a"}') == SUCCEEDED
    assert isinstance(outcome(worker, '["a"]'), Rejected)
    assert isinstance(outcome(worker, '{"key": "a", "width": "12"}'), Rejected), "strict"
    assert got == [("a", 320)]


def test_the_context_is_no_parameter_of_the_body() -> None:
    worker = Worker("shop")
    got: list[tuple[int, str]] = []

    @worker.default
    def handler(ctx: Context, body: str) -> None:
        got.append((ctx.attempt, body))

    assert outcome(worker, "plain") == SUCCEEDED
    assert got == [(3, "plain")]


@pytest.mark.parametrize("body", ["", "{}", "anything"])
def test_a_handler_without_parameters_takes_any_body(body: str) -> None:
    worker = Worker("shop")

    @worker.default
    def handler(ctx: Context) -> None: ...

    assert outcome(worker, body) == SUCCEEDED


@given(st.text())
@pytest.mark.parametrize("annotation", [int, list[str], Any, Order])
def test_any_body_gives_a_value_or_a_rejection(annotation: Any, body: str) -> None:
    ended, got = given_to(annotation, body)

    assert ended == SUCCEEDED or isinstance(ended, Rejected)
    if ended == SUCCEEDED:
        assert got or json.loads(body) is None


def test_the_declared_function_stays_as_it_was() -> None:
    worker = Worker("shop")

    def handler(body: str) -> int:
        return len(body)

    declared: Callable[[str], int] = worker.default(handler)

    assert declared is handler


def test_a_job_can_be_the_default_too_and_belong_to_two_workers() -> None:
    """Its function is what runs: the job itself is a plain callable that would return a coroutine."""
    worker, other = Worker("shop"), Worker("other")
    seen: list[int] = []

    @other.job(name="resize")
    @worker.default
    @worker.job
    async def thumbnail(width: int) -> None:
        seen.append(width)

    assert outcome(worker, '{"width": 1}', job="thumbnail") == SUCCEEDED
    assert outcome(worker, "2") == SUCCEEDED
    assert outcome(other, '{"width": 3}', job="resize") == SUCCEEDED
    assert seen == [1, 2, 3]
