"""One port for several services: who gets a request, and what is said of those that nobody serves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.cloud.sqs_clients import PATIENCE_S, Wire, boto3_of, control

from forebay.cloud.background import InThread
from forebay.cloud.front_door import FrontDoor
from forebay.cloud.http import Exchange
from forebay.cloud.sqs_server import SqsServer

ECS = "AmazonEC2ContainerServiceV20141113"


def _list_clusters(exchange: Exchange) -> None:
    """As much of another service as boto3 needs."""
    assert exchange.headers["x-amz-target"] == f"{ECS}.ListClusters"
    body = json.dumps({"clusterArns": ["arn:aws:ecs:us-east-1:000000000000:cluster/local"]}).encode()
    exchange.answer(200, body, content_type="application/x-amz-json-1.1")


def _server() -> SqsServer:
    server = SqsServer()
    server.door.serve(ECS, _list_clusters)
    return server


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with InThread(_server) as running:
        yield running.service.port


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    with Wire(port) as opened:
        yield opened


def test_one_endpoint_serves_clients_of_two_services(port: int) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    sqs = boto3_of(endpoint)
    ecs = boto3.client(
        "ecs",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S),
    )

    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    clusters = ecs.list_clusters()["clusterArns"]

    assert sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]
    assert clusters == ["arn:aws:ecs:us-east-1:000000000000:cluster/local"]


@pytest.mark.parametrize("target", ["Nonsense", "DynamoDB_20120810.ListTables", "AmazonSQSx.ListQueues", "amazonsqs.X"])
def test_a_target_that_nobody_serves_is_named_with_what_is_served(wire: Wire, target: str) -> None:
    answer = wire.call("", X_Amz_Target=target)

    assert answer.status == 400
    assert answer.json["__type"] == "UnsupportedOperation"
    assert repr(target) in answer.json["message"]
    assert f"{ECS}, AmazonSQS" in answer.json["message"]


def test_a_request_without_a_target_is_told_so(wire: Wire) -> None:
    """Clients of the older query protocol send none."""
    answer = wire.call("", X_Amz_Target="")

    assert answer.status == 400
    assert "POST / without a target" in answer.json["message"]


def test_botocore_understands_the_refusal(port: int) -> None:
    client = boto3.client(
        "logs",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )

    with pytest.raises(ClientError, match=r"DescribeLogGroups.*AmazonSQS") as caught:
        client.describe_log_groups()

    assert caught.value.response["Error"]["Code"].endswith("UnsupportedOperation")


def test_controls_are_reached_by_their_path_whatever_the_target_says(port: int) -> None:
    assert control(port, "GET", "/_forebay/stats").json["requests"] is not None


def test_a_path_with_a_queue_in_it_still_goes_by_its_target(wire: Wire) -> None:
    wire.send("ListQueues", path="/000000000000/jobs")

    assert wire.answer().status == 200


def test_the_longest_registered_path_wins() -> None:
    async def run() -> list[int]:
        async with FrontDoor() as door:
            door.serve_path("/a/", lambda exchange: exchange.answer(201))
            door.serve_path("/a/b/", lambda exchange: exchange.answer(202))
            return await asyncio.to_thread(
                lambda: [control(door.port, "GET", path).status for path in ("/a/b/c", "/a/c")]
            )

    assert asyncio.run(run()) == [202, 201]


def test_a_door_may_be_shared_by_servers_that_come_and_go() -> None:
    """Whoever made the door closes it: the end of one service leaves the others served."""

    async def run() -> list[int]:
        async with FrontDoor() as door:
            door.serve(ECS, _list_clusters)
            async with SqsServer(door=door) as server:
                assert server.create_queue("jobs").startswith(door.endpoint_url)
                while_it_lives = await asyncio.to_thread(_ask, door.port, "AmazonSQS.ListQueues")
            return [
                while_it_lives,
                await asyncio.to_thread(_ask, door.port, "AmazonSQS.ListQueues"),
                await asyncio.to_thread(_ask, door.port, f"{ECS}.ListClusters"),
            ]

    assert asyncio.run(run()) == [200, 400, 200]


def _ask(port: int, target: str) -> int:
    with Wire(port) as wire:
        return wire.call("", X_Amz_Target=target).status
