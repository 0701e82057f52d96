"""The health check of a task's container: asked again and again, and what its answers come to.

Rules kept here and nowhere else (ECS API Reference, HealthCheck):

1. It is asked every 30 s and has 5 s; failures in a row make the container unhealthy after three; one success makes it
   healthy. Failures within the start period do not count.
2. A frozen process answers nothing, and so becomes unhealthy like any other.
3. Only a change of the verdict is told.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from forebay.cloud.ecs_tasks import TaskProcess

HEALTH_VARIABLE = "FOREBAY_HEALTH"
LOOPBACK = "127.0.0.1"


def _no_variables() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How the health of a container is asked for."""

    probe: Callable[[TaskProcess], Awaitable[bool]]
    """Says whether the task is well. An OSError or a late answer is a no."""
    variables: Callable[[], Mapping[str, str]] = _no_variables
    """What each task's environment needs for it, made anew for each."""
    interval_s: float = 30.0
    timeout_s: float = 5.0
    retries: int = 3
    start_period_s: float = 0.0


class HealthWatch:
    """Asks one task until it is cancelled."""

    def __init__(self, check: HealthCheck, task: TaskProcess, on_verdict: Callable[[str, bool], None]) -> None:
        self._check = check
        self._task = task
        self._on_verdict = on_verdict
        self._failures = 0
        self._verdict: bool | None = None
        self._asking = asyncio.ensure_future(self._ask_on())

    def cancel(self) -> None:
        """Ask no more."""
        self._asking.cancel()

    async def _ask_on(self) -> None:
        loop = asyncio.get_running_loop()
        counts_from = loop.time() + self._check.start_period_s
        while True:
            await asyncio.sleep(self._check.interval_s)
            is_well = await self._answer()
            if is_well:
                self._failures = 0
            elif loop.time() >= counts_from or self._verdict is not None:
                self._failures += 1
            if is_well or self._failures >= self._check.retries:
                self._tell(is_well)

    async def _answer(self) -> bool:
        try:
            async with asyncio.timeout(self._check.timeout_s):
                return await self._check.probe(self._task)
        except OSError:  # TimeoutError is one
            return False

    def _tell(self, is_well: bool) -> None:
        if is_well is not self._verdict:
            self._verdict = is_well
            self._on_verdict(self._task.task_id, is_well)


def live_page(*, interval_s: float = 30.0, timeout_s: float = 5.0, start_period_s: float = 0.0) -> HealthCheck:
    """Return the check that a worker's own health pages serve: `GET /live`, each task on a port of its own."""
    return HealthCheck(
        probe=_is_live,
        variables=_own_address,
        interval_s=interval_s,
        timeout_s=timeout_s,
        start_period_s=start_period_s,
    )


def _own_address() -> Mapping[str, str]:
    with socket.create_server((LOOPBACK, 0)) as free:
        return {HEALTH_VARIABLE: f"{LOOPBACK}:{free.getsockname()[1]}"}


async def _is_live(task: TaskProcess) -> bool:
    assert task.command is not None, "not started"
    host, _, port = task.command.environment[HEALTH_VARIABLE].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET /live HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        status_line = await reader.readline()
    finally:
        writer.close()
    parts = status_line.split()
    return len(parts) > 1 and parts[1] == b"200"
