"""The harness of the in-memory queue: on trio with its mock clock, so that hours pass in no time.

```python
trio.run(run_on_memory, scenario, clock=trio.testing.MockClock(autojump_threshold=0))
```
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from forebay.queue.memory import LoopClock, MemoryQueues, MemorySource
from forebay.queue.port import Outgoing, Sent, Source
from forebay.testing.conformance.harness import Scenario


class MemoryHarness:
    """Queues in memory, on the time of the running event loop."""

    def __init__(self, *, seed: int = 0) -> None:
        self.queues = MemoryQueues(clock=LoopClock(), seed=seed)

    async def create_queue(self, name: str, **attributes: str) -> str:
        return self.queues.create(name, **attributes).key

    async def arn(self, key: str) -> str:
        return self.queues.rules.registry.find(key).arn

    def missing(self) -> str:
        return self.queues.rules.registry.url("missing")

    def source(self, key: str) -> Source:
        return MemorySource(self.queues, key)

    async def send(self, key: str, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        return await MemorySource(self.queues, key).send(messages)

    async def pass_time(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def now(self) -> float:
        return anyio.current_time()


async def run_on_memory(scenario: Scenario) -> None:
    """Run one scenario on queues of its own."""
    await scenario(MemoryHarness())
