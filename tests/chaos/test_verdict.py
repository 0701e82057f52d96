"""What the chaos run's reckoning accepts as an explanation, and what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from tests.chaos.disasters import REFUSED_MAX_S, REPEATED, Kind, schedule
from tests.chaos.jobs import Effect, effects_in
from tests.chaos.reckoning import shown_by_ps
from tests.chaos.verdict import SENT_TWICE, Deed, Found, judge, ledger_faults

VISIBILITY_S = 6.0
FIRST = Effect("a", "m", 1, pid=10, began_at=100.0, ended_at=101.0)
SECOND = Effect("a", "m", 2, pid=20, began_at=108.0, ended_at=109.0)


def killed(pid: int, at: float) -> Deed:
    return Deed("kill", pid, at, at, is_end=True)


def judged(effects: Sequence[Effect], *deeds: Deed, keys: str = "a", resent: str = "") -> Found:
    return judge(effects, keys=keys, resent=resent, deeds=deeds, visibility_s=VISIBILITY_S)


def is_explained(*deeds: Deed) -> bool:
    found = judged([SECOND, FIRST], *deeds)
    assert found.duplicates.total() + len(found.unexplained) == 1
    return not found.unexplained


def test_one_effect_for_each_key_needs_no_explanation() -> None:
    found = judged([FIRST])

    assert (found.effects, found.missing, found.duplicates.total(), found.unexplained) == (1, [], 0, [])


def test_a_key_without_an_effect_is_missing_and_one_that_nobody_sent_is_unknown() -> None:
    found = judged([FIRST], keys="bc")

    assert (found.missing, found.unknown) == (["b", "c"], ["a"])


def test_a_second_effect_to_which_nothing_led_is_named() -> None:
    [sentence] = judged([FIRST, SECOND]).unexplained

    assert sentence.startswith("a: delivery 1 to 10")


@pytest.mark.parametrize(
    ("deed", "explains"),
    [
        (killed(10, 101.2), True),
        (killed(20, 101.2), False),  # another process
        (killed(10, 100.5), False),  # it was dead before the effect
        (killed(10, 105.0), False),  # the delete had gone through
        (killed(10, 108.5), False),  # the second had begun
        (Deed("freeze", 10, 100.5, 107.0), True),
        (Deed("freeze", 20, 100.5, 107.0), False),
        (Deed("freeze", 10, 100.5, 102.0), False),  # shorter than what was left of any lease
        (Deed("hole", None, 101.0, 105.0), True),
        (Deed("hole", None, 90.0, 99.0), False),  # over before it began
        (Deed("hole", None, 104.0, 120.0), False),  # the delete had gone through
    ],
)
def test_a_deed_explains_only_what_it_can_have_caused(deed: Deed, explains: bool) -> None:
    assert is_explained(deed) is explains


def test_a_late_kill_explains_when_a_fault_held_up_the_delete() -> None:
    assert is_explained(killed(10, 104.0), Deed("throttling", None, 100.9, 102.0))


def test_what_was_done_to_the_process_itself_is_named_before_what_was_done_to_all() -> None:
    frozen, throttled = Deed("freeze", 10, 100.5, 107.0), Deed("throttling", None, 100.0, 110.0)

    assert judged([FIRST, SECOND], throttled, frozen).duplicates == {"freeze": 1}


def test_one_delivery_with_two_effects_is_never_explained() -> None:
    again = SECOND._replace(delivery=1)

    assert judged([FIRST, again], killed(10, 101.2)).unexplained


def test_a_key_in_two_messages_is_explained_only_when_it_was_sent_again() -> None:
    copies = [FIRST, SECOND._replace(message_id="n", delivery=1)]

    assert judged(copies).unexplained
    assert judged(copies, resent="a").duplicates == {SENT_TWICE: 1}


def test_a_ledger_must_add_up() -> None:
    good = {"received": 3, "succeeded": 2, "lease_lost": 1, "orphaned": 0}

    assert list(ledger_faults([good])) == []
    assert len(list(ledger_faults([good, {**good, "succeeded": 1}, {**good, "orphaned": 1}]))) == 2


def test_a_line_that_was_cut_off_is_no_effect(tmp_path: Path) -> None:
    (tmp_path / "10.jsonl").write_text('["a", "m", 1, 10, 100.0, 101.0]\n["b", "m", 1')

    assert list(effects_in(tmp_path)) == [FIRST]


@pytest.mark.parametrize("seed", range(20))
def test_every_schedule_holds_every_kind_and_is_the_same_for_the_same_seed(seed: int) -> None:
    drawn = [schedule(Random(seed), lasts_s=22.0, every_s=5.0, visibility_s=6.0) for _ in range(2)]

    assert drawn[0] == drawn[1]
    assert {disaster.kind for disaster in drawn[0]} == set(Kind)
    assert all(0 <= disaster.at_s <= 22.0 for disaster in drawn[0])


def test_a_long_schedule_refuses_protection_for_two_minutes() -> None:
    drawn = schedule(Random(1), lasts_s=260.0, every_s=5.0, visibility_s=6.0)

    [refusal] = [disaster for disaster in drawn if disaster.kind is Kind.REFUSAL]
    assert refusal.lasts_s == REFUSED_MAX_S
    assert refusal.at_s + refusal.lasts_s <= 260.0
    assert len(drawn) > 2 * len(REPEATED)


def test_ps_shows_who_lives_and_nobody_who_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert shown_by_ps([os.getpid(), gone.pid]) == [os.getpid()]
    assert shown_by_ps([]) == []
