"""A result of the rules as the HTTP answer of the AWS JSON protocol; or as what a chaos rule makes of it.

Rules kept here and nowhere else:

1. Every answer has a request id. An error has both of its names, one in the body and one in a header (facts/sqs.md
   section 1).
2. A request that was carried out and whose answer a chaos rule spoils has had its effect all the same.
"""

from __future__ import annotations

from forebay.cloud.chaos import Effect, Strike
from forebay.cloud.http import Exchange
from forebay.cloud.sqs_protocol import Json, dumps
from forebay.rules.queue_semantics import ServiceFailure

_JSON = "application/x-amz-json-1.0"


def write_answer(exchange: Exchange, result: Json | ServiceFailure, strike: Strike, request_number: int) -> None:
    """Answer `exchange` with `result`, as far as `strike` lets it."""
    headers = f"x-amzn-RequestId: {request_number:08x}-0000-4000-8000-000000000000\r\n"
    if strike.effect is Effect.DROP_AFTER:
        exchange.drop()
    elif isinstance(result, ServiceFailure):
        fault = "Sender" if result.sender_fault else "Receiver"
        headers += f"x-amzn-query-error: {result.legacy_code};{fault}\r\n"
        body = dumps({"__type": f"com.amazonaws.sqs#{result.shape}", "message": result.message})
        exchange.answer(result.http_status, body, content_type=_JSON, headers=headers)
    elif strike.effect is Effect.MALFORMED:
        body = strike.detail.encode() or b'{"Messages": [{"MessageId": '
        exchange.answer(200, body, content_type=_JSON, headers=headers)
    elif strike.effect is Effect.CUT_SHORT:
        exchange.answer_in_part(200, dumps(result))
    else:
        exchange.answer(200, dumps(result), content_type=_JSON, headers=headers)
