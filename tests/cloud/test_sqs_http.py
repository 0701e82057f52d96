"""The local SQS at the level of bytes: what of HTTP/1.1 it takes, and whom it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cloud.sqs_clients import Wire

from forebay.cloud.http_requests import BODY_MAX_BYTES, HEAD_MAX_BYTES
from forebay.cloud.sqs_server import SqsServer


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with SqsServer.in_thread() as running:
        running.call(lambda server: server.create_queue("jobs"))
        yield running.service.port


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    with Wire(port) as opened:
        yield opened


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/000000000000/jobs"


def test_a_connection_serves_many_requests(wire: Wire) -> None:
    assert [wire.call("ListQueues").status for _ in range(5)] == [200] * 5


def test_requests_sent_ahead_are_answered_in_order(wire: Wire) -> None:
    for name in ("one", "two", "three"):
        wire.send("CreateQueue", {"QueueName": name})

    urls = [wire.answer().json["QueueUrl"] for _ in range(3)]

    assert [url.rpartition("/")[2] for url in urls] == ["one", "two", "three"]


def test_a_request_sent_ahead_of_a_long_poll_waits_for_it(wire: Wire) -> None:
    wire.send("ReceiveMessage", {"QueueUrl": _url(wire.port), "WaitTimeSeconds": 1})
    wire.send("ListQueues")

    assert wire.answer().json == {}
    assert "QueueUrls" in wire.answer().json


def test_a_request_may_come_byte_by_byte(wire: Wire) -> None:
    body = json.dumps({"QueueName": "bytewise"}).encode()
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\nContent-Length: {len(body)}"
    for byte in head.encode() + b"\r\n\r\n" + body:
        wire.say(bytes([byte]))

    assert wire.answer().json["QueueUrl"].endswith("/bytewise")


@pytest.mark.parametrize("trailer", ["", "Expires: never\r\n"])
def test_a_body_may_come_in_chunks(wire: Wire, trailer: str) -> None:
    body = json.dumps({"QueueName": "chunked"}).encode()
    wire.say("POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\n")
    wire.say("Transfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 7):
        chunk = body[start : start + 7]
        wire.say(f"{len(chunk):X};ext=1\r\n".encode() + chunk + b"\r\n")
    wire.say(f"0\r\n{trailer}\r\n")
    wire.send("ListQueues")

    assert wire.answer().json["QueueUrl"].endswith("/chunked")
    assert wire.answer().status == 200, "the connection goes on after the trailers"


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(wire: Wire) -> None:
    body = json.dumps({"QueueName": "continued"}).encode()
    wire.say("POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\nExpect: 100-continue\r\n")
    wire.say(f"Content-Length: {len(body)}\r\n\r\n")

    assert wire.answer().status == 100
    wire.say(body)
    assert wire.answer().json["QueueUrl"].endswith("/continued")


def test_a_client_that_wants_to_close_is_let_go(wire: Wire) -> None:
    answer = wire.call("ListQueues", Connection="close")

    assert answer.headers["connection"] == "close"
    wire.send("ListQueues")
    with pytest.raises(ConnectionError):
        wire.answer()


def test_an_old_client_is_answered_and_let_go(wire: Wire) -> None:
    wire.say("POST / HTTP/1.0\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: 2\r\n\r\n{}")

    assert wire.answer().status == 200
    with pytest.raises((ConnectionError, OSError)):
        wire.answer()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "127.0.0.1:4566", "[::1]", "[::1]:80"])
def test_this_machine_is_served_by_any_of_its_names(wire: Wire, host: str) -> None:
    assert wire.call("ListQueues", Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1"]
)
def test_another_host_is_refused(wire: Wire, host: str) -> None:
    """A page of another site may have its name point here; the browser then sends that name."""
    answer = wire.call("ListQueues", Host=host)

    assert answer.status == 403
    assert b"queue" not in answer.body.lower()


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:3000", 200), ("http://127.0.0.1", 200), ("https://evil.example", 403), ("null", 403)],
)
def test_pages_of_other_sites_are_refused(wire: Wire, origin: str, status: int) -> None:
    assert wire.call("ListQueues", Origin=origin).status == status


def test_controls_are_refused_to_other_sites_too(wire: Wire) -> None:
    wire.send("", method="GET", path="/_forebay/stats", Origin="https://evil.example")

    assert wire.answer().status == 403


@pytest.mark.parametrize(
    ("bytes_sent", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nlots\r\n", 400),
        (f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_MAX_BYTES + 1}\r\n\r\n", 413),
        (f"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{BODY_MAX_BYTES + 1:x}\r\n", 413),
        ("GET / HTTP/1.1\r\nX: " + "x" * (HEAD_MAX_BYTES + 1), 431),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(wire: Wire, bytes_sent: str, status: int) -> None:
    wire.say(bytes_sent)

    assert wire.answer().status == status
    with pytest.raises((ConnectionError, OSError)):
        wire.answer()


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff\xfe", b"null"])
def test_a_body_that_is_no_json_object_is_a_serialization_error(wire: Wire, body: bytes) -> None:
    answer = wire.call("ListQueues", body)

    assert answer.status == 400
    assert answer.json["__type"] == "com.amazonaws.sqs#SerializationException"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("SendMessage", {"MessageBody": 5}),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": "5"}),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": True}),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": []}),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": {"a": "b"}}),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "!"}}}),
        ("SendMessageBatch", {"Entries": {}}),
        ("SendMessageBatch", {"Entries": ["x"]}),
        ("ReceiveMessage", {"MaxNumberOfMessages": "10"}),
        ("ReceiveMessage", {"MessageAttributeNames": "All"}),
        ("GetQueueAttributes", {"AttributeNames": [1]}),
        ("SetQueueAttributes", {"Attributes": "x"}),
        ("ChangeMessageVisibility", {"ReceiptHandle": "x", "VisibilityTimeout": 1.5}),
        ("DeleteMessage", {"ReceiptHandle": 7}),
    ],
)
def test_a_parameter_of_a_wrong_type_is_a_serialization_error(wire: Wire, operation: str, params: object) -> None:
    assert isinstance(params, dict)
    answer = wire.call(operation, {"QueueUrl": _url(wire.port), **params})

    assert (answer.status, answer.json["__type"]) == (400, "com.amazonaws.sqs#SerializationException")


@pytest.mark.parametrize(
    ("operation", "missing"),
    [
        ("SendMessage", "MessageBody"),
        ("DeleteMessage", "ReceiptHandle"),
        ("ChangeMessageVisibility", "ReceiptHandle"),
    ],
)
def test_a_missing_parameter_is_named(wire: Wire, operation: str, missing: str) -> None:
    answer = wire.call(operation, {"QueueUrl": _url(wire.port)})

    assert answer.json["message"] == f"The request must contain the parameter {missing}."
    assert answer.headers["x-amzn-query-error"] == "MissingParameter;Sender"


def test_an_error_carries_both_names_and_a_request_id(wire: Wire) -> None:
    answer = wire.call("GetQueueUrl", {"QueueName": "nowhere"})

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/x-amz-json-1.0"
    assert answer.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert answer.headers["x-amzn-requestid"]
    assert answer.json == {
        "__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": "The specified queue does not exist.",
    }


@pytest.mark.parametrize("target", ["AmazonSQS", "AmazonSQS.", "AmazonSQS.Nonsense"])
def test_an_unknown_operation_is_unsupported(wire: Wire, target: str) -> None:
    answer = wire.call("ListQueues", X_Amz_Target=target)

    assert answer.json["__type"] == "com.amazonaws.sqs#UnsupportedOperation"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100_000) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
OPERATIONS = (
    "SendMessage",
    "SendMessageBatch",
    "ReceiveMessage",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "GetQueueUrl",
    "ListQueues",
    "ListDeadLetterSourceQueues",
    "GetQueueAttributes",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
    "ListQueueTags",
)
MEMBERS = (
    "QueueName",
    "Attributes",
    "tags",
    "Tags",
    "TagKeys",
    "AttributeNames",
    "MessageBody",
    "MessageAttributes",
    "MessageSystemAttributes",
    "DelaySeconds",
    "Entries",
    "ReceiptHandle",
    "VisibilityTimeout",
    "MaxNumberOfMessages",
    "QueueNamePrefix",
    "MaxResults",
    "NextToken",
    "MessageGroupId",
    "MessageSystemAttributeNames",
    "MessageAttributeNames",
    "QueueOwnerAWSAccountId",
)


@given(operation=st.sampled_from(OPERATIONS), params=st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=5))
def test_no_request_makes_the_server_stumble(port: int, operation: str, params: dict[str, object]) -> None:
    """Whatever the parameters are, the answer is a result or a client error, and the connection stays."""
    params = {"QueueUrl": _url(port), "WaitTimeSeconds": 0, **params}

    with Wire(port) as wire:
        answer = wire.call(operation, params)
        again = wire.call("ListQueues")

    assert answer.status in (200, 400, 403, 404)
    assert again.status == 200


@given(st.binary(max_size=200))
def test_no_bytes_make_the_server_stumble(port: int, noise: bytes) -> None:
    with Wire(port) as wire:
        wire.say(noise + b"\r\n\r\n")
    with Wire(port) as wire:
        assert wire.call("ListQueues").status == 200
