"""The ECS API as boto3 sees it: services, tasks, what is changed and what is refused."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
from collections.abc import Callable
from datetime import datetime
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from tests.cloud.ecs_clusters import Ground, play, tasks_in
from tests.cloud.ecs_tasks import IDLE, LEAVES_ON_SIGTERM

from forebay.cloud.ecs_server import EcsServer
from forebay.rules.ecs_refusals import SchedulerRefusal
from forebay.rules.ecs_vocabulary import TaskStatus

pytestmark = pytest.mark.processes

ARN = "arn:aws:ecs:us-east-1:000000000000"
call = asyncio.to_thread
"""Blocking clients are called beside the loop."""


async def refused(code: str, method: Callable[..., Any], **params: Any) -> str:
    """Call and expect this exception; return its message."""
    with pytest.raises(ClientError) as caught:
        await call(method, **params)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Message"])


# ── services ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_service_is_described_with_its_counts_deployment_and_events() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(IDLE, desired_count=2, stop_timeout_s=5), ground.ecs()
        await ground.ready(service, 2)
        await ground.until(lambda: service.view().deployments[0].rollout_state == "COMPLETED")

        answer = await call(ecs.describe_services, cluster="local", services=["jobs", f"{ARN}:service/local/nobody"])

        [shown] = answer["services"]
        assert (shown["serviceName"], shown["status"], shown["launchType"]) == ("jobs", "ACTIVE", "FARGATE")
        assert shown["serviceArn"] == f"{ARN}:service/local/jobs"
        assert (shown["desiredCount"], shown["runningCount"], shown["pendingCount"]) == (2, 2, 0)
        assert shown["taskDefinition"] == f"{ARN}:task-definition/jobs:1"
        assert isinstance(shown["createdAt"], datetime)
        [deployment] = shown["deployments"]
        assert (deployment["status"], deployment["rolloutState"]) == ("PRIMARY", "COMPLETED")
        assert (deployment["runningCount"], deployment["desiredCount"]) == (2, 2)
        assert [event["message"] for event in shown["events"]] == [event.message for event in service.view().events]
        assert shown["events"]
        assert answer["failures"] == [{"arn": f"{ARN}:service/local/nobody", "reason": "MISSING"}]

    play(scenario)


def test_the_waiter_of_boto3_finds_a_settled_service_stable() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(IDLE, desired_count=1), ground.ecs()
        await ground.until(lambda: service.view().deployments[0].rollout_state == "COMPLETED")

        waiter = ecs.get_waiter("services_stable")
        await call(waiter.wait, cluster="local", services=["jobs"], WaiterConfig={"Delay": 1, "MaxAttempts": 2})

    play(scenario)


def test_the_desired_count_is_set_by_update_service() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(IDLE, desired_count=0), ground.ecs()

        answer = await call(ecs.update_service, cluster="local", service="jobs", desiredCount=2)
        await ground.ready(service, 2)
        await call(ecs.update_service, service="jobs", desiredCount=0)  # The cluster may be left out here.

        assert answer["service"]["desiredCount"] == 2
        await ground.until(lambda: len(tasks_in(service, TaskStatus.STOPPED)) == 2)

    play(scenario)


def test_a_forced_deployment_replaces_every_task_by_one_of_the_same_revision() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(IDLE, desired_count=2), ground.ecs()
        before = await ground.ready(service, 2)

        answer = await call(ecs.update_service, cluster="local", service="jobs", forceNewDeployment=True)

        assert [one["status"] for one in answer["service"]["deployments"]] == ["PRIMARY", "ACTIVE"]
        await ground.until(lambda: not {*before} & {task.task_id for task in tasks_in(service, TaskStatus.RUNNING)})
        assert {task.revision for task in tasks_in(service, TaskStatus.RUNNING)} == {1}

    play(scenario)


def test_a_service_goes_to_a_revision_and_back_by_its_task_definition() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(IDLE, desired_count=1), ground.ecs()
        await ground.ready(service, 1)
        service.deploy(environment={"FLAVOUR": "new"})
        await ground.until(lambda: [task.revision for task in tasks_in(service, TaskStatus.RUNNING)] == [2])

        answer = await call(ecs.update_service, cluster="local", service="jobs", taskDefinition="jobs:1")
        await ground.until(lambda: [task.revision for task in tasks_in(service, TaskStatus.RUNNING)] == [1])

        assert answer["service"]["taskDefinition"] == f"{ARN}:task-definition/jobs:1"
        listed = await call(ecs.list_task_definitions, familyPrefix="jobs", sort="DESC")
        assert listed["taskDefinitionArns"] == [f"{ARN}:task-definition/jobs:{number}" for number in (2, 1)]
        newest = (await call(ecs.describe_task_definition, taskDefinition="jobs"))["taskDefinition"]
        assert (newest["revision"], newest["status"]) == (2, "ACTIVE")
        [container] = newest["containerDefinitions"]
        assert {"name": "FLAVOUR"} in container["environment"]
        assert container["command"][-1].endswith(IDLE)

    play(scenario)


def test_services_and_clusters_are_listed_and_described() -> None:
    async def scenario(ground: Ground) -> None:
        ecs = ground.ecs()
        for name in ("c", "a", "b"):
            ground.serve(IDLE, name=name, desired_count=0)

        def in_pages() -> list[list[str]]:
            found = ecs.get_paginator("list_services").paginate(cluster="local", PaginationConfig={"PageSize": 2})
            return [page["serviceArns"] for page in found]

        pages = await call(in_pages)
        clusters = (await call(ecs.list_clusters))["clusterArns"]
        described = await call(ecs.describe_clusters, clusters=["local", "other"])

        assert pages == [[f"{ARN}:service/local/a", f"{ARN}:service/local/b"], [f"{ARN}:service/local/c"]]
        assert clusters == [f"{ARN}:cluster/local"]
        assert described["clusters"][0]["activeServicesCount"] == 3
        assert described["failures"] == [{"arn": "other", "reason": "MISSING"}]

    play(scenario)


# ── tasks ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_running_tasks_are_listed_and_described() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(IDLE, desired_count=2), ground.ecs()
        ids = await ground.ready(service, 2)

        arns = (await call(ecs.list_tasks, cluster="local", serviceName="jobs"))["taskArns"]
        answer = await call(ecs.describe_tasks, cluster="local", tasks=[*arns, "nobody"])

        assert sorted(arns) == sorted(f"{ARN}:task/local/{task_id}" for task_id in ids)
        assert answer["failures"] == [{"arn": f"{ARN}:task/local/nobody", "reason": "MISSING"}]
        for task in answer["tasks"]:
            assert (task["lastStatus"], task["desiredStatus"], task["healthStatus"]) == (
                "RUNNING",
                "RUNNING",
                "UNKNOWN",
            )
            assert (task["group"], task["startedBy"]) == ("service:jobs", service.view().deployments[0].deployment_id)
            assert task["createdAt"] <= task["startedAt"]
            [container] = task["containers"]
            assert (container["lastStatus"], container["taskArn"]) == ("RUNNING", task["taskArn"])
            assert "exitCode" not in container

    play(scenario)


def test_a_stopped_task_tells_who_stopped_it_and_how_it_ended() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(LEAVES_ON_SIGTERM, desired_count=2), ground.ecs()
        stopped, killed = await ground.ready(service, 2)

        told = (await call(ecs.stop_task, cluster="local", task=stopped, reason="an experiment"))["task"]
        service.kill(killed)
        await ground.until(lambda: len(tasks_in(service, TaskStatus.STOPPED)) == 2)
        arns = (await call(ecs.list_tasks, desiredStatus="STOPPED"))["taskArns"]
        tasks = {task["taskArn"]: task for task in (await call(ecs.describe_tasks, tasks=arns))["tasks"]}

        assert told["desiredStatus"] == "STOPPED"
        asked, crashed = tasks[f"{ARN}:task/local/{stopped}"], tasks[f"{ARN}:task/local/{killed}"]
        assert (asked["stopCode"], asked["stoppedReason"]) == ("UserInitiated", "an experiment")
        assert asked["containers"][0]["exitCode"] == 0
        assert asked["stoppingAt"] <= asked["stoppedAt"]
        assert crashed["stopCode"] == "EssentialContainerExited"
        assert crashed["containers"][0]["exitCode"] == 128 + signal.SIGKILL

    play(scenario)


def test_a_command_that_cannot_be_started_shows_as_a_task_that_failed_to_start() -> None:
    async def scenario(ground: Ground) -> None:
        ecs = ground.ecs()
        service = ground.serve(IDLE, desired_count=0)
        service.deploy(["/nowhere/at-all"])
        service.set_desired(1)
        await ground.until(lambda: bool(tasks_in(service, TaskStatus.STOPPED)))

        arns = (await call(ecs.list_tasks, desiredStatus="STOPPED"))["taskArns"]
        task = (await call(ecs.describe_tasks, tasks=arns))["tasks"][0]

        assert task["stopCode"] == "TaskFailedToStart"
        assert "CannotStartContainerError: No such file" in task["stoppedReason"]
        assert "exitCode" not in task["containers"][0]

    play(scenario)


def test_tasks_come_in_pages_and_are_found_by_what_they_are() -> None:
    async def scenario(ground: Ground) -> None:
        service, ecs = ground.serve(IDLE, desired_count=3), ground.ecs()
        await ground.ready(service, 3)
        deployment = service.view().deployments[0].deployment_id

        def pages(**params: Any) -> list[int]:
            found = ecs.get_paginator("list_tasks").paginate(PaginationConfig={"PageSize": 2}, **params)
            return [len(page["taskArns"]) for page in found]

        assert await call(pages) == [2, 1]
        assert await call(pages, family="jobs") == [2, 1]
        assert await call(pages, startedBy=deployment) == [2, 1]
        for nothing in ({"family": "x"}, {"startedBy": "x"}, {"desiredStatus": "PENDING"}, {"launchType": "EC2"}):
            assert await call(pages, **nothing) == [0]

    play(scenario)


# ── refusals ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_does_not_exist_is_refused_in_ecss_words() -> None:
    async def scenario(ground: Ground) -> None:
        ecs = ground.ecs()
        ground.serve(IDLE, desired_count=0)

        for method in (ecs.list_services, ecs.list_tasks):
            assert await refused("ClusterNotFoundException", method, cluster="other") == "Cluster not found."
        await refused("ServiceNotFoundException", ecs.update_service, service="nobody", desiredCount=1)
        await refused("ServiceNotFoundException", ecs.list_tasks, serviceName="nobody")
        await refused("InvalidParameterException", ecs.stop_task, task="nobody")
        await refused("ClientException", ecs.describe_task_definition, taskDefinition="nobody:1")
        await refused("ClientException", ecs.update_service, service="jobs", taskDefinition="jobs:9")

    play(scenario)


def test_what_is_out_of_bounds_or_cannot_be_changed_here_is_refused() -> None:
    async def scenario(ground: Ground) -> None:
        ecs = ground.ecs()
        service = ground.serve(IDLE, desired_count=0)
        invalid = "InvalidParameterException"

        await refused(invalid, ecs.describe_services, services=[])
        await refused(invalid, ecs.describe_services, services=["x"] * 11)
        await refused(invalid, ecs.describe_tasks, tasks=["x"] * 101)
        await refused(invalid, ecs.list_tasks, maxResults=101)
        await refused(invalid, ecs.list_tasks, nextToken="not ours")
        await refused(invalid, ecs.update_service, service="jobs", desiredCount=-1)
        said = await refused(invalid, ecs.update_service, service="jobs", desiredCount=1, enableExecuteCommand=True)

        assert "enableExecuteCommand" in said
        assert service.view().desired_count == 0

    play(scenario)


def test_a_sixth_deployment_is_refused_while_five_are_active_and_leaves_no_revision() -> None:
    async def scenario(ground: Ground) -> None:
        ecs = ground.ecs()
        service = ground.serve(IDLE, desired_count=1, maximum_percent=1_000)
        for count in range(1, 6):
            for task_id in await ground.ready(service, count):
                service.protect(task_id, ground.cluster.clock.now() + 600)
            if count < 5:
                service.deploy()
        newest = service.newest

        said = await refused("InvalidParameterException", ecs.update_service, service="jobs", forceNewDeployment=True)
        with pytest.raises(SchedulerRefusal):
            service.deploy()

        assert said == "5 active deployments exist, unable to create new deployment"
        assert (service.newest, sorted(service.revisions)) == (newest, list(range(1, newest + 1)))

    play(scenario)


def test_every_operation_of_the_model_is_carried_out_or_refused_by_name() -> None:
    names = botocore.session.get_session().get_service_model("ecs").operation_names

    async def scenario(ground: Ground) -> None:
        port = ground.door.port
        answers = await call(lambda: {name: raw(port, name) for name in names})
        carried_out = {name for name, answer in answers.items() if answer.get("__type") != "UnsupportedOperation"}

        assert carried_out == {
            *("DescribeClusters", "DescribeServices", "DescribeTaskDefinition", "DescribeTasks"),
            *("GetTaskProtection", "ListClusters", "ListServices", "ListTaskDefinitions", "ListTasks"),
            *("StopTask", "UpdateService", "UpdateTaskProtection"),
        }
        assert all(name in answers[name]["message"] for name in {*names} - carried_out)
        assert ground.server.requests["ListTasks"] == 1

    play(scenario)


@pytest.mark.parametrize("body", ["[]", "{", '{"cluster": 1}', '{"maxResults": "1"}', '{"serviceName": ["x"]}'])
def test_a_body_of_the_wrong_shape_is_a_serialization_exception(body: str) -> None:
    async def scenario(ground: Ground) -> None:
        assert (await call(raw, ground.door.port, "ListTasks", body))["__type"] == "SerializationException"

    play(scenario)


def raw(port: int, operation: str, body: str = "{}") -> dict[str, Any]:
    """Call an operation without boto3, which would check the parameters first."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/", body, {"X-Amz-Target": f"{EcsServer.SERVICE}.{operation}"})
        content = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    assert isinstance(content, dict)
    return content
