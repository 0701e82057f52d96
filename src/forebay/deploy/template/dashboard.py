"""One page that shows how the service does: what waits, what is done, what runs, what failed. Pure.

Rules kept here and nowhere else:

1. Rows go from the question that is asked first to the one that is asked last: does anything wait, is it being worked,
   by how many tasks, what goes wrong.
2. Only metrics that are there without any doing of the user's. What no metric has yet, how jobs ended and how long they
   took, is read from the log; CloudWatch charges for that when the page is open, so there are two such charts.
3. Everything is named by fixed names: the page refers to no other resource but the alarms.
"""

from __future__ import annotations

import json
from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import alarms
from forebay.deploy.template.cluster import cluster_name, insights
from forebay.deploy.template.intrinsics import Json, Piece, ref, resource, sub
from forebay.deploy.template.metrics import PERIOD_S

DASHBOARD = "Dashboard"
WIDTH = 24
"""Columns of a dashboard."""
HEIGHT = 6


def piece(manifest: Manifest, names: Names) -> Piece:
    """Return the dashboard, unless the manifest switches it off."""
    if not manifest.alarms.dashboard:
        return Piece()
    # The log's name and the alarms' are the only values that CloudFormation fills in.
    text = json.dumps({"widgets": _placed(_rows(manifest, names))}, separators=(",", ":"))
    dashboard = resource(
        "AWS::CloudWatch::Dashboard",
        "A page with the figures of queue and tasks",
        {"DashboardName": names.stack, "DashboardBody": sub(text)},
    )
    return Piece(
        resources={DASHBOARD: dashboard},
        outputs={"DashboardName": {"Description": "The dashboard in CloudWatch", "Value": ref(DASHBOARD)}},
    )


def _placed(rows: list[list[Json]]) -> list[Json]:
    """Return the widgets with their places: those of a row share its width."""
    placed: list[Json] = []
    for row, widgets in enumerate(rows):
        width = WIDTH // len(widgets)
        for column, widget in enumerate(widgets):
            where = {"x": column * width, "y": row * HEIGHT, "width": width, "height": HEIGHT}
            placed.append({**widget, **where})
    return placed


def _rows(manifest: Manifest, names: Names) -> list[list[Json]]:
    rows = [_waiting(manifest, names), _working(manifest, names), _trouble(manifest, names)]
    # The charts of the log read its fields, which are only there in JSON.
    return rows if manifest.run.log == "text" else [*rows, _from_the_log(names)]


def _waiting(manifest: Manifest, names: Names) -> list[Json]:
    backlog = {
        "ApproximateNumberOfMessagesVisible": "waiting",
        "ApproximateNumberOfMessagesNotVisible": "in flight",
        "ApproximateNumberOfMessagesDelayed": "delayed",
    }
    ages = {"ApproximateAgeOfOldestMessage": "oldest"}
    charts = [_of_queue("Messages", names.queue, backlog, "Maximum")]
    if manifest.queue.type == "fair":
        quiet = {
            "ApproximateNumberOfMessagesVisibleInQuietGroups": "waiting in quiet groups",
            "ApproximateNumberOfNoisyGroups": "noisy groups",
        }
        charts.append(_of_queue("Fairness", names.queue, quiet, "Maximum"))
        ages["ApproximateAgeOfOldestMessageInQuietGroups"] = "oldest in quiet groups"
    age = _of_queue("Age of the oldest message, s", names.queue, ages, "Maximum")
    age["properties"]["annotations"] = {"horizontal": [{"label": "objective", "value": round(manifest.alarms.wait)}]}
    return [*charts, age]


def _working(manifest: Manifest, names: Names) -> list[Json]:
    flow = {
        "NumberOfMessagesSent": "sent",
        "NumberOfMessagesReceived": "received",
        "NumberOfMessagesDeleted": "done",
    }
    charts = [_of_queue("Messages a minute", names.queue, flow, "Sum")]
    if insights(manifest) != "off":
        tasks = {"DesiredTaskCount": "wanted", "RunningTaskCount": "running", "PendingTaskCount": "starting"}
        charts.append(_of_service("Tasks", "ECS/ContainerInsights", manifest, names, tasks, "Average"))
    used = {"CPUUtilization": "CPU", "MemoryUtilization": "memory"}
    return [*charts, _of_service("Use of what tasks have, %", "AWS/ECS", manifest, names, used, "Average")]


def _trouble(manifest: Manifest, names: Names) -> list[Json]:
    dead = {"ApproximateNumberOfMessagesVisible": "dead letters"}
    charts = [_of_queue("Dead-letter queue", names.dead_letter_queue, dead, "Maximum")]
    watched = list(alarms.piece(manifest, names).resources)
    if not watched:
        return charts
    # By name, as `${Alarm.Arn}` is what moto, which knows no alarms in templates, cannot make up.
    shown = {"title": "Alarms", "alarms": [f"{_ALARM_ARN}:${{{alarm}}}" for alarm in watched]}
    return [*charts, {"type": "alarm", "properties": shown}]


def _from_the_log(names: Names) -> list[Json]:
    finished = "filter event = 'attempt.finished'"
    took = "stats pct(lasted_s, 50) as half, pct(lasted_s, 99) as most by bin(5m)"
    return [
        _of_log(
            "How jobs ended, unless they succeeded", names, f"{finished} and outcome != 'succeeded'", _ENDS, "table"
        ),
        _of_log("How long jobs took, s", names, finished, took, "timeSeries"),
    ]


_ENDS = "stats count(*) as jobs by job, outcome, error | sort jobs desc"


def _of_log(title: str, names: Names, wanted: str, told: str, view: str) -> Json:
    query = f"SOURCE '{names.log_group}' | {wanted} | {told}"
    return {"type": "log", "properties": {"title": title, "region": _REGION, "view": view, "query": query}}


_REGION = "${AWS::Region}"
_ALARM_ARN = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm"


def _of_queue(title: str, queue: str, metrics: dict[str, str], statistic: str) -> Json:
    lines: list[list[Any]] = [
        ["AWS/SQS", metric, "QueueName", queue, {"label": label}] for metric, label in metrics.items()
    ]
    return _chart(title, lines, statistic)


def _of_service(
    title: str, namespace: str, manifest: Manifest, names: Names, metrics: dict[str, str], statistic: str
) -> Json:
    service = ["ClusterName", cluster_name(manifest, names), "ServiceName", names.service]
    lines: list[list[Any]] = [[namespace, metric, *service, {"label": label}] for metric, label in metrics.items()]
    return _chart(title, lines, statistic)


def _chart(title: str, lines: list[list[Any]], statistic: str) -> Json:
    shown: Json = {"title": title, "region": _REGION, "stat": statistic, "period": PERIOD_S, "metrics": lines}
    return {"type": "metric", "properties": {**shown, "yAxis": {"left": {"min": 0}}}}
