"""What is read of a live service: from moto where it serves it, from a script where it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.deploy.moto_server import MotoCloud
from tests.deploy.scripted_endpoint import ScriptedAws, a_deployment, a_service, a_task, serve_tasks

from forebay.deploy.clients import Clients
from forebay.deploy.live.asking import is_loopback
from forebay.deploy.live.status import read_status
from forebay.deploy.live.values import Age, Bounds, DeadLetters, Protected, Status, Tasks, Unread
from forebay.deploy.live.where import Where
from forebay.errors import DeployError

WHERE = Where(
    service="shop",
    cluster="shop-test",
    environment="test",
    queue="shop-test",
    log_group="/forebay/shop-test",
    stack="shop-test",
)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def seconds(at: datetime) -> float:
    return at.timestamp()


def a_service_on_moto(clients: Clients, *, count: int = 2) -> None:
    """Make what a deployment makes, as far as status looks at it."""
    clients.ecs.create_cluster(clusterName="shop-test")
    clients.ecs.register_task_definition(
        family="shop-test",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "worker", "image": "shop@sha256:0"}],
    )
    clients.ecs.create_service(
        cluster="shop-test", serviceName="shop", taskDefinition="shop-test", desiredCount=count, launchType="FARGATE"
    )
    dead = clients.sqs.create_queue(QueueName="shop-test-dead")["QueueUrl"]
    arn = clients.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 15})
    clients.sqs.create_queue(QueueName="shop-test", Attributes={"RedrivePolicy": policy})


def read(now: datetime = NOW, where: Where = WHERE) -> Status:
    return read_status(Clients(), where, now)


def test_a_deployed_service_is_read_with_its_queue_and_dead_letters(moto_cloud: MotoCloud) -> None:
    clients = moto_cloud.clients()
    a_service_on_moto(clients)
    queue = clients.sqs.get_queue_url(QueueName="shop-test")["QueueUrl"]
    dead = clients.sqs.get_queue_url(QueueName="shop-test-dead")["QueueUrl"]
    for url, count in ((queue, 3), (dead, 2)):
        for _ in range(count):
            clients.sqs.send_message(QueueUrl=url, MessageBody="1")
    clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)

    status = read()

    assert not isinstance(status.service, Unread)
    assert (status.service.desired, status.service.revision) == (2, 1)
    assert not isinstance(status.queue, Unread)
    assert (status.queue.visible, status.queue.in_flight, status.queue.delayed) == (2, 1, 0)
    assert status.queue.dead == DeadLetters("shop-test-dead", 2)
    assert status.queue.oldest is None
    assert status.scaling is None


def on_moto(request: pytest.FixtureRequest) -> None:
    cloud: MotoCloud = request.getfixturevalue("moto_cloud")
    clients = cloud.clients()
    a_service_on_moto(clients, count=0)
    clients.ecs.update_service(cluster="shop-test", service="shop", desiredCount=2)
    url = clients.sqs.get_queue_url(QueueName="shop-test")["QueueUrl"]
    clients.sqs.send_message(QueueUrl=url, MessageBody="1")


def in_script(request: pytest.FixtureRequest) -> None:
    aws: ScriptedAws = request.getfixturevalue("scripted_aws")
    deployment = a_deployment(taskDefinition="shop-test:1", desiredCount=0, runningCount=0)
    aws.on("DescribeServices", a_service(count=2, taskDefinition="shop-test:1", deployments=[deployment]))
    serve_tasks(aws)
    aws.on("DescribeScalableTargets", {"ScalableTargets": []})
    aws.on("GetQueueUrl", lambda asked: {"QueueUrl": f"{aws.endpoint}/1/{asked['QueueName']}"})
    redrive = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:1:shop-test-dead", "maxReceiveCount": 15})

    def attributes(asked: dict[str, str]) -> dict[str, dict[str, str]]:
        if asked["QueueUrl"].endswith("-dead"):
            return {"Attributes": {"ApproximateNumberOfMessages": "0"}}
        return {"Attributes": {"ApproximateNumberOfMessages": "1", "RedrivePolicy": redrive}}

    aws.on("GetQueueAttributes", attributes)


@pytest.mark.parametrize("ground", [on_moto, in_script])
def test_moto_and_the_script_are_read_alike(
    request: pytest.FixtureRequest, ground: Callable[[pytest.FixtureRequest], None]
) -> None:
    ground(request)

    status = read()

    assert not isinstance(status.service, Unread)
    assert (status.service.desired, status.service.running, status.service.revision) == (2, 2, 1)
    assert [(one.status, one.revision, one.rollout) for one in status.service.deployments] == [
        ("PRIMARY", "1", "completed")
    ]
    assert status.tasks == Tasks((), ())
    assert status.scaling is None
    assert not isinstance(status.queue, Unread)
    assert (status.queue.name, status.queue.visible, status.queue.in_flight) == ("shop-test", 1, 0)
    assert status.queue.dead == DeadLetters("shop-test-dead", 0)


def test_the_age_of_the_oldest_message_carries_the_time_at_which_cloudwatch_looked(moto_cloud: MotoCloud) -> None:
    clients = moto_cloud.clients()
    a_service_on_moto(clients)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for minutes, age in ((3, 10.0), (1, 70.0), (2, 40.0)):
        clients.cloudwatch.put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": "shop-test"}],
                    "Timestamp": now - timedelta(minutes=minutes),
                    "Value": age,
                }
            ],
        )

    status = read(now)

    assert not isinstance(status.queue, Unread)
    assert status.queue.oldest == Age(70.0, now - timedelta(minutes=1))


def test_only_the_services_alarms_are_read_those_that_ring_first_and_those_that_only_scale_last(
    moto_cloud: MotoCloud,
) -> None:
    clients = moto_cloud.clients()
    a_service_on_moto(clients)
    tracking = "TargetTracking-service/shop-test/shop-AlarmHigh-1b2c"
    ours = ("shop-test-OldestMessageAlarm-1X2Y", "shop-test-DeadLettersAlarm-3Z", tracking)
    names = (*ours, "shop-test-eu-OldestMessageAlarm-1", "shop-OldestMessageAlarm-1", "shop-test-mine")
    for name in names:
        clients.cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName="m",
            Namespace="n",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            Statistic="Maximum",
            ComparisonOperator="GreaterThanThreshold",
        )
        clients.cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="")
    for name in ("shop-test-DeadLettersAlarm-3Z", tracking):
        clients.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="")

    status = read()

    assert not isinstance(status.alarms, Unread)
    assert [(alarm.label, alarm.state) for alarm in status.alarms] == [
        ("DeadLettersAlarm", "ALARM"),
        ("OldestMessageAlarm", "OK"),
        ("AlarmHigh", "ALARM"),
    ]


def test_bounds_are_read_and_activities_that_cannot_be_are_told_beside_them(moto_cloud: MotoCloud) -> None:
    """Moto has no DescribeScalingActivities, as a role may lack the permission."""
    clients = moto_cloud.clients()
    a_service_on_moto(clients)
    clients.application_autoscaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/shop-test/shop",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=8,
        SuspendedState={"DynamicScalingInSuspended": True},
    )

    status = read()

    assert status.scaling is not None
    assert not isinstance(status.scaling, Unread)
    assert status.scaling.bounds == Bounds(least=1, most=8, suspended=("in",))
    assert isinstance(status.scaling.activities, Unread)


def test_a_service_that_is_not_there_is_one_sentence_with_the_remedy(moto_cloud: MotoCloud) -> None:
    del moto_cloud
    with pytest.raises(DeployError, match=r"there is no cluster shop-test: `forebay deploy --env test` makes it"):
        read()


def test_when_everything_is_refused_the_first_reason_is_the_error(scripted_aws: ScriptedAws) -> None:
    scripted_aws.refuse("DescribeServices", "UnrecognizedClientException")

    with pytest.raises(DeployError, match=r"^reading the service: AWS does not accept the credentials"):
        read()


def test_nobody_there_is_told_after_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    with pytest.raises(DeployError, match=r"^reading the service: http://127\.0\.0\.1:9/? cannot be reached"):
        read()


def test_without_a_region_it_is_the_error_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(DeployError, match=r"^reading the service: no AWS Region is set"):
        read()


def test_tasks_that_drain_are_alive_and_those_that_stopped_are_told_with_the_container_s_own_reason(
    scripted_aws: ScriptedAws,
) -> None:
    scripted_aws.on("DescribeServices", a_service())
    killed = {"name": "worker", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
    serve_tasks(
        scripted_aws,
        a_task("aaaa1111", startedAt=seconds(NOW - timedelta(minutes=8))),
        a_task("bbbb2222", desiredStatus="STOPPED", startedAt=seconds(NOW - timedelta(hours=1))),
        a_task(
            "cccc3333",
            lastStatus="STOPPED",
            desiredStatus="STOPPED",
            stoppedReason="Essential container in task exited",
            stopCode="EssentialContainerExited",
            stoppedAt=seconds(NOW),
            containers=[killed],
        ),
    )
    protected = {
        "taskArn": "a/aaaa1111",
        "protectionEnabled": True,
        "expirationDate": seconds(NOW + timedelta(hours=2)),
    }
    idle = {"taskArn": "a/bbbb2222", "protectionEnabled": False}
    scripted_aws.on("GetTaskProtection", {"protectedTasks": [protected, idle], "failures": []})

    status = read()

    assert not isinstance(status.tasks, Unread)
    assert [(task.task_id, task.is_stopping) for task in status.tasks.alive] == [
        ("bbbb2222", True),
        ("aaaa1111", False),
    ]
    [group] = status.tasks.stopped
    assert (group.count, group.task_ids) == (1, ("cccc3333",))
    assert "exit code 137" in group.reason
    assert "OutOfMemoryError" in group.reason
    assert group.hint is not None
    assert status.protected == (Protected("aaaa1111", NOW + timedelta(hours=2)),)


def test_three_hundred_tasks_are_asked_about_in_calls_of_a_hundred(scripted_aws: ScriptedAws) -> None:
    scripted_aws.on("DescribeServices", a_service(count=250))
    serve_tasks(scripted_aws, *(a_task(f"task{number:04}") for number in range(250)))
    scripted_aws.on(
        "GetTaskProtection",
        lambda asked: {"protectedTasks": [{"taskArn": one, "protectionEnabled": True} for one in asked["tasks"]]},
    )

    status = read()

    assert not isinstance(status.protected, Unread)
    assert len(status.protected) == 250
    for operation in ("DescribeTasks", "GetTaskProtection"):
        assert [len(asked["tasks"]) for asked in scripted_aws.asked(operation)] == [100, 100, 50]


def test_what_is_denied_is_told_in_its_place_and_the_rest_is_read(scripted_aws: ScriptedAws) -> None:
    scripted_aws.on("DescribeServices", a_service())
    serve_tasks(scripted_aws, a_task("aaaa1111"))
    scripted_aws.refuse(
        "GetTaskProtection",
        "AccessDeniedException",
        "User: arn:aws:iam::1:user/ann is not authorized to perform: ecs:GetTaskProtection on resource: *",
    )

    status = read()

    assert not isinstance(status.tasks, Unread)
    assert len(status.tasks.alive) == 1
    assert isinstance(status.protected, Unread)
    assert "arn:aws:iam::1:user/ann lacks the permission ecs:GetTaskProtection" in status.protected.reason


def test_what_scaling_did_and_why_it_did_not_are_sentences(scripted_aws: ScriptedAws) -> None:
    scripted_aws.on("DescribeServices", a_service())
    serve_tasks(scripted_aws)
    scripted_aws.on("DescribeScalableTargets", {"ScalableTargets": [{"MinCapacity": 0, "MaxCapacity": 4}]})
    did = {"Description": "Setting desired count to 4.", "StatusCode": "Successful", "StartTime": seconds(NOW)}
    failed = {**did, "StatusCode": "Failed", "StatusMessage": "Rate exceeded"}
    did_not = {**did, "StatusCode": "NotScaled", "NotScaledReasons": [{"Code": "AlreadyAtMaxCapacity"}]}
    scripted_aws.on("DescribeScalingActivities", {"ScalingActivities": [did, failed, did_not]})

    status = read()

    assert status.scaling is not None
    assert not isinstance(status.scaling, Unread)
    assert not isinstance(status.scaling.activities, Unread)
    assert [one.text for one in status.scaling.activities] == [
        "Setting desired count to 4",
        "Setting desired count to 4 (Failed: Rate exceeded)",
        "not scaled: at its maximum already",
    ]


def test_several_deployments_are_read_with_their_states(scripted_aws: ScriptedAws) -> None:
    old = a_deployment(id="ecs-svc/0", status="ACTIVE", desiredCount=0)
    new = a_deployment(rolloutState="IN_PROGRESS", rolloutStateReason="in progress.", runningCount=0, failedTasks=3)
    scripted_aws.on("DescribeServices", a_service(deployments=[new, old]))
    serve_tasks(scripted_aws)

    status = read()

    assert not isinstance(status.service, Unread)
    assert [(one.status, one.rollout, one.failed) for one in status.service.deployments] == [
        ("PRIMARY", "in progress", 3),
        ("ACTIVE", "completed", 0),
    ]


def test_a_local_ecs_stands_alone_and_no_question_leaves_the_machine(
    scripted_aws: ScriptedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`forebay local` leads only ECS and SQS here; the others' endpoints would be AWS's own."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", scripted_aws.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", scripted_aws.endpoint)
    scripted_aws.on("DescribeServices", a_service())
    serve_tasks(scripted_aws)
    scripted_aws.on("GetQueueUrl", {"QueueUrl": f"{scripted_aws.endpoint}/1/shop-test"})
    scripted_aws.on("GetQueueAttributes", {"Attributes": {"ApproximateNumberOfMessages": "4"}})

    status = read()

    assert not isinstance(status.queue, Unread)
    assert status.queue.visible == 4
    for value in (status.queue.oldest, status.scaling, status.alarms):
        assert isinstance(value, Unread)
        assert value.is_elsewhere


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:8481", True),
        ("http://localhost:1", True),
        ("http://[::1]:80", True),
        ("https://ecs.eu-central-1.amazonaws.com", False),
        ("https://localhost.example.org", False),
    ],
)
def test_an_address_of_this_machine_is_known(url: str, is_here: bool) -> None:
    assert is_loopback(url) is is_here
