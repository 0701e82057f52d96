"""Whether a chaos run went well: every effect there, and every second one explained by what was done to the first.

Rules kept here and nowhere else:

1. A second effect is explained only by a deed that hit the process of an earlier one, at a time when that could keep it
   from deleting its message: a kill before the delete can have gone through, or a freeze, a hole or lost answers long
   enough for the lease to run out.
2. A message sent again because its sending was not answered may be there twice; each copy stands for itself.
3. One delivery that has left two effects is never explained.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.jobs import Effect

SETTLE_S = 2.0
"""A worker to which nothing is done has deleted a message so long after its job has ended, on a busy machine too."""
SENT_TWICE = "sent again, its sending was not answered"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done."""

    kind: str
    pid: int | None
    """To which process; None: to all."""
    began_at: float
    ended_at: float
    is_end: bool = False
    """The process was killed."""

    def overlaps(self, began_at: float, ended_at: float) -> bool:
        return self.began_at <= ended_at and self.ended_at >= began_at

    def hits(self, pid: int) -> bool:
        return self.pid is None or self.pid == pid


@dataclass(slots=True)
class Found:
    """What the effects say."""

    missing: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])
    """Keys that nobody sent."""
    duplicates: Counter[str] = field(default_factory=Counter[str])
    """Explanation → how many second effects."""
    unexplained: list[str] = field(default_factory=list[str])
    """Sentences that name the key."""
    effects: int = 0


def judge(
    effects: Iterable[Effect],
    *,
    keys: Collection[str],
    resent: Collection[str],
    deeds: Sequence[Deed],
    visibility_s: float,
) -> Found:
    """Hold the effects against what was sent and what was done. `resent`: keys that were sent more than once."""
    found = Found()
    by_key: defaultdict[str, list[Effect]] = defaultdict(list)
    for effect in effects:
        found.effects += 1
        by_key[effect.key].append(effect)
    found.missing = sorted(set(keys) - by_key.keys())
    found.unknown = sorted(by_key.keys() - set(keys))
    for key, left in sorted(by_key.items()):
        messages: defaultdict[str, list[Effect]] = defaultdict(list)
        for effect in left:
            messages[effect.message_id].append(effect)
        if len(messages) > 1:
            _judge_copies(key, messages, resent, found)
        for deliveries in messages.values():
            _judge_deliveries(deliveries, deeds, visibility_s, found)
    return found


def _judge_copies(key: str, messages: Mapping[str, object], resent: Collection[str], found: Found) -> None:
    if key in resent:
        found.duplicates[SENT_TWICE] += len(messages) - 1
    else:
        found.unexplained.append(f"{key}: in {len(messages)} messages, though it was sent once")


def _judge_deliveries(deliveries: Sequence[Effect], deeds: Sequence[Deed], visibility_s: float, found: Found) -> None:
    for earlier, later in pairwise(sorted(deliveries, key=lambda effect: (effect.delivery, effect.began_at))):
        reason = None if earlier.delivery == later.delivery else explain(earlier, later, deeds, visibility_s)
        if reason is not None:
            found.duplicates[reason] += 1
        else:
            found.unexplained.append(
                f"{earlier.key}: delivery {earlier.delivery} to {earlier.pid} left its effect at "
                f"{earlier.ended_at:.2f}, delivery {later.delivery} to {later.pid} at {later.ended_at:.2f}, "
                f"began at {later.began_at:.2f}"
            )


def explain(earlier: Effect, later: Effect, deeds: Sequence[Deed], visibility_s: float) -> str | None:
    """Return what kept the process of the earlier effect from deleting the message; None: nothing that we know of."""
    own = [deed for deed in deeds if deed.hits(earlier.pid)]
    for deed in own:
        if deed.is_end and earlier.ended_at <= deed.began_at <= later.began_at and _was_soon(earlier, deed, own):
            return deed.kind
    # Renewed when a third has gone: what is left is no less than a third, all margins taken off.
    needed_s = visibility_s / 3
    # What was done to this very process explains more than what was done to all, and the longer more than the shorter.
    for deed in sorted(own, key=lambda deed: (deed.pid is None, deed.began_at - deed.ended_at)):
        was_long = deed.ended_at - deed.began_at >= needed_s
        is_near = deed.overlaps(earlier.began_at, min(later.began_at, earlier.ended_at + SETTLE_S))
        if not deed.is_end and was_long and is_near:
            return deed.kind
    return None


def _was_soon(earlier: Effect, end: Deed, own: Iterable[Deed]) -> bool:
    """Say whether a kill came before the delete can have gone through, which other deeds may have held up."""
    if end.began_at <= earlier.ended_at + SETTLE_S:
        return True
    return any(not deed.is_end and deed.overlaps(earlier.ended_at, end.began_at) for deed in own)


def ledger_faults(ledgers: Iterable[Mapping[str, int]]) -> Iterator[str]:
    """Say of each ledger that does not add up what is wrong with it."""
    for ledger in ledgers:
        columns = sum(count for name, count in ledger.items() if name not in ("received", "orphaned"))
        if ledger["orphaned"] != 0 or ledger["received"] != columns:
            yield f"a ledger does not add up: {dict(ledger)}"
