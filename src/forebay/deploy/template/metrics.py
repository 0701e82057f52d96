"""How a metric, a formula of metrics and an alarm are written in a template. Pure.

Rules kept here and nowhere else:

1. Every figure is one of a minute: SQS and ECS have no finer ones (facts/sqs.md section 5).
2. An alarm's description says what is wrong and what to do first, and where to read on: it is all that the mail holds.
3. Numbers in a formula have no exponent: CloudWatch's grammar has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template.cluster import cluster_name
from forebay.deploy.template.intrinsics import Json, resource

PERIOD_S = 60
DAY_S = 86_400
"""The longest that an alarm of one-minute periods can look back (API_PutMetricAlarm)."""

Missing = Literal["notBreaching", "missing", "ignore", "breaching"]


def number(value: float) -> str:
    return format(Decimal(repr(value)).normalize(), "f")


def of_queue(name: str, queue: str) -> Json:
    """Return a metric of a queue."""
    return {"Namespace": "AWS/SQS", "MetricName": name, "Dimensions": [{"Name": "QueueName", "Value": queue}]}


def of_service(name: str, manifest: Manifest, names: Names) -> Json:
    """Return a metric that Container Insights makes of the service."""
    return {
        "Namespace": "ECS/ContainerInsights",
        "MetricName": name,
        "Dimensions": [
            {"Name": "ClusterName", "Value": cluster_name(manifest, names)},
            {"Name": "ServiceName", "Value": names.service},
        ],
    }


def seen(name: str, metric: Json, statistic: str, **more: Any) -> Json:
    """Return one input of a formula. An alarm's has a `Period=`, a scaling policy's must not."""
    return {"Id": name, "MetricStat": {"Metric": metric, **more, "Stat": statistic}, "ReturnData": False}


def formula(name: str, expression: str, label: str | None = None) -> Json:
    """Return a formula; the one with a label is what is looked at."""
    shown: Json = {"Label": label, "ReturnData": True} if label else {"ReturnData": False}
    return {"Id": name, "Expression": expression, **shown}


def alarm(
    description: str,
    first_aid: str,
    watched: Json | Sequence[Json],
    *,
    comparison: Literal[">", ">="],
    threshold: float,
    periods: int,
    breaching: int | None = None,
    statistic: str = "Maximum",
    missing: Missing = "notBreaching",
    actions: Sequence[Any] = (),
) -> Json:
    """Return an alarm on one metric, or on formulas of which one has a label.

    `breaching` of the last `periods` minutes must be beyond the threshold; all of them when omitted.
    """
    single = {**watched, "Statistic": statistic, "Period": PERIOD_S} if isinstance(watched, dict) else None
    return resource(
        "AWS::CloudWatch::Alarm",
        description,
        {
            "AlarmDescription": first_aid,
            **(single if single is not None else {"Metrics": list(watched)}),
            "ComparisonOperator": {">": "GreaterThanThreshold", ">=": "GreaterThanOrEqualToThreshold"}[comparison],
            "Threshold": threshold,
            "EvaluationPeriods": periods,
            "DatapointsToAlarm": periods if breaching is None else breaching,
            "TreatMissingData": missing,
            **({"AlarmActions": list(actions)} if actions else {}),
        },
    )
