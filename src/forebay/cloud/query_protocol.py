"""The older Query protocol of SQS (`Action=…` in a form, answers in XML): recognised, and refused in its own words.

Rules kept here and nowhere else:

1. AWS still serves it (facts/sqs.md section 1); this machine does not. A client that speaks it is told so in the XML
   that it reads, with what to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

_FORM = "application/x-www-form-urlencoded"
_LOOKED_AT_BYTES = 1_024 * 1_024


def query_refusal(query: str, headers: Mapping[str, str], body: bytes | bytearray) -> bytes | None:
    """Return the XML that refuses a request of the Query protocol, or None when it is none. `query` is its URL's."""
    asked = query
    if headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        asked += "&" + bytes(body[:_LOOKED_AT_BYTES]).decode("utf-8", "replace")
    actions = parse_qs(asked).get("Action")
    if not actions:
        return None
    message = (
        f"{actions[0][:100]} came by the Query protocol, which is not served here. What is: the AWS JSON protocol, "
        "which botocore speaks since 1.31.82 (November 2023), and every current AWS SDK and command line."
    )
    return (
        '<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error>'
        "<Type>Sender</Type><Code>AWS.SimpleQueueService.UnsupportedOperation</Code>"
        f"<Message>{escape(message)}</Message></Error><RequestId>00000000-0000-4000-8000-000000000000</RequestId>"
        "</ErrorResponse>"
    ).encode()
