"""What Application Auto Scaling says of a service: its bounds, what is suspended, and what it did or did not do."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from forebay.deploy.live.asking import Ask
from forebay.deploy.live.values import Bounds, Happening, ScalingState
from forebay.deploy.live.where import Where

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

ACTIVITIES = 5
SUSPENDED = {
    "DynamicScalingInSuspended": "in",
    "DynamicScalingOutSuspended": "out",
    "ScheduledScalingSuspended": "scheduled",
}


def read_scaling(clients: Clients, where: Where, ask: Ask) -> ScalingState | None:
    """Return the scaling of the service; None when its count is fixed. Raises botocore's errors."""
    bounds = read_bounds(clients, where)
    if bounds is None:
        return None
    return ScalingState(
        bounds,
        ask("application_autoscaling", "reading the scaling activities", lambda: _activities(clients, where)),
    )


def read_bounds(clients: Clients, where: Where) -> Bounds | None:
    """Return between how many tasks the service is scaled; None when its count is fixed. Raises botocore's errors."""
    answer: Any = clients.application_autoscaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[where.scalable], ScalableDimension="ecs:service:DesiredCount"
    )
    targets: list[Any] = answer["ScalableTargets"]
    if not targets:
        return None
    state = targets[0].get("SuspendedState", {})
    return Bounds(
        least=targets[0]["MinCapacity"],
        most=targets[0]["MaxCapacity"],
        suspended=tuple(word for key, word in SUSPENDED.items() if state.get(key)),
    )


def suspend(clients: Clients, where: Where, *, is_suspended: bool) -> None:
    """Suspend all scaling of the service, or let it go on. The bounds stay as they are. Raises botocore's errors."""
    clients.application_autoscaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=where.scalable,
        ScalableDimension="ecs:service:DesiredCount",
        SuspendedState={
            "DynamicScalingInSuspended": is_suspended,
            "DynamicScalingOutSuspended": is_suspended,
            "ScheduledScalingSuspended": is_suspended,
        },
    )


def _activities(clients: Clients, where: Where) -> tuple[Happening, ...]:
    answer: Any = clients.application_autoscaling.describe_scaling_activities(
        ServiceNamespace="ecs",
        ResourceId=where.scalable,
        ScalableDimension="ecs:service:DesiredCount",
        IncludeNotScaledActivities=True,
        MaxResults=ACTIVITIES,
    )
    return tuple(Happening(one["StartTime"].astimezone(UTC), _told(one)) for one in answer.get("ScalingActivities", ()))


def _told(one: Any) -> str:
    """Return one activity as a sentence: what was done, or why it was not."""
    refusals = [_refusal(reason) for reason in one.get("NotScaledReasons", ())]
    if refusals:
        return f"not scaled: {', '.join(refusals)}"
    said = str(one.get("Description", "")).rstrip(". ")
    if one.get("StatusCode") == "Successful":
        return said
    return f"{said} ({': '.join(filter(None, (one.get('StatusCode', ''), one.get('StatusMessage', ''))))})"


NOT_SCALED = {
    "AutoScalingAnticipatedFlapping": "it would have had to scale back at once",
    "TargetServicePutResourceAsUnscalable": "ECS says that the service cannot be scaled now",
    "AlreadyAtMaxCapacity": "at its maximum already",
    "AlreadyAtMinCapacity": "at its minimum already",
    "AlreadyAtDesiredCapacity": "it has as many tasks as are needed",
}
"""NotScaledReason of the Application Auto Scaling API Reference, in words."""


def _refusal(reason: Any) -> str:
    code = str(reason.get("Code", ""))
    return NOT_SCALED.get(code, code)
