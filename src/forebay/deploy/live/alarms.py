"""What CloudWatch says of the alarms around a service.

Rules kept here and nowhere else:

1. An alarm belongs to a service when CloudFormation made it for the stack, or target tracking for the service.
   CloudFormation names it `<stack>-<logical id>-<ending>`. Logical ids begin with a capital and stacks have none, so
   that `shop-test` does not get the alarms of a stack `shop-test-eu`.
2. Those that ring come first. Those that only scale come last: they ring all day, and ask nothing of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any

from forebay.deploy.live.values import AlarmState
from forebay.deploy.live.where import Where

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

ORDER = ("ALARM", "INSUFFICIENT_DATA", "OK")
OF_STACK = re.compile(r"([A-Z][A-Za-z0-9]*)(-[A-Za-z0-9]+)?")
SIGNALS = frozenset({"WakeAlarm", "SleepAlarm", "AlarmHigh", "AlarmLow"})
"""The template's own for zero tasks, and those of target tracking."""
OF_TRACKING = re.compile(r"(Alarm(?:High|Low))-.*")


def read_alarms(clients: Clients, where: Where) -> tuple[AlarmState, ...]:
    """Return the service's alarms. Raises botocore's errors."""
    found = list(_alarms(clients, f"TargetTracking-{where.scalable}-", OF_TRACKING))
    if where.stack is not None:
        found += _alarms(clients, f"{where.stack}-", OF_STACK)
    return tuple(sorted(found, key=lambda alarm: (alarm.is_signal, _place(alarm.state), alarm.name)))


def _place(state: str) -> int:
    return ORDER.index(state) if state in ORDER else len(ORDER)


def _alarms(clients: Clients, prefix: str, ending: re.Pattern[str]) -> Iterator[AlarmState]:
    pages = clients.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    for page in pages:
        alarms: list[Any] = [*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())]
        for one in alarms:
            match = ending.fullmatch(one["AlarmName"][len(prefix) :])
            if match is not None:
                yield _alarm(one, label=match[1])


def _alarm(one: Any, *, label: str) -> AlarmState:
    since = one.get("StateTransitionedTimestamp") or one.get("StateUpdatedTimestamp")
    return AlarmState(
        name=one["AlarmName"],
        label=label,
        state=one.get("StateValue", ""),
        since_utc=None if since is None else since.astimezone(UTC),
        about=one.get("AlarmDescription", ""),
        is_signal=label in SIGNALS,
    )
