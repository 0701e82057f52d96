"""The producer of the chaos run: every job has a key of its own, and goes over the wire through whatever goes wrong.

Rules kept here and nowhere else:

1. Jobs come in waves, so that tasks are full when something is done to them, and idle at times.
2. What SQS has not taken is sent again until it is. Where no answer came it may be there twice then; the key is noted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from random import Random
from types import TracebackType

from tests.chaos.jobs import job_of

from forebay.errors import FaultKind
from forebay.model import MessageAttribute
from forebay.queue.port import Outgoing
from forebay.queue.resolve import ClientConfig
from forebay.queue.sink import SqsSink

WAVE_S = 6.0
SLOW_SHARE = 0.2
PAUSE_S = 0.5


class Sender:
    """Sends to one queue."""

    def __init__(self, queue_url: str, environment: Mapping[str, str], rng: Random) -> None:
        self._sink = SqsSink.open(queue_url, ClientConfig.from_environment(environment))
        self._rng = rng
        self.keys: set[str] = set()
        self.resent: set[str] = set()
        self.is_done = False

    async def __aenter__(self) -> Sender:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._sink.aclose()

    async def send_in_waves(self, count: int, lasts_s: float) -> None:
        """Send so many jobs over so long; return when SQS has taken all of them."""
        loop = asyncio.get_running_loop()
        waves = max(2, round(lasts_s / WAVE_S))
        began_at, sent = loop.time(), 0
        for wave in range(waves):
            # Waves are the load itself; nothing is waited for.
            await asyncio.sleep(max(0.0, began_at + lasts_s * wave / waves - loop.time()))  # between two looks
            upto = count * (wave + 1) // waves
            await self._send({f"job-{number:06}": self._job(number) for number in range(sent, upto)})
            sent = upto
        self.is_done = True

    async def _send(self, jobs: Mapping[str, Outgoing]) -> None:
        self.keys |= jobs.keys()
        left = dict(jobs)
        while left:
            answers = await self._sink.send(list(left.values()))
            failed = {key: sent.fault for key, sent in zip(left, answers, strict=True) if sent.fault is not None}
            self.resent |= {key for key, fault in failed.items() if fault.kind is not FaultKind.THROTTLED}
            lasting = [fault for fault in failed.values() if not fault.kind.is_transient]
            assert not lasting, f"SQS does not take jobs: {lasting[0]}"
            left = {key: left[key] for key in failed}
            if left:
                await asyncio.sleep(PAUSE_S)  # between two looks

    def _job(self, number: int) -> Outgoing:
        is_slow = self._rng.random() < SLOW_SHARE
        ms = self._rng.randint(200, 2_000) if is_slow else self._rng.randint(5, 50)
        name = job_of(ms, is_async=self._rng.random() < 0.5)
        body = json.dumps({"key": f"job-{number:06}", "ms": ms})
        return Outgoing(body, attributes={"job": MessageAttribute("String", name)})
