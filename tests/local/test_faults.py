"""Faults that a person makes for a while."""

from __future__ import annotations

from random import Random

import pytest

from forebay.cloud.chaos import Chaos, ChaosRule, Effect
from forebay.local.faults import Faults
from forebay.local.port import ControlError


class Two:
    """The chaos of both services, and the faults made in it."""

    def __init__(self) -> None:
        self.sqs, self.agent = Chaos(Random(1)), Chaos(Random(2))
        self.faults = Faults(sqs=self.sqs, agent=self.agent)


def test_a_fault_strikes_until_its_time_is_over() -> None:
    two = Two()
    two.faults.make("hole", 30.0, now=100.0)

    during = two.sqs.strike("ReceiveMessage").effect
    two.faults.turn(129.9)
    still = two.sqs.strike("ReceiveMessage").effect
    two.faults.turn(130.0)

    assert (during, still) == (Effect.BLACK_HOLE, Effect.BLACK_HOLE)
    assert two.sqs.strike("ReceiveMessage").effect is None


def test_refused_protection_is_the_agents_and_leaves_sqs_alone() -> None:
    two = Two()

    two.faults.make("refusal", 30.0, now=0.0)

    assert two.agent.strike("UpdateTaskProtection").effect is Effect.REFUSE
    assert two.agent.strike("GetTaskProtection").effect is None
    assert two.sqs.strike("ReceiveMessage").effect is None


def test_asking_again_sets_a_new_end_and_adds_no_second_rule() -> None:
    two = Two()
    two.faults.make("throttle", 10.0, now=0.0)

    two.faults.make("throttle", 60.0, now=5.0)

    assert len(two.sqs.shown()) == 1
    assert two.faults.figures(5.0) == [{"name": "throttle", "left_s": 60.0}]


def test_clearing_ends_all_of_ours_and_none_of_somebody_elses() -> None:
    two = Two()
    theirs = ChaosRule(effect=Effect.DELAY, delay_s=1.0)
    two.sqs.add(theirs)
    two.faults.make("hole", 10.0, now=0.0)
    two.faults.make("refusal", 10.0, now=0.0)

    two.faults.clear()

    assert two.faults.figures(0.0) == []
    assert [rule["effect"] for rule in two.sqs.shown()] == ["delay"]
    assert two.agent.shown() == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, 3_601.0, float("nan")])
def test_a_fault_lasts_more_than_nothing_and_at_most_an_hour(seconds: float) -> None:
    with pytest.raises(ControlError, match=r"outside 0 to 3,600 s"):
        Two().faults.make("hole", seconds, now=0.0)
