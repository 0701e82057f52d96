"""How long a delivery is ours: when to renew the lease, and until when to believe in it.

Rules kept here and nowhere else:

1. Trust in a receive runs from the first byte of its answer less the longest network delay we allow for, but never
   from before its request. Trust in a renewal runs from its request, never from its answer.
2. Trust ends a margin before the lease does. Local time may only make us stop sooner.
3. A lease is renewed when a third of it is gone, so that two more tries fit.
4. SQS ends every lease 12 h after its receive, so no renewal asks for more than is left of 43,190 s.
5. A lost lease stays lost: nobody knows who else has had the message since.
"""

from __future__ import annotations

from forebay.settings import VISIBILITY_CEILING_S

NETWORK_DELAY_MAX_S = 2.0
"""How long a receive's answer may have been under way before its first byte arrived."""


def anchor_of_receive(*, asked_at: float, answered_at: float, visibility_s: float) -> float:
    """Return the earliest instant at which a received message's visibility timeout may have begun.

    For timeouts under 12 s the delay allowed for is a sixth of them: two whole seconds would leave nothing to trust.
    """
    return max(asked_at, answered_at - min(NETWORK_DELAY_MAX_S, visibility_s / 6))


def trusted_until(*, anchor_at: float, visibility_s: float, margin_s: float) -> float:
    """Return the instant after which a lease counts as lost."""
    assert margin_s < visibility_s, (margin_s, visibility_s)
    return anchor_at + visibility_s - margin_s


def renew_at(*, anchor_at: float, visibility_s: float) -> float:
    """Return when to renew: a third of the lease is gone."""
    return anchor_at + visibility_s / 3


def renewal_s(*, visibility_s: int, received_at: float, now: float) -> int:
    """Return the whole seconds to ask for in a renewal at `now`; 0 when the 12 h ceiling leaves nothing to ask for.

    `received_at` is the instant of the receive's request: the ceiling counts from the receive (facts/sqs.md section 3).
    """
    return max(0, min(visibility_s, int(VISIBILITY_CEILING_S - (now - received_at))))
