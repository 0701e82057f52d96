"""The ECS API on this machine, by the AWS JSON 1.1 protocol: what boto3, the AWS CLI and an autoscaler ask of it.

Rules kept here and nowhere else:

1. A request is carried out in the turn in which it is complete, on the cluster's loop.
2. Any credentials and any signature will do.
3. An operation that is not here is refused by name with UnsupportedOperation, and with the list of those that are.

It listens nowhere itself: `door.serve(server.SERVICE, server.accept)` gives it requests.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import cast

from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.ecs_errors import EcsRefusal, Params
from forebay.cloud.ecs_operations import Operations
from forebay.cloud.ecs_view import Json
from forebay.cloud.http import Exchange
from forebay.cloud.sqs_protocol import dumps, loads
from forebay.rules.ecs_refusals import SchedulerRefusal

_JSON = "application/x-amz-json-1.1"


class EcsServer:
    """Answers requests of the ECS API from one cluster."""

    SERVICE = "AmazonEC2ContainerServiceV20141113"
    """What stands before the dot in X-Amz-Target."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._operations = Operations(cluster)
        self.requests: Counter[str] = Counter()
        """By operation."""

    def accept(self, exchange: Exchange) -> None:
        """Answer one request."""
        operation = exchange.headers.get("x-amz-target", "").removeprefix(f"{self.SERVICE}.")
        self.requests[operation if operation in self._operations.by_name else "unknown"] += 1
        headers = f"x-amzn-RequestId: {uuid.uuid4()}\r\n"
        try:
            answer = self._answer(operation, exchange.body)
        except EcsRefusal as refusal:
            body = dumps({"__type": refusal.code, "message": refusal.message})
            exchange.answer(400, body, content_type=_JSON, headers=headers)
        else:
            exchange.answer(200, dumps(answer), content_type=_JSON, headers=headers)

    def _answer(self, operation: str, body: bytes) -> Json:
        carry_out = self._operations.by_name.get(operation)
        if carry_out is None:
            known = ", ".join(sorted(self._operations.by_name))
            message = f"The local ECS does not carry out {operation[:100]!r}. What it does: {known}."
            raise EcsRefusal("UnsupportedOperation", message)
        try:
            return carry_out(_params(body))
        except SchedulerRefusal as refusal:
            raise EcsRefusal(refusal.code, refusal.message) from refusal


def _params(body: bytes) -> Params:
    try:
        params: object = loads(body or b"{}")
    except ValueError:
        raise EcsRefusal("SerializationException", "The request's body is no JSON.") from None
    if not isinstance(params, dict):
        raise EcsRefusal("SerializationException", "The request's body is no JSON object.")
    return cast("Json", params)
