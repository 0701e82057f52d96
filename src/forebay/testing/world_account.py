"""What the simulated world knows of each message, whoever holds it.

Rules kept here and nowhere else:

1. The account is kept from what the service answers, never from what a worker believes.
2. A message that was delivered while a lease on it ran is `is_shared` from then on: SQS delivers at least once, and
   nobody may blame a worker for what follows from that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PARKED_S = 40_000
"""Hidden for so long, a message is parked."""


class Holder:
    """Code that runs on a message: implemented by `world_code.Code`."""

    def still_trusts(self, now: float) -> bool:
        """Whether the worker still believes in its lease, and has not told the code otherwise."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class Known:
    """What the world knows of one message, whoever holds it."""

    number: int
    source: str
    job: str | None
    body: str
    """What the producer wrote."""
    sent_at: float
    message_id: str = ""
    origin: Known | None = None
    """The message in whose place this one was sent."""
    state: str | None = None
    """The state that it was sent with."""
    counted: int = 0
    """The attempts that it was sent with."""
    newest_receipt: str = ""
    hidden_until: float = 0.0
    received_at: float = 0.0
    deliveries: int = 0
    is_shared: bool = False
    is_deleted: bool = False
    successes: int = 0
    copies: int = 0
    """Confirmed or not: copies that the dead-letter queue has taken from a worker."""
    resent: int = 0
    """Confirmed or not: copies that its own queue has taken from a worker."""
    holders: list[Holder] = field(default_factory=list["Holder"])
    """Attempts whose code runs now, in any worker."""

    def is_leased(self, receipt: str, now: float) -> bool:
        """Whether this delivery's lease is in force, by what the service has answered."""
        return not self.is_deleted and self.newest_receipt == receipt and now < self.hidden_until
