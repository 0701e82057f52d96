"""Whether an answer can be one of AWS's at all, looked at before botocore reads it.

Rules kept here and nowhere else:

1. A login page, a proxy or a wrong port answers too. botocore takes from it what it finds, and what is missing shows
   far from here, as a key that is not there. So each answer is looked at when it comes in, for all commands at once.
2. A refusal (300 to 499) names an error. A failure (500 and above) need not: botocore tries again, by its status.
3. Who asks a question gets something: an answer to Describe, Get, List or Filter without a single member is none.
"""

from __future__ import annotations

import json
from typing import Any, cast
from xml.etree import ElementTree

from botocore.exceptions import BotoCoreError

QUESTIONS = ("Describe", "Get", "List", "Filter")
MAY_BE_EMPTY = ("ListQueue",)
"""SQS leaves out lists that are empty."""

CBOR_MAPS = range(0xA0, 0xC0)
"""The first byte of a map in CBOR."""


class NoAnswer(BotoCoreError):
    """Something answered that does not speak AWS's protocol."""

    fmt = "the answer is none of AWS's"


def watch(events: Any) -> None:
    """Look at every answer of the clients whose events these are. Their calls raise `NoAnswer` then."""
    events.register("before-parse", _refuse)


def _refuse(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    body = response_dict.get("body")
    if not isinstance(body, bytes):  # A stream, of which nothing has been read.
        return
    status = response_dict["status_code"]
    if _fits(body, status, response_dict["headers"], operation_model):
        return
    if status < 500:
        raise NoAnswer
    response_dict["body"] = b""  # A proxy's words, in no language that botocore reads.


def _fits(body: bytes, status: int, headers: Any, operation: Any) -> bool:
    match operation.service_model.resolved_protocol:
        case "json" if status < 300:
            return _is_json(body, operation)
        case "json":
            # moto's IAM refuses in XML, whatever the protocol of the service.
            return _names_an_error(body) or "x-amzn-errortype" in headers or _is_xml(body)
        case "query" | "ec2":
            return _is_xml(body)
        case "smithy-rpc-v2-cbor":
            return body != b"" and body[0] in CBOR_MAPS
        case _:
            return True


def _is_json(body: bytes, operation: Any) -> bool:
    members = frozenset(operation.output_shape.members) if operation.output_shape is not None else frozenset[str]()
    if not body:
        return not members
    if (told := _object(body)) is None:
        return False
    is_question = operation.name.startswith(QUESTIONS) and not operation.name.startswith(MAY_BE_EMPTY)
    return not (is_question and members and members.isdisjoint(told))


def _names_an_error(body: bytes) -> bool:
    told = _object(body) or {}
    return "__type" in told or "code" in told


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        told: Any = json.loads(body)
    except ValueError:
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None


def _is_xml(body: bytes) -> bool:
    """Every answer in XML is one element: `DescribeStacksResponse`, `ErrorResponse`, for EC2's errors `Response`."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  (botocore reads it so too, right after)
    except ElementTree.ParseError:
        return False
    return root.tag.endswith("Response")
