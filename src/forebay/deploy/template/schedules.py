"""Jobs that EventBridge Scheduler puts on the queue. Pure.

Rules kept here and nowhere else:

1. The schedule calls SendMessage itself (a universal target). Scheduler's own form for SQS has no message attributes,
   and the attribute `job` is what leads a message to its handler.
2. Only schedules of this stack's group may use the role, and all it can do is to send to this queue.
3. What cannot be sent is tried again for as long as it makes sense: until the next turn, an hour at most. A queue that
   comes back after a day is not flooded with yesterday's jobs. `SchedulesAlarm` tells what was dropped.
4. A FIFO queue gets the planned time as deduplication id, so that a second try is no second job.
"""

from __future__ import annotations

import json
from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.surroundings import Schedule
from forebay.deploy.names import Names
from forebay.deploy.template import contract, encryption
from forebay.deploy.template.intrinsics import Json, Piece, allow, arn, get_att, logical_id, ref, resource, sub

TARGET = "arn:${AWS::Partition}:scheduler:::aws-sdk:sqs:sendMessage"
LATE_MAX_S = 3_600
RETRIES_MAX = 60
GROUP = "ScheduleGroup"
ROLE = "ScheduleRole"
TIME = "<aws.scheduler.scheduled-time>"
"""Scheduler puts the planned time here, the same at each try."""


def piece(manifest: Manifest, names: Names) -> Piece:
    """Return the schedules, their group and the role that they send with."""
    if not manifest.schedules:
        return Piece()
    is_fifo = manifest.queue.type == "fifo"
    schedules = {
        logical_id("Schedule", name, taken=(GROUP, ROLE)): _schedule(name, schedule, is_fifo=is_fifo)
        for name, schedule in manifest.schedules.items()
    }
    group = resource("AWS::Scheduler::ScheduleGroup", "The schedules of this service", {"Name": names.stack})
    return Piece(resources={GROUP: group, ROLE: _role(manifest, names), **schedules})


def _role(manifest: Manifest, names: Names) -> Json:
    trust = allow(
        ["sts:AssumeRole"],
        None,
        principal={"Service": "scheduler.amazonaws.com"},
        condition={
            "StringEquals": {
                "aws:SourceAccount": ref("AWS::AccountId"),
                "aws:SourceArn": arn("scheduler", f"schedule-group/{names.stack}"),
            }
        },
    )
    del trust["Resource"]  # A trust policy has none: the role itself is it.
    statements = [
        allow(["sqs:SendMessage"], get_att(contract.QUEUE, "Arn"), sid="PutJobsOnTheQueue"),
        *encryption.statements(manifest, sends=True),
    ]
    return resource(
        "AWS::IAM::Role",
        "What the schedules may do: send to the queue",
        {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "send", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
        },
    )


def _schedule(name: str, schedule: Schedule, *, is_fifo: bool) -> Json:
    window = (
        {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": round(schedule.jitter / 60)}
        if schedule.jitter
        else {"Mode": "OFF"}
    )
    late_s = LATE_MAX_S if schedule.every is None else min(LATE_MAX_S, round(schedule.every))
    return resource(
        "AWS::Scheduler::Schedule",
        f"Puts job {schedule.job or 'without a name'} on the queue: {name}",
        {
            "Name": name,
            "GroupName": ref(GROUP),
            "ScheduleExpression": expression(schedule),
            **({"ScheduleExpressionTimezone": schedule.timezone} if schedule.cron else {}),
            "State": "ENABLED" if schedule.enabled else "DISABLED",
            "FlexibleTimeWindow": window,
            "Target": {
                "Arn": sub(TARGET),
                "RoleArn": get_att(ROLE, "Arn"),
                "Input": _input(name, schedule, is_fifo=is_fifo),
                "RetryPolicy": {"MaximumEventAgeInSeconds": late_s, "MaximumRetryAttempts": RETRIES_MAX},
            },
        },
    )


def expression(schedule: Schedule) -> str:
    """Return when, as Scheduler writes it."""
    if schedule.every is None:
        return f"cron({schedule.cron})"
    minutes = round(schedule.every / 60)
    for unit, length in (("day", 1440), ("hour", 60)):
        if minutes % length == 0:
            return f"rate({minutes // length} {unit}{'s' * (minutes != length)})"
    return f"rate({minutes} minute{'s' * (minutes != 1)})"


def _input(name: str, schedule: Schedule, *, is_fifo: bool) -> Json:
    """Return the call's parameters: JSON text, in which only the queue's URL is filled in by CloudFormation."""
    body = schedule.body if isinstance(schedule.body, str) else json.dumps(schedule.body)
    message: dict[str, Any] = {"MessageBody": body}
    if schedule.job:
        message["MessageAttributes"] = {"job": {"DataType": "String", "StringValue": schedule.job}}
    if schedule.group:
        message["MessageGroupId"] = schedule.group
    if is_fifo:
        message["MessageDeduplicationId"] = f"{name}-{TIME}"
    text = json.dumps(message).replace("${", "${!")  # CloudFormation's way to write ${ itself.
    return sub(f'{{"QueueUrl": "${{{contract.QUEUE}}}", {text[1:]}')
