"""How many tasks the service has: managed target tracking on the load of its slots, and the way from and to zero. Pure.

Rules kept here and nowhere else:

1. The load is the slots that are needed ÷ the slots that run, in percent, and 100 is the target. Needed are those that
   work, or those that work off what waits within `latency`, whichever are more; never more than there are messages.
2. Messages in flight hold tasks and never add any: a retry that waits for its time is in flight as well, and more
   tasks would not bring it any sooner.
3. Without a figure nothing is scaled. One that is late counts as it was (FILL … REPEAT), since a zero in its place
   would send tasks away, or divide by them.
4. The law keeps the last task. With `min: 0` it goes when for 15 minutes nothing was waiting, delayed, in flight or
   received; and one comes when a message waits and no task is wanted. That looks at the desired count: a task that
   only finishes its protected work takes nothing more.
5. Waking adds one task and does not set the count to one (ExactCapacity): an alarm that is a minute late would send
   nine of ten away.

No role is named: Application Auto Scaling takes its service-linked one whatever the template says (facts/scaling.md).
The controller of a later release goes into `piece`, in place of the target and all policies: where a policy is
registered, it overrides a count that something else has set.
"""

from __future__ import annotations

from forebay.deploy.manifest.model import Manifest, Scaling
from forebay.deploy.names import Names
from forebay.deploy.template.cluster import cluster_name
from forebay.deploy.template.contract import SCALABLE_TARGET, SERVICE
from forebay.deploy.template.intrinsics import Json, Piece, ref, resource, sub
from forebay.deploy.template.metrics import PERIOD_S, alarm, formula, number, of_queue, of_service, seen

QUIET_MINUTES = 15
"""What target tracking's own low alarm takes; the last task is not sent away any sooner than others."""

WAKE_COOLDOWN_S = 300
"""Longer than the figures take to show the task that was woken: meanwhile the alarm still rings."""


def piece(manifest: Manifest, names: Names) -> Piece:
    """Return the scalable target with its policies; nothing for a fixed count."""
    scaling = manifest.scaling
    if scaling is None:
        return Piece()
    resources = {
        SCALABLE_TARGET: resource(
            "AWS::ApplicationAutoScaling::ScalableTarget",
            f"Range of {scaling.min} to {scaling.max} tasks",
            {
                "ServiceNamespace": "ecs",
                "ScalableDimension": "ecs:service:DesiredCount",
                # The service's name is taken from the service itself, so that it exists before.
                "ResourceId": sub(f"service/{cluster_name(manifest, names)}/${{{SERVICE}.Name}}"),
                "MinCapacity": scaling.min,
                "MaxCapacity": scaling.max,
            },
        ),
        "LoadPolicy": _load_policy(manifest, names, scaling),
    }
    if scaling.min == 0:
        resources |= _way_from_zero(manifest, names) | _way_to_zero(names)
    return Piece(resources=resources)


def _load_policy(manifest: Manifest, names: Names, scaling: Scaling) -> Json:
    return resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Rule that adds and removes tasks by the load of their slots",
        {
            "PolicyName": "load",
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": ref(SCALABLE_TARGET),
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 100,
                "ScaleInCooldown": round(scaling.in_cooldown),
                "ScaleOutCooldown": round(scaling.out_cooldown),
                "CustomizedMetricSpecification": {"Metrics": load(manifest, names, scaling)},
            },
        },
    )


def load(manifest: Manifest, names: Names, scaling: Scaling) -> list[Json]:
    """Return the formulas of the load, in percent."""
    slots = manifest.run.slots
    assert slots is not None, "the manifest's validator asks for slots where there is scaling"
    due = f"visible * {number(scaling.job)} / {number(scaling.latency)}"
    running = "FILL(running_seen, REPEAT)"
    return [
        seen("visible_seen", of_queue("ApproximateNumberOfMessagesVisible", names.queue), "Average"),
        seen("in_flight_seen", of_queue("ApproximateNumberOfMessagesNotVisible", names.queue), "Average"),
        seen("running_seen", of_service("RunningTaskCount", manifest, names), "Average"),
        formula("visible", "FILL(visible_seen, REPEAT)"),
        formula("in_flight", "FILL(in_flight_seen, REPEAT)"),
        formula("slots", f"{slots} * IF({running} > 1, {running}, 1)"),
        formula("busy", "IF(in_flight < slots, in_flight, slots)"),
        formula("due", f"IF({due} < visible + busy, {due}, visible + busy)"),
        formula("needed", "IF(due > busy, due, busy)"),
        formula("load", f"100 * IF(needed > {slots}, needed, {slots}) / slots", "Slots needed, percent of those there"),
    ]


def _step_policy(name: str, description: str, adjustment: Json) -> Json:
    return resource(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        description,
        {
            "PolicyName": name,
            "PolicyType": "StepScaling",
            "ScalingTargetId": ref(SCALABLE_TARGET),
            "StepScalingPolicyConfiguration": adjustment,
        },
    )


def _way_from_zero(manifest: Manifest, names: Names) -> dict[str, Json]:
    return {
        "WakePolicy": _step_policy(
            "wake",
            "Rule that starts the first task",
            {
                "AdjustmentType": "ChangeInCapacity",
                "Cooldown": WAKE_COOLDOWN_S,
                "MetricAggregationType": "Maximum",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
            },
        ),
        "WakeAlarm": alarm(
            "Signal that a message waits and no task is wanted",
            "A message waits and no task is wanted: the first task is started. Nothing to do.",
            [
                seen(
                    "visible", of_queue("ApproximateNumberOfMessagesVisible", names.queue), "Maximum", Period=PERIOD_S
                ),
                seen("desired_seen", of_service("DesiredTaskCount", manifest, names), "Maximum", Period=PERIOD_S),
                formula("desired_last", "FILL(desired_seen, REPEAT)"),
                # A service that sleeps may have no figure at all; then a zero is the truth.
                formula("desired", "FILL(desired_last, 0)"),
                formula("wake", "IF(visible > 0 AND desired < 1, 1, 0)", "A message waits and no task is wanted"),
            ],
            comparison=">=",
            threshold=1,
            periods=1,
            actions=[ref("WakePolicy")],
        ),
    }


def _way_to_zero(names: Names) -> dict[str, Json]:
    figures = {
        "visible": ("ApproximateNumberOfMessagesVisible", "Maximum"),
        "in_flight": ("ApproximateNumberOfMessagesNotVisible", "Maximum"),
        "delayed": ("ApproximateNumberOfMessagesDelayed", "Maximum"),
        "received": ("NumberOfMessagesReceived", "Sum"),
    }
    return {
        "SleepPolicy": _step_policy(
            "sleep",
            "Rule that stops the last task",
            {
                "AdjustmentType": "ExactCapacity",
                "Cooldown": WAKE_COOLDOWN_S,
                "MetricAggregationType": "Maximum",
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 0}],
            },
        ),
        "SleepAlarm": alarm(
            "Signal that there has been nothing to do for 15 minutes",
            f"For {QUIET_MINUTES} minutes no message was waiting, delayed, in flight or received: "
            "the last task is stopped. Nothing to do.",
            [
                *(
                    seen(name, of_queue(metric, names.queue), statistic, Period=PERIOD_S)
                    for name, (metric, statistic) in figures.items()
                ),
                formula("quiet", f"IF({' + '.join(figures)} > 0, 0, 1)", "Nothing to do"),
            ],
            comparison=">=",
            threshold=1,
            periods=QUIET_MINUTES,
            actions=[ref("SleepPolicy")],
        ),
    }
