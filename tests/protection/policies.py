"""Policies in a known state, and a way to answer them, for the sentences about the policy."""

from __future__ import annotations

from random import Random

from forebay.protection.policy import Action, HoldFor, Look, Policy
from forebay.protection.port import Held, ProtectionAnswer, Refused, Unheld
from forebay.protection.standing import Mode

BLOCKED = Refused("DEPLOYMENT_BLOCKED", is_lasting=False)
CANCELED = Refused("RequestCanceled", is_lasting=False, is_unknown=True)
INVALID = Refused("TASK_NOT_VALID", is_lasting=True)
READ_DENIED = Refused("AccessDeniedException", is_lasting=True)

MINUTE = 60.0


def policy(mode: Mode = "auto", *, linger_s: float = 10.0, is_available: bool = True) -> Policy:
    return Policy(mode=mode, linger_s=linger_s, margin_s=5.0, rng=Random(7), is_available=is_available)


def looked(mode: Mode = "auto", *, linger_s: float = 10.0) -> Policy:
    """A policy whose look at the start found nothing."""
    made = policy(mode, linger_s=linger_s)
    assert made.next(now=0.0) == Look()
    assert made.answered(Unheld(), now=0.0) == []
    return made


def answer(made: Policy, asked: Action | type[HoldFor], said: ProtectionAnswer, *, now: float) -> list[str]:
    """Expect `asked` (or any hold) at `now`, answer it at once, and return the names of what is reported."""
    action = made.next(now=now)
    assert isinstance(action, HoldFor) if isinstance(asked, type) else action == asked
    return [name for name, _ in made.answered(said, now=now)]


def holding(*, until_at: float = 900.0, minutes: int = 20, linger_s: float = 10.0) -> Policy:
    """A policy that holds for work that can run until `until_at`, since 0."""
    made = looked(linger_s=linger_s)
    made.want(until_at, now=0.0)
    answer(made, HoldFor(minutes), Held(minutes * MINUTE), now=0.0)
    return made
