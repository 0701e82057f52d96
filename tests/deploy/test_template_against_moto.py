"""What CloudFormation would call for the surroundings of a service, called directly against moto.

Moto passes over scaling in templates, and has no word on most of the others. Called directly, botocore checks every
parameter against AWS's own model, and moto keeps what it was given: so a property that AWS does not know cannot hide.
"""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from tests.deploy.golden import loaded, template
from tests.deploy.moto_server import ACCOUNT, REGION, MotoCloud

from forebay.deploy.template.intrinsics import Json
from forebay.deploy.template.resolving import Account, Resource, resolved

MANIFESTS = ("tiny", "scaled", "schedules_topics", "everything")
HERE = Account(region=REGION, number=ACCOUNT)


def client(service: str, region: str = REGION) -> Any:
    import boto3

    # boto3's stubs know only the services whose stubs are installed.
    return boto3.Session(region_name=region).client(service)  # type: ignore[call-overload]  # pyright: ignore


def resources(name: str, *kinds: str) -> dict[str, Resource]:
    found = resolved(template(name), HERE, {"Image": "image", "VpcId": "vpc-1", "SubnetIds": "subnet-1"})
    return {logical_id: resource for logical_id, resource in found.items() if resource.kind in kinds}


def made_service(name: str) -> str:
    """Make what the scalable target names, and return its id."""
    names = loaded(name).names
    ecs = client("ecs")
    ecs.create_cluster(clusterName=names.cluster)
    container = {"name": "worker", "image": "image", "memory": 512}
    ecs.register_task_definition(family=names.family, containerDefinitions=[container])
    ecs.create_service(cluster=names.cluster, serviceName=names.service, taskDefinition=names.family, desiredCount=1)
    return f"service/{names.cluster}/{names.service}"


def registered(name: str) -> tuple[Any, Json]:
    """Register the scalable target of a template."""
    service = made_service(name)
    (target,) = resources(name, "AWS::ApplicationAutoScaling::ScalableTarget").values()
    scaling = client("application-autoscaling")
    scaling.register_scalable_target(**{**target.properties, "ResourceId": service})
    return scaling, {**target.properties, "ResourceId": service}


@pytest.mark.parametrize("name", ["scaled", "everything"])
def test_the_scalable_target_is_taken_as_the_template_says(name: str, moto_cloud: MotoCloud) -> None:
    scaling, said = registered(name)

    (kept,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert {key: kept[key] for key in said} == said


@pytest.mark.parametrize("name", ["scaled", "everything"])
def test_the_target_names_the_service_of_the_template(name: str) -> None:
    (target,) = resources(name, "AWS::ApplicationAutoScaling::ScalableTarget").values()
    names = loaded(name).names

    text = template(name)["Resources"]["ScalableTarget"]["Properties"]["ResourceId"]["Fn::Sub"]
    assert text == f"service/{names.cluster}/${{Service.Name}}"
    assert target.properties["ScalableDimension"] == "ecs:service:DesiredCount"


@pytest.mark.parametrize(("name", "count"), [("scaled", 3), ("everything", 1)])
def test_every_scaling_policy_is_taken_as_the_template_says(name: str, count: int, moto_cloud: MotoCloud) -> None:
    scaling, target = registered(name)
    policies = resources(name, "AWS::ApplicationAutoScaling::ScalingPolicy").values()
    for policy in policies:
        said = {key: value for key, value in policy.properties.items() if key != "ScalingTargetId"}
        said |= {key: target[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}

        scaling.put_scaling_policy(**said)

    answer = scaling.describe_scaling_policies(ServiceNamespace="ecs")
    kept = {found["PolicyName"]: found for found in answer["ScalingPolicies"]}
    assert len(kept) == len(policies) == count
    for policy in policies:
        name_, kind = policy.properties["PolicyName"], policy.properties["PolicyType"]
        configuration = f"{kind}PolicyConfiguration"
        assert kept[name_][configuration] == policy.properties[configuration]


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_alarm_is_taken_as_the_template_says(name: str, moto_cloud: MotoCloud) -> None:
    cloudwatch = client("cloudwatch")
    alarms = resources(name, "AWS::CloudWatch::Alarm")
    for logical_id, alarm in alarms.items():
        cloudwatch.put_metric_alarm(AlarmName=logical_id, **alarm.properties)

    kept = {alarm["AlarmName"]: alarm for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert kept.keys() == alarms.keys()
    for logical_id, alarm in alarms.items():
        for key in ("AlarmDescription", "Threshold", "EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData"):
            assert kept[logical_id][key] == alarm.properties[key], (logical_id, key)
        assert kept[logical_id].get("AlarmActions", []) == alarm.properties.get("AlarmActions", [])
        assert [query["Id"] for query in kept[logical_id].get("Metrics", [])] == [
            query["Id"] for query in alarm.properties.get("Metrics", [])
        ]


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_dashboard_is_taken_as_the_template_says(name: str, moto_cloud: MotoCloud) -> None:
    cloudwatch = client("cloudwatch")
    (dashboard,) = resources(name, "AWS::CloudWatch::Dashboard").values()

    answer = cloudwatch.put_dashboard(**dashboard.properties)

    assert answer.get("DashboardValidationMessages", []) == []
    kept = cloudwatch.get_dashboard(DashboardName=dashboard.properties["DashboardName"])
    assert json.loads(kept["DashboardBody"]) == json.loads(dashboard.properties["DashboardBody"])


@pytest.mark.parametrize("name", ["schedules_topics", "everything"])
def test_every_schedule_is_taken_as_the_template_says(name: str, moto_cloud: MotoCloud) -> None:
    scheduler = client("scheduler")
    (group,) = resources(name, "AWS::Scheduler::ScheduleGroup").values()
    scheduler.create_schedule_group(**group.properties)
    schedules = resources(name, "AWS::Scheduler::Schedule").values()
    for schedule in schedules:
        scheduler.create_schedule(**schedule.properties)

    assert len(schedules) == 2
    for schedule in schedules:
        said = schedule.properties
        kept = scheduler.get_schedule(GroupName=said["GroupName"], Name=said["Name"])
        for key in ("ScheduleExpression", "FlexibleTimeWindow", "State"):
            assert kept[key] == said[key]
        assert kept["Target"]["Input"] == said["Target"]["Input"]
        assert kept["Target"]["RetryPolicy"] == said["Target"]["RetryPolicy"]


def test_what_a_schedule_calls_is_a_call_that_sqs_takes(moto_cloud: MotoCloud) -> None:
    """The parameters of a universal target are the API's own, so they must do for the call itself."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="shop")["QueueUrl"]
    for schedule in resources("schedules_topics", "AWS::Scheduler::Schedule").values():
        call = json.loads(schedule.properties["Target"]["Input"])
        sqs.send_message(**{**call, "QueueUrl": url})

    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])

    jobs = {
        message.get("MessageAttributes", {}).get("job", {}).get("StringValue"): message["Body"]
        for message in answer["Messages"]
    }
    assert jobs == {"clean": '{"days": 30}', None: "tick"}


@pytest.mark.parametrize("name", ["schedules_topics", "everything"])
def test_every_subscription_is_taken_as_the_template_says(name: str, moto_cloud: MotoCloud) -> None:
    queue = resources(name, "AWS::SQS::Queue")
    for found in queue.values():
        client("sqs").create_queue(QueueName=found.properties["QueueName"])
    for subscription in resources(name, "AWS::SNS::Subscription").values():
        said = subscription.properties
        if said["Protocol"] != "sqs":
            continue
        sns = client("sns", said["Region"])
        sns.create_topic(Name=said["TopicArn"].rpartition(":")[2])
        attributes = {
            key: said[key] if isinstance(said[key], str) else json.dumps(said[key])
            for key in ("RawMessageDelivery", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy")
            if key in said
        }

        answer = sns.subscribe(
            TopicArn=said["TopicArn"], Protocol="sqs", Endpoint=said["Endpoint"], Attributes=attributes
        )

        kept = sns.get_subscription_attributes(SubscriptionArn=answer["SubscriptionArn"])["Attributes"]
        assert {key: kept[key] for key in attributes} == attributes


@pytest.mark.parametrize("name", ["everything"])
def test_every_rule_is_taken_as_the_template_says(name: str, moto_cloud: MotoCloud) -> None:
    events = client("events")
    rules = resources(name, "AWS::Events::Rule")
    for logical_id, rule in rules.items():
        said = rule.properties
        events.put_rule(Name=logical_id, EventPattern=json.dumps(said["EventPattern"]), State=said["State"])
        answer = events.put_targets(Rule=logical_id, Targets=said["Targets"])
        assert answer["FailedEntryCount"] == 0

    assert len(rules) == 2


ENDED: Json = {
    "source": "aws.ecs",
    "detail-type": "ECS Task State Change",
    "detail": {
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/ledger-test",
        "group": "service:ledger",
        "lastStatus": "STOPPED",
    },
}


ENDS: list[tuple[Json, bool]] = [
    ({"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 137}]}, True),
    ({"stopCode": "EssentialContainerExited", "containers": [{"exitCode": 0}]}, False),
    ({"stopCode": "TaskFailedToStart", "containers": [{}]}, True),
    ({"stopCode": "ServiceSchedulerInitiated", "containers": [{"exitCode": 0}]}, False),
    ({"stopCode": "SpotInterruption", "containers": [{"exitCode": 143}]}, False),
    ({"stopCode": "TaskFailedToStart", "containers": [{}], "group": "service:other"}, False),
    ({"stopCode": "TaskFailedToStart", "containers": [{}], "lastStatus": "DEPROVISIONING"}, False),
]


@pytest.mark.parametrize(("detail", "is_told"), ENDS)
def test_a_task_is_told_of_when_it_ends_badly_by_itself(detail: Json, is_told: bool) -> None:
    rule = resources("everything", "AWS::Events::Rule")["TaskFailedRule"]
    event = {**ENDED, "detail": {**ENDED["detail"], **detail}}

    assert matches(rule.properties["EventPattern"], event) is is_told


def matches(pattern: Json, event: Json) -> bool:
    """Whether an event matches, as EventBridge documents it for what our patterns use."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(one, event) for one in wanted):
                return False
        elif isinstance(wanted, dict):
            inner: Any = event.get(key)
            # An array of objects matches when one of them does.
            inners = cast("list[Json]", inner if isinstance(inner, list) else [inner or {}])
            if not any(matches(cast("Json", wanted), one) for one in inners):
                return False
        elif not any(_is(one, event.get(key)) for one in wanted):
            return False
    return True


def _is(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        return value is not None and value not in wanted["anything-but"]
    return bool(wanted == value)
