"""Facts of SQS's wire protocol and of the shapes of its answers (facts/sqs.md section 1)."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.facts.services import Ours, Sqs


def _raw(sqs: Sqs, operation: str, params: object, url: str = "") -> tuple[int, dict[str, str], bytes]:
    """Make a request by hand, at the endpoint's root or at `url`; return the answer's status, headers and body."""
    request = urllib.request.Request(
        url or sqs.typed.meta.endpoint_url + "/",
        data=json.dumps(params).encode(),
        headers={
            "X-Amz-Target": f"AmazonSQS.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": (
                "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, "
                "SignedHeaders=host;x-amz-date, Signature=00"
            ),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def test_one_url_serves_all_queues(sqs: Sqs) -> None:
    """facts/sqs.md section 1: `POST /`, one URL for all queues; QueueUrl is in the JSON body."""
    url = sqs.queue()

    status, _, body = _raw(sqs, "SendMessage", {"QueueUrl": url, "MessageBody": "a body"})

    assert status == 200
    assert json.loads(body)["MessageId"]
    assert sqs.counts(url) == (1, 0, 0)


def test_a_queues_own_url_takes_requests_too(sqs: Sqs) -> None:
    """facts/sqs.md section 1: `POST /`; the QueueUrl in the body decides, whatever the path (older clients use it)."""
    url = sqs.queue()

    status, _, _ = _raw(sqs, "SendMessage", {"QueueUrl": url, "MessageBody": "a body"}, url)

    assert status == 200
    assert sqs.counts(url) == (1, 0, 0)


def test_answers_are_json_of_version_one_zero(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Response 200, `application/x-amz-json-1.0`."""
    url = sqs.queue()

    _, headers, _ = _raw(sqs, "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})

    assert headers["content-type"] == "application/x-amz-json-1.0"


def test_every_answer_has_a_request_id(sqs: Sqs) -> None:
    """facts/sqs.md section 1: request id header `x-amzn-RequestId`."""
    answers = [sqs.client.list_queues()["ResponseMetadata"]["RequestId"] for _ in range(3)]

    assert len(set(answers)) == 3


def test_a_receive_with_nothing_has_no_key_messages(sqs: Sqs) -> None:
    """facts/sqs.md section 1: ReceiveMessage with nothing is `{}`: key `Messages` absent."""
    url = sqs.queue()

    _, _, body = _raw(sqs, "ReceiveMessage", {"QueueUrl": url})

    assert json.loads(body or b"{}") == {}


def test_a_delete_answers_with_nothing(sqs: Sqs) -> None:
    """facts/sqs.md section 1: empty result = `{}` or empty body."""
    url = sqs.queue()
    sqs.send(url)
    receipt = sqs.receive_one(url)["ReceiptHandle"]

    status, _, body = _raw(sqs, "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": receipt})

    assert (status, json.loads(body or b"{}")) == (200, {})


def test_an_error_names_its_shape_in_the_body(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Error body `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"…"}`."""
    missing = sqs.queue() + "-missing"

    status, _, body = _raw(sqs, "SendMessage", {"QueueUrl": missing, "MessageBody": "a body"})

    assert status == 400
    assert json.loads(body)["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"


def test_an_error_names_its_legacy_code_in_a_header(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Error header `x-amzn-query-error: <legacy code>;<Sender|Receiver>`."""
    missing = sqs.queue() + "-missing"

    _, headers, _ = _raw(sqs, "SendMessage", {"QueueUrl": missing, "MessageBody": "a body"})

    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"


def test_boto3_shows_both_names_of_an_error(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Error Code = legacy code from that header, QueryErrorCode = JSON shape name."""
    refusal = sqs.refusal("get_queue_attributes", QueueUrl=sqs.queue() + "-missing", AttributeNames=["All"])

    assert (refusal.code, refusal.shape, refusal.status) == (
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        400,
    )


def test_an_error_is_boto3s_own_exception_class(sqs: Sqs) -> None:
    """facts/sqs.md section 1: exception class still `client.exceptions.QueueDoesNotExist`."""
    with pytest.raises(sqs.client.exceptions.QueueDoesNotExist):
        sqs.send(sqs.queue() + "-missing")


def test_a_senders_fault_is_told_as_such(sqs: Sqs) -> None:
    """facts/sqs.md section 1: ["Error"]["Type"] = Sender."""
    with pytest.raises(ClientError) as caught:
        sqs.send(sqs.queue() + "-missing")

    assert caught.value.response["Error"]["Type"] == "Sender"  # type: ignore[typeddict-item]


def test_a_message_has_its_id_receipt_body_and_md5(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Message fields: MessageId, ReceiptHandle, MD5OfBody, Body."""
    url = sqs.queue()
    sent = sqs.send(url, "a body")

    (message,) = sqs.client.receive_message(QueueUrl=url)["Messages"]

    assert set(message) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == "a body"
    assert message["MD5OfBody"] == hashlib.md5(b"a body").hexdigest()


def test_attributes_come_only_if_asked_for(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Attributes come only if asked."""
    url = sqs.queue()
    sqs.send(url, MessageAttributes={"job": {"DataType": "String", "StringValue": "x"}})

    (message,) = sqs.client.receive_message(QueueUrl=url)["Messages"]

    assert "Attributes" not in message
    assert "MessageAttributes" not in message


@pytest.mark.parametrize("parameter", ["MessageSystemAttributeNames", "AttributeNames"])
def test_system_attributes_are_asked_for_by_either_name(parameter: str, sqs: Sqs) -> None:
    """facts/sqs.md section 1: `MessageSystemAttributeNames` (new) / `AttributeNames` (deprecated)."""
    url = sqs.queue()
    sqs.send(url)

    (message,) = sqs.client.receive_message(QueueUrl=url, **{parameter: ["SentTimestamp"]})["Messages"]

    assert set(message["Attributes"]) == {"SentTimestamp"}


def test_all_system_attributes_of_a_plain_message_are_four(sqs: Sqs) -> None:
    """facts/sqs.md section 1: SenderId, SentTimestamp, ApproximateReceiveCount, ApproximateFirstReceiveTimestamp."""
    url = sqs.queue()
    sqs.send(url)

    assert set(sqs.receive_one(url)["Attributes"]) == {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
    }


def test_timestamps_are_milliseconds_as_texts(sqs: Sqs) -> None:
    """facts/sqs.md section 1: SentTimestamp (ms, string), ApproximateFirstReceiveTimestamp (ms)."""
    url = sqs.queue()
    sqs.send(url)

    attributes = sqs.receive_one(url)["Attributes"]

    for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"):
        assert isinstance(attributes[name], str)
        assert len(attributes[name]) == 13


def test_an_attribute_is_shown_as_it_was_sent(sqs: Sqs) -> None:
    """facts/sqs.md section 1: `MessageAttributes` {name: {DataType, StringValue|BinaryValue(base64)}}."""
    url = sqs.queue()
    sent: Any = {
        "text": {"DataType": "String", "StringValue": "x"},
        "number": {"DataType": "Number", "StringValue": "1.5"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        "own": {"DataType": "String.uuid", "StringValue": "y"},
    }
    sqs.send(url, MessageAttributes=sent)

    assert sqs.receive_one(url)["MessageAttributes"] == sent


def test_only_the_attributes_named_are_shown(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Attributes come only if asked: `MessageAttributeNames`."""
    url = sqs.queue()
    text = {"DataType": "String", "StringValue": "x"}
    sqs.send(url, MessageAttributes={"a.x": text, "a.y": text, "b": text})

    shown = [
        set(
            sqs.client.receive_message(QueueUrl=url, MessageAttributeNames=names, VisibilityTimeout=0)["Messages"][0][
                "MessageAttributes"
            ]
        )
        for names in (["b"], ["a.*"], [".*"])
    ]

    assert shown == [{"b"}, {"a.x", "a.y"}, {"a.x", "a.y", "b"}]


def test_the_md5_of_attributes_is_of_those_that_are_shown(sqs: Sqs) -> None:
    """facts/sqs.md section 7: MD5 of attributes: sort names; for each length and name, length and type, value."""
    url = sqs.queue()
    text = {"DataType": "String", "StringValue": "x"}
    sqs.send(url, MessageAttributes={"b": text, "a": {"DataType": "Binary", "BinaryValue": b"\x01"}})

    (message,) = sqs.client.receive_message(QueueUrl=url, MessageAttributeNames=["b"])["Messages"]

    by_hand = b"".join(len(part).to_bytes(4, "big") + part for part in (b"b", b"String")) + b"\x01\x00\x00\x00\x01x"
    assert message["MD5OfMessageAttributes"] == hashlib.md5(by_hand).hexdigest()


def test_a_send_tells_the_md5_of_body_and_of_all_attributes(sqs: Sqs) -> None:
    """facts/sqs.md section 7: MD5 of attributes: transport byte 1 String/Number, 2 Binary; length+value; MD5 hex."""
    url = sqs.queue()

    sent = sqs.send(url, "a body", MessageAttributes={"n": {"DataType": "Binary", "BinaryValue": b"\x07"}})

    by_hand = b"".join(len(part).to_bytes(4, "big") + part for part in (b"n", b"Binary")) + b"\x02\x00\x00\x00\x01\x07"
    assert sent["MD5OfMessageBody"] == hashlib.md5(b"a body").hexdigest()
    assert sent["MD5OfMessageAttributes"] == hashlib.md5(by_hand).hexdigest()


def test_the_trace_header_travels_as_a_system_attribute(sqs: Sqs) -> None:
    """facts/sqs.md section 7: `AWSTraceHeader` settable on send by MessageSystemAttributes; must be requested."""
    url = sqs.queue()
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    sqs.send(url, MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}})

    (message,) = sqs.client.receive_message(QueueUrl=url, AttributeNames=["AWSTraceHeader"])["Messages"]

    assert message["Attributes"] == {"AWSTraceHeader": trace}


def test_an_unknown_system_attribute_of_a_receive_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: System attributes are those of the list; InvalidAttributeName names another."""
    url = sqs.queue()

    refusal = sqs.refusal("receive_message", QueueUrl=url, AttributeNames=["NoSuchThing"])

    assert refusal.code == "InvalidAttributeName"
    assert "NoSuchThing" in refusal.message


def test_a_batch_answers_200_and_tells_each_entrys_fate(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Batch calls return HTTP 200 with `Successful[]` and `Failed[]`."""
    url = sqs.queue()
    sqs.send(url)
    receipt = sqs.receive_one(url)["ReceiptHandle"]

    answer = sqs.client.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": "good", "ReceiptHandle": receipt}, {"Id": "bad", "ReceiptHandle": "no handle"}]
    )

    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "ReceiptHandleIsInvalid", True)


def test_an_unknown_operation_is_unsupported_by_name(ours: Ours) -> None:
    """facts/sqs.md section 1: UnsupportedOperation, AWS.SimpleQueueService.UnsupportedOperation, 400."""
    status, headers, body = _raw(ours, "NoSuchOperation", {})

    assert status == 400
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.UnsupportedOperation;Sender"
    assert "NoSuchOperation" in json.loads(body)["message"]


def test_a_missing_parameter_is_named(ours: Ours) -> None:
    """facts/sqs.md section 1: unmodelled errors keep SQS's words: MissingParameter, with the parameter's name."""
    status, headers, body = _raw(ours, "SendMessage", {"MessageBody": "a body"})

    assert (status, headers["x-amzn-query-error"]) == (400, "MissingParameter;Sender")
    assert "QueueUrl" in json.loads(body)["message"]
