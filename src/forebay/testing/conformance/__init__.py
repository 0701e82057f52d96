"""The suite that every source must pass: what a worker relies on of a queue, as scenarios against a small `Harness`.

```python
from forebay.testing.conformance import SCENARIOS

for scenario in SCENARIOS:                # each an `async def scenario(harness: Harness) -> None`
    anyio.run(scenario, MyHarness(...))   # raises AssertionError where the source differs from SQS
```

Rules kept here and nowhere else:

1. A scenario asks only for what AWS promises (facts/sqs.md); what AWS leaves open is left open.
2. Counts are read as exact. AWS's settle within a minute, so against AWS itself `count()` would have to wait for that.
3. A scenario makes its own queues, and lets time pass through the harness only: virtual where it can be.
"""

from __future__ import annotations

from forebay.testing.conformance.contents import SCENARIOS as CONTENTS
from forebay.testing.conformance.dead_letters import SCENARIOS as DEAD_LETTERS
from forebay.testing.conformance.delivery import SCENARIOS as DELIVERY
from forebay.testing.conformance.harness import Harness, Scenario
from forebay.testing.conformance.leases import SCENARIOS as LEASES
from forebay.testing.conformance.resending import SCENARIOS as RESENDING
from forebay.testing.conformance.settling import SCENARIOS as SETTLING

__all__ = ["SCENARIOS", "Harness", "Scenario"]

SCENARIOS: tuple[Scenario, ...] = (*CONTENTS, *DELIVERY, *LEASES, *SETTLING, *RESENDING, *DEAD_LETTERS)
