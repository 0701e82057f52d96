"""Scaling, alarms, schedules and the network of a template. Pure.

Rules kept here and nowhere else:

1. A network is known only where the template makes it: subnets that are named by id say nothing of their routes.
2. A wake-up is a step policy that adds at least one task or sets a number of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from forebay.deploy.doctor.attributes import items, members, number, texts, whole
from forebay.deploy.doctor.facts import Alarm, Network, Policy, Scaling, Schedule
from forebay.deploy.template.intrinsics import Json
from forebay.deploy.template.resolving import Resource

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNITS_S = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
_ANYWHERE = ("0.0.0.0/0", "::/0")


def of(resources: Mapping[str, Resource], *kinds: str) -> list[Resource]:
    """Return the resources of these types, in the template's order."""
    return [one for one in resources.values() if one.kind in kinds]


def scaling(resources: Mapping[str, Resource]) -> Scaling | None:
    """Return the scalable target with its policies; None when nothing scales."""
    for target in of(resources, "AWS::ApplicationAutoScaling::ScalableTarget"):
        return Scaling(
            place=target.logical_id,
            minimum=whole(target.properties.get("MinCapacity")) or 0,
            maximum=whole(target.properties.get("MaxCapacity")) or 0,
            policies=tuple(
                policy(one.properties, place=one.logical_id)
                for one in of(resources, "AWS::ApplicationAutoScaling::ScalingPolicy")
            ),
        )
    return None


def policy(written: Mapping[str, Any], *, place: str) -> Policy:
    """Return a policy of Application Auto Scaling, of a template or of its own API: both spell it alike."""
    tracking = members(written.get("TargetTrackingScalingPolicyConfiguration"))
    steps = members(written.get("StepScalingPolicyConfiguration"))
    custom = members(tracking.get("CustomizedMetricSpecification"))
    predefined = members(tracking.get("PredefinedMetricSpecification")).get("PredefinedMetricType")
    adds = [number(one.get("ScalingAdjustment"), 0) for one in items(steps.get("StepAdjustments"))]
    target = tracking.get("TargetValue")
    return Policy(
        place=place,
        kind=str(written.get("PolicyType", "StepScaling")),
        target=None if target is None else number(target, 0.0),
        predefined=None if predefined is None else str(predefined),
        metrics=tuple(_metrics(custom)),
        expressions=tuple(str(one["Expression"]) for one in items(custom.get("Metrics")) if one.get("Expression")),
        adds_from_zero=any(one > 0 for one in adds) and steps.get("AdjustmentType") != "PercentChangeInCapacity",
    )


def _metrics(custom: Json) -> Iterator[tuple[str, str]]:
    if custom.get("MetricName"):
        yield str(custom.get("Namespace")), str(custom["MetricName"])
    for one in items(custom.get("Metrics")):
        metric = members(members(one.get("MetricStat")).get("Metric"))
        if metric:
            yield str(metric.get("Namespace")), str(metric.get("MetricName"))


def alarm(written: Mapping[str, Any], *, place: str) -> Alarm | None:
    """Return an alarm on metrics of queues; None for any other."""
    metrics = [
        written,
        *(members(members(one.get("MetricStat")).get("Metric")) for one in items(written.get("Metrics"))),
    ]
    found = tuple(
        (str(dimension.get("Value")), str(metric.get("MetricName")))
        for metric in metrics
        if metric.get("Namespace") == "AWS/SQS"
        for dimension in items(metric.get("Dimensions"))
        if dimension.get("Name") == "QueueName"
    )
    threshold = written.get("Threshold")
    return (
        Alarm(
            place=place,
            name=str(written.get("AlarmName", place)),
            metrics=found,
            threshold=None if threshold is None else number(threshold, 0.0),
            actions=len(texts(written.get("AlarmActions"))),
        )
        if found
        else None
    )


def schedule(written: Mapping[str, Any], *, place: str) -> Schedule | None:
    """Return a schedule that sends to a queue; None for any other."""
    target = members(written.get("Target"))
    arn = str(target.get("Arn", ""))
    rate = _RATE.fullmatch(str(written.get("ScheduleExpression")))
    every_s = int(rate[1]) * _UNITS_S[rate[2]] if rate else None
    if arn.endswith(":aws-sdk:sqs:sendMessage"):
        call = _call(target.get("Input"))
        group = call.get("MessageGroupId")
        has_id = bool(call.get("MessageDeduplicationId"))
        return Schedule(place, every_s, str(call.get("QueueUrl")).rpartition("/")[2], group and str(group), has_id)
    if ":sqs:" in arn:
        group = members(target.get("SqsParameters")).get("MessageGroupId")
        return Schedule(place, every_s, arn.rpartition(":")[2], group and str(group), has_deduplication_id=False)
    return None


def _call(text: Any) -> Json:
    try:
        return members(json.loads(str(text)))
    except ValueError:
        return {}


def network(resources: Mapping[str, Resource]) -> Network | None:
    """Return how the tasks of the first service reach AWS."""
    services = of(resources, "AWS::ECS::Service")
    if not services:
        return None
    vpc = members(members(services[0].properties.get("NetworkConfiguration")).get("AwsvpcConfiguration"))
    subnets = set(texts(vpc.get("Subnets")))
    is_known = bool(subnets) and subnets <= {f"${{{one.logical_id}}}" for one in of(resources, "AWS::EC2::Subnet")}
    tables = _tables(resources, subnets)
    routes = [
        one.properties
        for one in of(resources, "AWS::EC2::Route")
        if str(one.properties.get("RouteTableId")) in tables and one.properties.get("DestinationCidrBlock") in _ANYWHERE
    ]
    endpoints = of(resources, "AWS::EC2::VPCEndpoint")
    return Network(
        place=services[0].logical_id,
        to_internet=any(one.get("GatewayId") for one in routes) if is_known else None,
        to_nat=any(one.get("NatGatewayId") for one in routes) if is_known else None,
        endpoints=frozenset(_endpoint(one) for one in endpoints) if is_known or endpoints else None,
        open_from=tuple(_open(resources, texts(vpc.get("SecurityGroups")))),
    )


def _tables(resources: Mapping[str, Resource], subnets: set[str]) -> set[str]:
    """Return the route tables of these subnets."""
    return {
        str(one.properties.get("RouteTableId"))
        for one in of(resources, "AWS::EC2::SubnetRouteTableAssociation")
        if str(one.properties.get("SubnetId")) in subnets
    }


def _endpoint(one: Resource) -> str:
    """Return `ecr.api` for `com.amazonaws.eu-west-1.ecr.api`."""
    return ".".join(str(one.properties.get("ServiceName", "")).split(".")[3:])


def _open(resources: Mapping[str, Resource], groups: tuple[str, ...]) -> Iterator[str]:
    for one in of(resources, "AWS::EC2::SecurityGroup"):
        if any(one.logical_id in group for group in groups):
            for rule in items(one.properties.get("SecurityGroupIngress")):
                if (source := str(rule.get("CidrIp") or rule.get("CidrIpv6") or "")) in _ANYWHERE:
                    yield source
