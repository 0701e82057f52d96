"""Who hears of alarms, failed deployments and tasks that end as they should not: an SNS topic, and events to it. Pure.

Rules kept here and nowhere else:

1. A topic that the manifest names is used as it is. The stack makes one of its own only for addresses.
2. Events are told only where somebody listens. A task that ECS stops, also one that Spot takes back, is no news; one
   that ends by itself with an error, or cannot start, is.
3. The topic is not encrypted with a key: AWS's own one cannot be used by alarms at all, and with a key of ours a
   mistake in its policy would lose an alarm without a word. Names and figures are sent, never a message's body.
"""

from __future__ import annotations

from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template.cluster import cluster_name
from forebay.deploy.template.contract import ALARM_TOPIC
from forebay.deploy.template.intrinsics import Json, Piece, allow, arn, ref, resource, short_hash

DEPLOYMENT_FAILED = "DeploymentFailedRule"
TASK_FAILED = "TaskFailedRule"


def actions(manifest: Manifest) -> list[Any]:
    """Return the topics that alarms are sent to, as values of a template."""
    own = [ref(ALARM_TOPIC)] if manifest.alarms.emails else []
    return [*([manifest.alarms.notify] if manifest.alarms.notify else []), *own]


def piece(manifest: Manifest, names: Names) -> Piece:
    """Return the topic with its subscribers, and the rules for events."""
    topics = actions(manifest) if manifest.alarms.enabled else []
    if not topics:
        return Piece()
    resources = {
        DEPLOYMENT_FAILED: _deployment_failed(manifest, names, topics),
        TASK_FAILED: _task_failed(manifest, names, topics),
    }
    if manifest.alarms.emails:
        resources |= _topic(manifest, names)
    return Piece(resources=resources)


def _topic(manifest: Manifest, names: Names) -> dict[str, Json]:
    topic = resource(
        "AWS::SNS::Topic",
        "The topic that tells people about trouble",
        {"DisplayName": names.stack[:100]},
        despite={"CKV_AWS_26": "Alarms cannot publish through AWS's key, and a lost alarm is worse; no body is sent"},
    )
    policy = resource(
        "AWS::SNS::TopicPolicy",
        "Who may publish to the topic: this account's alarms, and rules for events",
        {
            "Topics": [ref(ALARM_TOPIC)],
            "PolicyDocument": {"Version": "2012-10-17", "Statement": _publishers()},
        },
    )
    mails = {
        # By the address and not by its place: SNS has one subscription for each, and would lose one that moves up.
        f"AlarmMail{short_hash(address)}": resource(
            "AWS::SNS::Subscription",
            f"Mails for {_short(address)}, once its owner has confirmed",
            {"TopicArn": ref(ALARM_TOPIC), "Protocol": "email", "Endpoint": address},
        )
        for address in manifest.alarms.emails
    }
    return {ALARM_TOPIC: topic, "AlarmTopicPolicy": policy, **mails}


def _short(address: str) -> str:
    return address if len(address) <= 40 else f"{address[:37]}..."


def _publishers() -> list[Json]:
    this_account = {"aws:SourceAccount": ref("AWS::AccountId")}
    return [
        allow(
            ["sns:Publish"],
            ref(ALARM_TOPIC),
            sid="Alarms",
            principal={"Service": "cloudwatch.amazonaws.com"},
            condition={"StringEquals": this_account, "ArnLike": {"aws:SourceArn": arn("cloudwatch", "alarm:*")}},
        ),
        # Without a condition: EventBridge tells SNS neither account nor rule, so that any would refuse its messages
        # without a word ("You can't use Condition blocks in Amazon SNS topic policies for EventBridge").
        allow(["sns:Publish"], ref(ALARM_TOPIC), sid="Events", principal={"Service": "events.amazonaws.com"}),
    ]


def _rule(description: str, pattern: Json, topics: list[Any], paths: dict[str, str], sentence: str) -> Json:
    return resource(
        "AWS::Events::Rule",
        description,
        {
            "Description": description,
            "EventPattern": pattern,
            "State": "ENABLED",
            "Targets": [
                {
                    "Id": f"topic-{number}",
                    "Arn": topic,
                    "InputTransformer": {"InputPathsMap": paths, "InputTemplate": f'"{sentence}"'},
                }
                for number, topic in enumerate(topics, start=1)
            ],
        },
    )


def _deployment_failed(manifest: Manifest, names: Names, topics: list[Any]) -> Json:
    return _rule(
        "Tells when a deployment fails",
        {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Deployment State Change"],
            "resources": [arn("ecs", f"service/{cluster_name(manifest, names)}/{names.service}")],
            "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
        },
        topics,
        {"deployment": "$.detail.deploymentId", "reason": "$.detail.reason"},
        f"{names.stack}: a deployment failed (<deployment>): <reason> Look first at: forebay status -e "
        f"{names.environment}",
    )


def _task_failed(manifest: Manifest, names: Names, topics: list[Any]) -> Json:
    ended_badly = {"stopCode": ["EssentialContainerExited"], "containers": {"exitCode": [{"anything-but": [0]}]}}
    return _rule(
        "Tells when a task ends with an error or cannot start",
        {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {
                "clusterArn": [arn("ecs", f"cluster/{cluster_name(manifest, names)}")],
                "group": [f"service:{names.service}"],
                "lastStatus": ["STOPPED"],
                "$or": [{"stopCode": ["TaskFailedToStart"]}, ended_badly],
            },
        },
        topics,
        {"task": "$.detail.taskArn", "code": "$.detail.stopCode", "reason": "$.detail.stoppedReason"},
        f"{names.stack}: a task stopped (<code>): <reason> Task: <task>. Look first at: forebay logs -e "
        f"{names.environment}",
    )
