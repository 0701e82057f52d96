"""Envelopes of AWS as parameters, and jobs that are found by what an envelope says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.api.calling import CANARY, message, outcome, worker_with_outbox

from forebay import EventBridgeEvent, JobError, S3Event, SnsNotification, Worker
from forebay.handlers.failure import outcome_of
from forebay.handlers.registry import Handler
from forebay.model import SUCCEEDED, Attempt, MessageAttribute, Outcome, Rejected


class Order(BaseModel):
    number: int
    at: datetime | None = None


@dataclass
class Paid:
    cents: int


def sns(text: str, **more: Any) -> str:
    """A notification as SNS writes it into a body (facts/sqs.md section 7)."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:orders",
            "Subject": "order placed",
            "Message": text,
            "Timestamp": "2026-11-23T14:13:33.343Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/cert.pem",
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
            **more,
        }
    )


def event(detail: object, **more: Any) -> str:
    """An event as EventBridge puts it on a queue."""
    return json.dumps(
        {
            "version": "0",
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "detail-type": "Order Placed",
            "source": "shop.orders",
            "account": "123456789012",
            "time": "2026-11-23T14:13:33Z",
            "region": "eu-west-1",
            "resources": ["arn:aws:example"],
            "detail": detail,
            **more,
        }
    )


def s3(*keys: str, **thing: Any) -> str:
    """A notification of S3, with one record for each key."""
    return json.dumps({"Records": [s3_record(key, **thing) for key in keys]})


def s3_record(key: str, **thing: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-11-23T14:13:33.343Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "EXAMPLE"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "all",
            "bucket": {"name": "pictures", "arn": "arn:aws:s3:::pictures"},
            "object": {"key": key, "sequencer": "0055AED6DCD90281E5", **thing},
        },
    }


S3_TEST = json.dumps(
    {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-11-23T14:13:33.343Z",
        "Bucket": "pictures",
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
    }
)


def given_to_default(annotation: Any, body: str) -> tuple[Outcome, list[Any]]:
    worker = Worker("shop")
    got: list[Any] = []

    def handler(value: Any) -> None:
        got.append(value)

    handler.__annotations__["value"] = annotation
    worker.default(handler)
    return outcome(worker, body), got


def routed(worker: Worker, body: str) -> Outcome:
    """Route a message without attributes and run its handler, as a worker does."""
    one = message(body)
    handler = worker.registry.route(one)
    assert isinstance(handler, Handler), handler
    try:
        handler.call(Attempt(1, handler.name, one, limit_s=60.0))
    except BaseException as error:  # noqa: BLE001 - an executor takes whatever comes
        return outcome_of(error)
    return SUCCEEDED


def test_a_notification_comes_with_its_message_validated() -> None:
    attributes = {"kind": {"Type": "String", "Value": "gift"}}
    body = sns('{"number": 7, "at": "2026-11-23T14:00:00Z"}', MessageAttributes=attributes, SequenceNumber="10")

    ended, [got] = given_to_default(SnsNotification[Order], body)

    assert ended == SUCCEEDED
    assert got == SnsNotification(
        message=Order(number=7, at=datetime(2026, 11, 23, 14, tzinfo=UTC)),
        message_id="22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        topic_arn="arn:aws:sns:eu-west-1:123456789012:orders",
        timestamp=datetime(2026, 11, 23, 14, 13, 33, 343_000, tzinfo=UTC),
        subject="order placed",
        sequence_number="10",
        attributes={"kind": MessageAttribute("String", "gift")},
    )


@given(st.text(st.characters(codec="utf-8")))
def test_text_in_a_notification_comes_verbatim(text: str) -> None:
    for annotation, expected in ((SnsNotification[str], text), (SnsNotification, text), (SnsNotification[Any], text)):
        body = sns(json.dumps(text) if annotation is SnsNotification[Any] else text)
        ended, got = given_to_default(annotation, body)

        assert ended == SUCCEEDED
        assert got[0].message == expected


def test_a_notification_without_a_subject_has_none() -> None:
    whole = json.loads(sns("hello"))
    del whole["Subject"]

    ended, [got] = given_to_default(SnsNotification[str], json.dumps(whole))

    assert (ended, got.subject, got.attributes) == (SUCCEEDED, None, {})


def test_an_event_comes_with_its_detail_validated() -> None:
    ended, [got] = given_to_default(EventBridgeEvent[Paid], event({"cents": 250}))

    assert ended == SUCCEEDED
    assert got == EventBridgeEvent(
        detail=Paid(250),
        detail_type="Order Placed",
        source="shop.orders",
        id="17793124-05d4-b198-2fde-7ededc63b103",
        time=datetime(2026, 11, 23, 14, 13, 33, tzinfo=UTC),
        account="123456789012",
        region="eu-west-1",
        resources=("arn:aws:example",),
    )


def test_s3_keys_are_decoded_and_each_record_is_there() -> None:
    body = s3("a+b/c%2Bd%20%C3%A9.png", "plain", size=1024, eTag="d41d8cd98f00b204e9800998ecf8427e", versionId="v1")

    ended, [got] = given_to_default(S3Event, body)

    assert ended == SUCCEEDED
    first, second = got.records
    assert (first.bucket, first.key, first.size, first.version_id) == ("pictures", "a b/c+d é.png", 1024, "v1")
    assert (first.event_name, first.region, first.sequencer) == (
        "ObjectCreated:Put",
        "eu-west-1",
        "0055AED6DCD90281E5",
    )
    assert first.time == datetime(2026, 11, 23, 14, 13, 33, 343_000, tzinfo=UTC)
    assert second.key == "plain"


def test_a_deletion_in_s3_has_no_size() -> None:
    ended, [got] = given_to_default(S3Event, s3("gone"))

    assert ended == SUCCEEDED
    assert (got.records[0].size, got.records[0].etag, got.records[0].version_id) == (None, None, None)


@pytest.mark.parametrize(
    ("annotation", "body"),
    [
        (S3Event, S3_TEST),
        (SnsNotification[S3Event], sns(S3_TEST)),
        (EventBridgeEvent[SnsNotification[S3Event]], event(json.loads(sns(S3_TEST)))),
        (SnsNotification[S3Event] | S3Event, S3_TEST),
    ],
)
def test_the_test_event_of_s3_succeeds_without_the_handler(annotation: Any, body: str) -> None:
    assert given_to_default(annotation, body) == (SUCCEEDED, [])


def test_s3_through_sns_is_read_through_both_envelopes() -> None:
    ended, [got] = given_to_default(SnsNotification[S3Event], sns(s3("a+b", size=1)))

    assert ended == SUCCEEDED
    assert got.message.records[0].key == "a b"


@pytest.mark.parametrize(
    ("annotation", "body", "told"),
    [
        (SnsNotification[Order], sns("{}"), "Message.number: Field required"),
        (SnsNotification[Order], sns(CANARY), "Message: is not valid JSON"),
        (SnsNotification[Order], f'{{"number": "{CANARY}"}}', "Type: Field required"),
        (SnsNotification[str], sns(CANARY, Type="SubscriptionConfirmation"), "Type: Input should be 'Notification'"),
        (SnsNotification[str], sns("a", Timestamp=CANARY), "Timestamp: should be a valid date and time"),
        (EventBridgeEvent[Paid], event({"cents": CANARY}), "detail.cents: Input should be a valid integer"),
        (EventBridgeEvent[Paid], event({CANARY: 1}), "detail.cents: Field required"),
        (S3Event, s3("%C3"), "Records[0].s3.object.key: was refused by its validator"),
        (S3Event, s3("a", size=CANARY), "Records[0].s3.object.size: Input should be a valid integer"),
        (S3Event, '{"Event": "s3:Other"}', "the body: should have Records, as an event of S3 has"),
        (S3Event, CANARY, "the body: is not valid JSON"),
        (SnsNotification[S3Event], sns("{}"), "Message: should have Records, as an event of S3 has"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place_inside_of_the_envelope(annotation: Any, body: str, told: str) -> None:
    ended, got = given_to_default(annotation, body)

    assert isinstance(ended, Rejected)
    assert told in ended.reason
    assert CANARY not in ended.reason
    assert got == []


@given(st.text())
@pytest.mark.parametrize("annotation", [SnsNotification[Order], EventBridgeEvent[Any], S3Event])
def test_any_other_body_is_a_rejection(annotation: Any, body: str) -> None:
    ended, got = given_to_default(annotation, body)

    assert isinstance(ended, Rejected)
    assert got == []


def test_a_job_is_found_by_the_subject_and_reads_its_arguments_from_the_message() -> None:
    worker = Worker("shop")
    got: list[object] = []

    @worker.job(subject="order placed")
    def ship(number: int, at: datetime | None = None) -> None:
        got.append((number, at))

    assert routed(worker, sns('{"number": 7, "more": 1}')) == SUCCEEDED
    assert outcome(worker, '{"number": 8}', job="ship") == SUCCEEDED, "by name it has them in the body"
    assert got == [(7, None), (8, None)]
    assert routed(worker, sns("{}")) == Rejected("Message.number: Field required")


def test_a_job_is_found_by_the_detail_type_and_reads_its_arguments_from_the_detail() -> None:
    worker = Worker("shop")
    got: list[int] = []

    @worker.job(detail_type="Order Placed")
    def ship(number: int) -> None:
        got.append(number)

    assert routed(worker, event({"number": 7})) == SUCCEEDED
    assert got == [7]
    assert routed(worker, event({"number": "x"})) == Rejected(
        "detail.number: Input should be a valid integer, unable to parse string as an integer"
    )


def test_one_job_can_be_reached_by_name_by_subject_and_by_detail_type() -> None:
    worker = Worker("shop")
    got: list[int] = []

    @worker.job(subject="order placed", detail_type="Order Placed")
    def ship(number: int) -> None:
        got.append(number)

    assert routed(worker, sns('{"number": 1}')) == SUCCEEDED
    assert routed(worker, event({"number": 2})) == SUCCEEDED
    assert outcome(worker, '{"number": 3}', job="ship") == SUCCEEDED
    assert got == [1, 2, 3]


def test_a_job_found_by_its_envelope_may_take_the_envelope() -> None:
    worker = Worker("shop")
    got: list[object] = []

    @worker.job(subject="order placed")
    def noted(notification: SnsNotification[str]) -> None:
        got.append(notification.message)

    @worker.job(detail_type="Order Placed")
    def shipped(event: EventBridgeEvent[Order]) -> None:
        got.append(event.detail.number)

    assert routed(worker, sns("hello")) == SUCCEEDED
    assert routed(worker, event({"number": 7})) == SUCCEEDED
    assert outcome(worker, sns("by name"), job="noted") == SUCCEEDED
    assert got == ["hello", 7, "by name"]


def test_a_job_without_parameters_can_be_found_by_any_message_of_its_subject() -> None:
    worker = Worker("shop")
    got: list[str] = []

    @worker.job(subject="order placed")
    def wake() -> None:
        got.append("awake")

    assert routed(worker, sns("not even JSON")) == SUCCEEDED
    assert got == ["awake"]


def test_unknown_fields_are_refused_inside_of_an_envelope_too() -> None:
    worker = Worker("shop")

    @worker.job(subject="order placed", detail_type="Order Placed", unknown="reject")
    def ship(number: int) -> None: ...

    assert routed(worker, sns(f'{{"number": 7, "colour": "{CANARY}"}}')) == Rejected(
        "Message.colour: Extra inputs are not permitted"
    )
    assert routed(worker, event({"number": 7, "colour": CANARY})) == Rejected(
        "detail.colour: Extra inputs are not permitted"
    )


def test_an_envelope_is_alone_in_the_body() -> None:
    worker = Worker("shop")

    @worker.job
    def ship(event: S3Event, number: int) -> None: ...

    with pytest.raises(JobError, match=r"'ship'.*'event' takes the whole body.*only parameter"):
        assert worker.registry


def test_a_job_that_takes_an_envelope_cannot_be_enqueued() -> None:
    worker, outbox = worker_with_outbox()

    @worker.job
    def ship(event: S3Event) -> None: ...

    with pytest.raises(JobError, match=r"'ship' cannot be sent.*'event' is an envelope"):
        ship.enqueue(S3Event(()))
    assert outbox.messages == []


def test_what_others_have_sent_is_in_no_repr() -> None:
    [notification] = given_to_default(SnsNotification[str], sns(CANARY, Subject=CANARY))[1]
    [happened] = given_to_default(EventBridgeEvent[Any], event({"a": CANARY}))[1]
    [stored] = given_to_default(S3Event, s3(CANARY))[1]

    assert CANARY in notification.message
    assert CANARY not in f"{notification!r} {happened!r} {stored!r}"


def test_envelopes_that_only_type_checkers_know_are_ours() -> None:
    worker = Worker("shop")
    scope: dict[str, Any] = {"worker": worker, "got": []}
    exec(
        "from __future__ import annotations\n"
        "@worker.default\n"
        "def handler(event: SnsNotification[S3Event]) -> None: got.append(event)\n",
        scope,
    )

    assert outcome(worker, sns(s3("a"))) == SUCCEEDED
    assert len(scope["got"]) == 1


def test_raw_delivery_needs_nothing() -> None:
    """The body is what was published, and SNS's attributes are the message's own."""
    worker = Worker("shop")
    got: list[int] = []

    @worker.job(subject="order placed")
    def ship(number: int) -> None:
        got.append(number)

    handler = worker.registry.route(message('{"number": 7}', job="ship"))

    assert isinstance(handler, Handler)
    assert outcome(worker, '{"number": 7}', job=handler.name) == SUCCEEDED
    assert got == [7]
