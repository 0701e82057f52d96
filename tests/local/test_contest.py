"""The two services of a comparison, on a local SQS and a local ECS."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.sqs_server import SqsServer
from forebay.local.contest import Contest

pytestmark = pytest.mark.processes

PATIENCE_S = 60.0


def begun(sqs: SqsServer, cluster: LocalCluster, jobs: int) -> Contest:
    environment = {
        "AWS_ENDPOINT_URL_SQS": sqs.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
    }
    return Contest(jobs, 1, sqs=sqs, cluster=cluster, environment=environment)


def test_a_comparison_follows_another_at_once_and_leaves_no_queue() -> None:
    async def scenario() -> None:
        async with SqsServer() as sqs, LocalCluster() as cluster:
            for _ in range(2):
                contest = begun(sqs, cluster, jobs=5)
                assert len(sqs.service.registry.by_name) == 4
                await contest.aclose()

            assert not sqs.service.registry.by_name
            assert not cluster.services

    asyncio.run(scenario())


def test_a_comparison_that_is_ended_while_it_sends_does_not_send_the_rest() -> None:
    async def scenario() -> None:
        async with SqsServer() as sqs, LocalCluster() as cluster:
            contest = begun(sqs, cluster, jobs=1_000_000)
            until = monotonic() + PATIENCE_S
            while not sqs.counts.requests["SendMessageBatch"] and monotonic() < until:
                await contest.look(monotonic())
                await asyncio.sleep(0.05)  # between two looks

            await contest.aclose()

            assert 0 < sqs.counts.requests["SendMessageBatch"] < 100_000
            assert contest.is_done

    asyncio.run(scenario())
