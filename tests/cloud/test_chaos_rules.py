"""Chaos rules: which requests they strike, how often, and how they are written as JSON."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from forebay.cloud.chaos import UNHARMED, Chaos, ChaosRule, Effect, control


def _chaos(*rules: ChaosRule, seed: int = 1) -> Chaos:
    chaos = Chaos(Random(seed))
    chaos.replace(rules)
    return chaos


def _effects(chaos: Chaos, *operations: str) -> list[str | None]:
    return [chaos.strike(operation).effect for operation in operations]


def test_without_rules_nothing_is_harmed() -> None:
    assert _chaos().strike("Anything") is UNHARMED


def test_a_rule_strikes_the_operations_it_names_and_no_others() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.THROTTLE, operations=("A", "B")))

    assert _effects(chaos, "A", "C", "B") == [Effect.THROTTLE, None, Effect.THROTTLE]


def test_a_rule_without_names_strikes_everything() -> None:
    assert _effects(_chaos(ChaosRule(effect=Effect.DENY)), "A", "B") == [Effect.DENY, Effect.DENY]


def test_a_rule_is_used_up() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.DENY, operations=("A",), times=2))

    assert _effects(chaos, "A", "B", "A", "A") == [Effect.DENY, None, Effect.DENY, None]
    assert chaos.shown()[0]["struck"] == 2


def test_a_rule_may_let_some_pass_first() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.DENY, skip=2, times=1))

    assert _effects(chaos, *"AAAA") == [None, None, Effect.DENY, None]


def test_of_two_effects_the_first_rule_wins_and_the_second_is_kept() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.DENY, times=1), ChaosRule(effect=Effect.THROTTLE, times=1))

    assert _effects(chaos, *"AAA") == [Effect.DENY, Effect.THROTTLE, None]


def test_delays_add_up_beside_an_effect() -> None:
    chaos = _chaos(
        ChaosRule(effect=Effect.DELAY, delay_s=1),
        ChaosRule(effect=Effect.THROTTLE),
        ChaosRule(effect=Effect.DELAY, delay_s=2),
        ChaosRule(effect=Effect.DELAY_BEFORE, delay_s=5),
    )

    strike = chaos.strike("A")

    assert (strike.effect, strike.delay_s, strike.delay_before_s) == (Effect.THROTTLE, 3, 5)


def test_jitter_stays_within_its_bounds() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.DELAY, delay_s=0.010, jitter_s=0.002))

    delays = [chaos.strike("A").delay_s for _ in range(200)]

    assert min(delays) >= 0.008
    assert max(delays) <= 0.012
    assert max(delays) - min(delays) > 0.002


def test_probability_strikes_its_share_and_the_same_in_every_run() -> None:
    def struck() -> list[str | None]:
        return _effects(_chaos(ChaosRule(effect=Effect.DENY, probability=0.3), seed=7), *("A" for _ in range(500)))

    assert 100 < struck().count(Effect.DENY) < 200
    assert struck() == struck()


def test_a_probable_rule_with_a_count_strikes_exactly_so_often() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.DENY, probability=0.5, times=10))

    assert _effects(chaos, *("A" for _ in range(200))).count(Effect.DENY) == 10


def test_struck_entries_are_drawn_from_the_batch() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.FAIL_ENTRIES, entries=3))
    strike = chaos.strike("A")

    assert len(strike.struck(range(10), chaos.rng)) == 3
    assert strike.struck(range(2), chaos.rng) == {0, 1}
    assert strike.struck(range(0), chaos.rng) == frozenset()


@pytest.mark.parametrize(
    "values",
    [
        {"probability": 1.1},
        {"probability": -0.1},
        {"delay_s": -1.0},
        {"delay_s": 1.0, "jitter_s": 2.0},
        {"delay_s": 100_000.0},
        {"times": 0},
        {"skip": -1},
        {"entries": 0},
    ],
)
def test_a_rule_out_of_bounds_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ChaosRule(effect=Effect.DELAY, **values)


def _ask(chaos: Chaos, method: str, body: object = None) -> tuple[int, dict[str, Any]]:
    return control(chaos, method, b"" if body is None else json.dumps(body).encode())


def test_rules_are_put_added_shown_and_cleared_over_http() -> None:
    chaos = _chaos()

    assert _ask(chaos, "PUT", {"rules": [{"effect": "delay", "delay_s": 0.01}]})[0] == 200
    assert _ask(chaos, "POST", {"effect": "deny", "operations": ["A"], "times": 1})[0] == 200
    assert [rule["effect"] for rule in _ask(chaos, "GET")[1]["rules"]] == ["delay", "deny"]
    assert _effects(chaos, "A", "A") == [Effect.DENY, None]
    assert _ask(chaos, "DELETE") == (200, {"rules": []})


def test_what_is_shown_can_be_put_back() -> None:
    chaos = _chaos(ChaosRule(effect=Effect.DENY, operations=("A",), times=3), ChaosRule(effect=Effect.BLACK_HOLE))
    shown = json.loads(json.dumps(_ask(chaos, "GET")[1]))

    other = _chaos()
    assert _ask(other, "PUT", shown)[0] == 200
    assert other.shown() == chaos.shown()


@pytest.mark.parametrize(
    ("method", "body", "said"),
    [
        ("PUT", {"rules": {}}, "list"),
        ("PUT", [], "object"),
        ("PUT", {"rules": ["x"]}, "object"),
        ("POST", {}, "effect must be one of"),
        ("POST", {"effect": "nonsense"}, "effect must be one of"),
        ("POST", {"effect": "deny", "operation": "A"}, "operation: no such field"),
        ("POST", {"effect": "deny", "operations": "A"}, "list of names"),
        ("POST", {"effect": "deny", "times": 0}, "times"),
        ("POST", {"effect": "deny", "times": "many"}, ""),
    ],
)
def test_a_wrong_rule_is_refused_and_changes_nothing(method: str, body: object, said: str) -> None:
    chaos = _chaos(ChaosRule(effect=Effect.THROTTLE))

    status, answer = _ask(chaos, method, body)

    assert status == 400
    assert said in answer["error"]
    assert [rule["effect"] for rule in chaos.shown()] == ["throttle"]


def test_an_unknown_method_is_refused() -> None:
    assert _ask(_chaos(), "PATCH")[0] == 405


def test_a_body_that_is_no_json_is_refused() -> None:
    assert control(_chaos(), "PUT", b"{")[0] == 400
