"""What the standalone library tells of protection: log lines, and events for whoever asked for them.

The events' names are those of the article's ProtectionManager.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forebay.protection.ecs import AGENT_URI_VARIABLE

LOG = logging.getLogger("forebay.protection")

ABSENCE = (
    f"{AGENT_URI_VARIABLE} is not set: this is no ECS task, and nothing protects it. "
    "ECS sets it in every container (agent 1.65 or Fargate platform 1.4 and later)"
)


@dataclass(frozen=True, slots=True)
class ProtectionEvent:
    """Something about protection has changed."""

    name: str
    """`protected`, `unprotected` or `rejected`, as in the article; `foreign` when somebody else changed it."""
    fields: Mapping[str, object]
    """`minutes`, `held_s`, `is_renewal`, `reason`, `detail`, `is_lasting`, `retry_in_s`, `note`: where they apply."""


Listener = Callable[[ProtectionEvent], None]

EVENT_NAMES = {
    "protection.held": "protected",
    "protection.released": "unprotected",
    "protection.refused": "rejected",
    "protection.foreign": "foreign",
}


def tell(name: str, fields: Mapping[str, object], listener: Listener | None) -> None:
    """Log an event of the policy and hand it to `listener` under its name in the article."""
    event = ProtectionEvent(EVENT_NAMES[name], fields)
    level = logging.WARNING if event.name in ("rejected", "foreign") else logging.INFO
    words = " ".join(f"{word}={value}" for word, value in fields.items())
    LOG.log(level, "task %s%s", event.name, f" {words}" if words else "")
    if listener is not None:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - a listener's fault must not end protection
            LOG.error("on_event raised %s", type(error).__qualname__)


_has_warned = False


def warn_of_absence() -> None:
    """Say once in a process that there is nothing to protect."""
    global _has_warned
    if not _has_warned:
        _has_warned = True
        LOG.warning(ABSENCE)
