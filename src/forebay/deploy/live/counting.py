"""How many tasks a service has: asked for, and on the way there.

Rules kept here and nowhere else:

1. A scaled service is set within its bounds only; outside of them scaling would bring it back within a minute. While
   scaling is suspended any count will do.
2. The count is reached when as many tasks run as are wanted and none is pending. Tasks beyond it that are protected
   are no failure: ECS waits for their jobs, and so do we.
3. Without any change for `PATIENCE_S`, and with nobody's job to wait for, it is not going to be reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from forebay.deploy.live.service import read_protected, read_service, read_tasks
from forebay.deploy.live.values import Bounds, Happening, Protected
from forebay.deploy.live.where import Where
from forebay.errors import SettingsError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the service is."""

    wanted: int
    desired: int
    running: int
    pending: int
    protected: tuple[Protected, ...]
    """Asked for only while more tasks run than are wanted."""
    events: tuple[Happening, ...]

    @property
    def is_there(self) -> bool:
        return self.running == self.wanted and self.pending == 0

    @property
    def is_overruled(self) -> bool:
        """Whether somebody, or scaling, has asked for another count meanwhile."""
        return self.desired != self.wanted

    @property
    def staying_until_utc(self) -> datetime | None:
        """When the last of the protections ends unless it is renewed."""
        return max((one.until_utc for one in self.protected if one.until_utc is not None), default=None)


def check(count: int, bounds: Bounds | None) -> None:
    """Raise `SettingsError` when scaling would not leave the count as it is."""
    if bounds is None or bounds.is_paused or bounds.least <= count <= bounds.most:
        return
    raise SettingsError(
        f"{count} is outside of the service's {bounds.least} to {bounds.most} tasks, and scaling would bring it back: "
        f"change `scaling:` in forebay.yml and deploy, or add --pause"
    )


def ask_for(clients: Clients, where: Where, count: int) -> None:
    """Set the desired count. Raises botocore's errors."""
    clients.ecs.update_service(cluster=where.cluster, service=where.service, desiredCount=count)


def protected_now(clients: Clients, where: Where) -> tuple[Protected, ...]:
    """Return the service's protected tasks. Raises botocore's errors."""
    return read_protected(clients, where, read_tasks(clients, where).alive)


def progress(clients: Clients, where: Where, wanted: int) -> Progress:
    """Return how far the service is from `wanted` tasks. Raises `DeployError` and botocore's errors."""
    service = read_service(clients, where)
    return Progress(
        wanted=wanted,
        desired=service.desired,
        running=service.running,
        pending=service.pending,
        protected=protected_now(clients, where) if service.running > wanted else (),
        events=service.events,
    )


class Standstill:
    """Notices when a service does not get any further."""

    def __init__(self, now: float) -> None:
        self._last: tuple[int, int] | None = None
        self._changed_at = now

    def has_come(self, seen: Progress, now: float) -> bool:
        """Tell whether waiting on is of no use. `now`: monotonic."""
        state = (seen.running, seen.pending)
        if state != self._last or seen.protected:
            self._last, self._changed_at = state, now
        return now - self._changed_at >= PATIENCE_S
