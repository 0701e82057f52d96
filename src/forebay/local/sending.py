"""The jobs that a person sends from the page or the command line: at once, or in a steady stream.

Rules kept here and nowhere else:

1. They go over the wire, as any producer's do; nothing is put into a queue behind the service's back.
2. A steady stream keeps its rate: what a late turn has missed is sent with the next, but never more than a second's.
3. The body is what the sample worker understands: milliseconds.
"""

from __future__ import annotations

import asyncio

from forebay.local.port import ControlError
from forebay.queue.calls import Caller
from forebay.queue.port import Outgoing
from forebay.queue.resolve import ClientConfig
from forebay.queue.sink import SqsSink
from forebay.queue.wire import SqsClient

COUNT_MAX = 1_000_000
JOB_MS_MAX = 39_600_000
RATE_MAX = 2_000.0
PATIENCE_S = 30.0
CHUNK = 500
"""Jobs that are handed over together; between two of them others get their turn."""


def check_jobs(count: int, job_ms: int) -> None:
    """Raise ControlError when so many jobs of so many milliseconds cannot be sent."""
    if not 1 <= count <= COUNT_MAX:
        raise ControlError(f"{count:,} jobs: send 1 to {COUNT_MAX:,} at a time")
    if not 0 <= job_ms <= JOB_MS_MAX:
        raise ControlError(f"{job_ms:,} ms: a job takes 0 to {JOB_MS_MAX:,} ms (eleven hours)")


class Producer:
    """Sends jobs to one queue."""

    def __init__(self, queue_url: str, environment: dict[str, str]) -> None:
        self._sink = SqsSink(
            queue_url, SqsClient(Caller.from_config(queue_url, ClientConfig.from_environment(environment)))
        )
        self.rate_per_s = 0.0
        self._rate_job_ms = 0
        self._owed = 0.0

    async def aclose(self) -> None:
        await self._sink.aclose()

    async def send(self, count: int, job_ms: int) -> int:
        """Send jobs; return how many were taken. Raises ControlError when the service does not take them."""
        check_jobs(count, job_ms)
        taken = 0
        for start in range(0, count, CHUNK):
            messages = [Outgoing(str(job_ms))] * min(CHUNK, count - start)
            try:
                sent = await asyncio.wait_for(self._sink.send(messages), PATIENCE_S)
            except TimeoutError:
                raise ControlError(f"SQS did not answer for {PATIENCE_S:.0f} s; {taken:,} jobs were taken") from None
            refused = [one.fault for one in sent if one.fault is not None]
            taken += len(sent) - len(refused)
            if refused:
                raise ControlError(f"{taken:,} jobs were taken, then SQS refused: {refused[0]}")
        return taken

    def set_rate(self, per_s: float, job_ms: int) -> None:
        """Send jobs steadily from now on; 0 stops it. Raises ControlError."""
        if not 0 <= per_s <= RATE_MAX:
            raise ControlError(f"{per_s:g} jobs a second is outside 0 to {RATE_MAX:,.0f}")
        check_jobs(1, job_ms)
        self.rate_per_s, self._rate_job_ms, self._owed = per_s, job_ms, 0.0

    async def keep_rate(self, since_last_s: float) -> None:
        """Send what is due; to be called again and again. Raises ControlError."""
        self._owed = min(self._owed + self.rate_per_s * since_last_s, max(1.0, self.rate_per_s))
        due = int(self._owed)
        if due:
            self._owed -= due
            await self.send(due, self._rate_job_ms)
