"""What CloudWatch says of the alarms around a service.

Rules kept here and nowhere else:

1. An alarm belongs to a service when its name begins with the stack's, or when target tracking made it for the service.
2. Those that ring come first.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from forebay.deploy.live.values import AlarmState
from forebay.deploy.live.where import Where

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

ORDER = ("ALARM", "INSUFFICIENT_DATA", "OK")


def read_alarms(clients: Clients, where: Where) -> tuple[AlarmState, ...]:
    """Return the service's alarms. Raises botocore's errors."""
    prefixes = [f"TargetTracking-{where.scalable}-"]
    if where.stack is not None:
        prefixes.insert(0, f"{where.stack}-")
    found = [alarm for prefix in prefixes for alarm in _alarms(clients, prefix)]
    return tuple(sorted(found, key=lambda alarm: (_place(alarm.state), alarm.name)))


def _place(state: str) -> int:
    return ORDER.index(state) if state in ORDER else len(ORDER)


def _alarms(clients: Clients, prefix: str) -> list[AlarmState]:
    pages = clients.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return [_alarm(one) for page in pages for one in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))]


def _alarm(one: Any) -> AlarmState:
    since = one.get("StateTransitionedTimestamp") or one.get("StateUpdatedTimestamp")
    return AlarmState(
        name=one["AlarmName"],
        state=one.get("StateValue", ""),
        since_utc=None if since is None else since.astimezone(UTC),
        about=one.get("AlarmDescription", ""),
    )
