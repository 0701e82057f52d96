"""Checkpoints as a handler meets them: what can be said, what comes back, and how the call ends an attempt."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.api.calling import CANARY, attempt, message

from forebay import Context, JobError
from forebay.handlers.failure import GoingOn
from forebay.model import ATTEMPT_ATTRIBUTE, FIRST_SENT_ATTRIBUTE, Attempt, Message, MessageAttribute
from forebay.queue.port import BODY_MAX_BYTES


class Given(Context):
    """A context whose signals the test can see and raise."""

    def __init__(self, one: Attempt) -> None:
        super().__init__(one)
        self.signals = one.signals


def context(body: str = '{"key": "a.png"}', *, state: str | None = None, source: str = "queue") -> Given:
    return Given(attempt(Message(source, "message-1", "receipt", body, receive_count=3, state=state), "sum"))


@dataclass
class Progress:
    page: int
    total: Decimal
    at: datetime


def test_a_first_attempt_starts_from_no_state() -> None:
    assert context().state is None


def test_a_state_comes_back_as_json_gives_it() -> None:
    one = context()

    one.checkpoint(Progress(3, Decimal("1.50"), datetime(2026, 11, 28, tzinfo=UTC)))

    written = one.signals.checkpoint
    assert context(state=written).state == {"page": 3, "total": "1.50", "at": "2026-11-28T00:00:00Z"}


def test_a_state_is_read_once_so_that_it_can_be_worked_on() -> None:
    one = context(state='{"done": []}')

    one.state["done"].append("a")

    assert one.state == {"done": ["a"]}


def test_a_state_that_cannot_be_read_is_none() -> None:
    assert context(state='{"page": ').state is None


def test_a_checkpoint_returns_while_the_attempt_may_go_on() -> None:
    one = context()

    one.checkpoint(1)
    one.checkpoint(2)

    assert one.signals.checkpoint == "2"


@pytest.mark.parametrize("flag", ["stopping", "hand_on"])
def test_a_checkpoint_ends_the_attempt_when_it_had_better_end(flag: str) -> None:
    one = context()
    setattr(one.signals, flag, True)
    assert one.stopping

    with pytest.raises(GoingOn):
        one.checkpoint({"page": 3})

    assert one.signals.checkpoint == '{"page":3}'


def test_an_except_exception_around_the_step_does_not_swallow_it() -> None:
    one = context()
    one.signals.stopping = True
    went: list[str] = []

    def handler() -> None:
        try:
            for page in range(10):
                try:
                    one.checkpoint(page)
                except Exception:  # noqa: BLE001 - what users write around a step
                    went.append("swallowed")
        finally:
            went.append("finally")

    with pytest.raises(GoingOn):
        handler()
    assert went == ["finally"]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (object(), "JSON cannot carry it"),
        ({"lone": "\ud800"}, "JSON cannot carry it"),
        ({CANARY: "\ufffe"}, "U+FFFE, which SQS does not carry"),
        (["x" * BODY_MAX_BYTES], "there is room for"),
        (json.loads("[" * 220 + "]" * 220), "could not be read again"),
        ({CANARY: 10**4_400}, "could not be read again"),
    ],
)
def test_a_state_that_cannot_be_sent_is_an_error_at_the_call_and_never_told(state: object, words: str) -> None:
    one = context()
    one.checkpoint(1)

    with pytest.raises(JobError, match="checkpoint of job 'sum'") as caught:
        one.checkpoint(state)

    assert words in str(caught.value)
    assert CANARY not in str(caught.value)
    assert one.signals.checkpoint == "1", "the checkpoint before it stands"


@pytest.mark.parametrize("body", ["[1, 2]", "12", "plain text"])
def test_a_body_that_is_no_object_can_carry_no_state(body: str) -> None:
    with pytest.raises(JobError, match="no JSON object"):
        context(body).checkpoint(1)


def test_a_fifo_queue_takes_no_checkpoints() -> None:
    with pytest.raises(JobError, match="FIFO"):
        context(source="https://sqs.eu-west-1.amazonaws.com/1/orders.fifo").checkpoint(1)


def test_a_queue_that_takes_smaller_messages_leaves_less_room() -> None:
    plain = attempt(Message("queue", "message-1", "receipt", '{"key": "a.png"}'), "sum")

    with pytest.raises(JobError, match=r"2,002 bytes; there is room for 9\d\d beside"):
        Context(replace(plain, message_max_bytes=1_024)).checkpoint("x" * 2_000)


def test_the_largest_state_is_taken() -> None:
    one = context()
    with pytest.raises(JobError) as caught:
        one.checkpoint("x" * BODY_MAX_BYTES)
    room = int(str(caught.value).split("room for ")[1].split(" ")[0].replace(",", ""))

    one.checkpoint("x" * (room - 2))

    assert len(json.loads(one.signals.checkpoint or "")) == room - 2


def test_the_attempt_is_the_workers_count_where_it_has_one() -> None:
    counted = Attempt(1, "sum", message("{}"), limit_s=60.0, ordinal=7)

    assert Context(counted).attempt == 7
    assert context().attempt == 3, "and SQS's count where it has none"


def test_the_first_send_is_known_to_a_job_that_was_sent_again() -> None:
    again = message(
        "{}",
        attributes={
            ATTEMPT_ATTRIBUTE: MessageAttribute("Number", "2"),
            FIRST_SENT_ATTRIBUTE: MessageAttribute("Number", "1000"),
        },
    )

    assert Context(attempt(again, "sum")).first_sent_at_utc == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert context().first_sent_at_utc is None
