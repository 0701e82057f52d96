"""Every planted bug still fits the code, and the simulator notices. `make mutants` judges them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutants.planted import MUTANTS, Mutant
from tests.mutants.run import judge, plant

QUICK = ("deleted before it has succeeded", "one heartbeat in seven is dropped", "no pause after a failed poll")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_planted_bug_still_fits_the_code(mutant: Mutant, tmp_path: Path) -> None:
    source = plant(mutant, tmp_path)

    for path in {edit.path for edit in mutant.edits}:
        compile((source / "forebay" / path).read_text(encoding="utf-8"), path, "exec")


def test_there_are_bugs_enough_and_no_two_alike() -> None:
    assert len(MUTANTS) >= 40
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_noticed(name: str) -> None:
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == name]

    assert judge(mutant, seeds=200).noticed_by
