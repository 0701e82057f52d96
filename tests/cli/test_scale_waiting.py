"""How `forebay scale` waits: what it shows, when it is content, and when it gives up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.cli.pacing import NOW, VirtualPace

from forebay.cli.pace import FAILURES_MAX
from forebay.cli.scale_waiting import Lines, line_of, wait
from forebay.deploy.live.counting import PATIENCE_S, Progress, check
from forebay.deploy.live.values import Bounds, Happening, Protected
from forebay.errors import DeployError, SettingsError


def progress(running: int, *, wanted: int = 3, **more: Any) -> Progress:
    values: dict[str, Any] = {"desired": wanted, "pending": 0, "protected": (), "events": (), **more}
    return Progress(wanted=wanted, running=running, **values)


def waited(*seen: Progress | DeployError, pace: VirtualPace | None = None) -> int:
    """Wait while this is seen, the last of it again and again."""
    looks = list(seen)

    def look() -> Progress:
        found = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(found, DeployError):
            raise found
        return found

    return wait(look, Lines(), pace or VirtualPace())


def test_each_change_is_a_line_and_the_count_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert waited(progress(1, pending=2), progress(1, pending=2), progress(2, pending=1), progress(3)) == 0

    assert (
        capsys.readouterr().out
        == """\
  Running   ███░░░░░░░  1/3 desired tasks are running
  Running   ██████░░░░  2/3 desired tasks are running
  Running   ██████████  3/3 desired tasks are running
"""
    )


def test_protected_tasks_are_waited_for_however_long_it_takes() -> None:
    busy = progress(3, wanted=1, protected=(Protected("a", NOW + timedelta(hours=2)), Protected("b", None)))
    pace = VirtualPace()
    looks = int(3 * PATIENCE_S)

    status = waited(*[busy] * looks, progress(1, wanted=1), pace=pace)

    assert status == 0
    assert pace.now() > 2 * PATIENCE_S
    assert line_of(busy).endswith("; protected until their jobs end: 2 tasks, at the latest 14:00:00Z unless renewed")


def test_what_the_scheduler_says_meanwhile_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    old = Happening(NOW - timedelta(seconds=1), "before")
    news = Happening(NOW, "was unable to place a task")

    waited(progress(1, events=(news, old)), progress(1, events=(news, old)), progress(3, events=(news, old)))

    assert capsys.readouterr().err == "  just now: was unable to place a task\n"


def test_without_a_change_for_ten_minutes_it_gives_up_and_says_where_to_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pace = VirtualPace()

    assert waited(progress(1, pending=2), pace=pace) == 1

    assert pace.now() == PATIENCE_S
    assert "1 of 3 tasks run, and nothing has changed for ten minutes: `forebay status`" in capsys.readouterr().err


def test_a_look_that_is_throttled_does_not_end_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    throttled = DeployError("throttled")

    assert waited(progress(1), *[throttled] * (FAILURES_MAX - 1), progress(2), throttled, progress(3)) == 0
    assert capsys.readouterr().err.count("throttled; trying on") == FAILURES_MAX

    with pytest.raises(DeployError, match="throttled"):
        waited(progress(1), *[throttled] * FAILURES_MAX)


def test_another_count_that_is_asked_for_meanwhile_ends_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    assert waited(progress(1), progress(1, desired=5)) == 1

    assert "5 tasks are wanted meanwhile" in capsys.readouterr().err

    assert waited(progress(1), progress(1, desired=1)) == 1

    assert "1 task is wanted meanwhile" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 9])
def test_outside_of_the_bounds_scaling_would_bring_it_back(count: int) -> None:
    with pytest.raises(SettingsError, match=f"{count} is outside of the service's 1 to 8 tasks.*--pause"):
        check(count, Bounds(least=1, most=8))


@pytest.mark.parametrize("bounds", [None, Bounds(least=1, most=8, suspended=("in", "out", "scheduled"))])
def test_a_count_that_nothing_corrects_may_be_any(bounds: Bounds | None) -> None:
    check(50, bounds)


def test_scaling_that_is_suspended_in_one_direction_only_still_corrects() -> None:
    with pytest.raises(SettingsError):
        check(50, Bounds(least=1, most=8, suspended=("scheduled",)))
