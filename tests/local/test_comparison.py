"""The article's two pictures, drawn from two services that are played here."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from forebay.local.comparison import SLOTS, SpikeTwice, tasks_for_all_at_once


@dataclass
class PlayedSide:
    """A service of which the test says what there is to see."""

    tasks: int
    is_ready: bool = True
    busy: int = 0
    left: int = 0
    finished: int = 0

    def are_ready(self) -> bool:
        return self.is_ready

    def running_tasks(self) -> int:
        return self.tasks

    def busy_slots(self) -> int:
        return self.busy

    def waiting(self) -> int:
        return self.left

    def done(self) -> int:
        return self.finished

    def play(self, *, busy: int, left: int, finished: int) -> None:
        self.busy, self.left, self.finished = busy, left, finished


@dataclass
class Played:
    """A comparison of twenty jobs, four tasks against one."""

    many: PlayedSide
    few: PlayedSide
    sends: int = 0

    def __post_init__(self) -> None:
        self.twice = SpikeTwice(jobs=20, job_ms=1_000, at_once=self.many, smoothed=self.few, send=self._send)

    def _send(self) -> None:
        self.sends += 1


@pytest.fixture
def played() -> Played:
    return Played(PlayedSide(4), PlayedSide(1))


def test_nothing_is_sent_before_every_task_is_ready(played: Played) -> None:
    played.few.is_ready = False

    played.twice.look(10.0)

    assert (played.sends, played.twice.state) == (0, "starting")
    assert played.twice.figures()["at_once"]["points"] == []


def test_the_spike_is_sent_once_and_counts_from_then(played: Played) -> None:
    for now in (100.0, 100.5, 101.0):
        played.twice.look(now)

    assert played.sends == 1
    assert [at for at, _, _ in played.twice.figures()["smoothed"]["points"]] == [0.0, 0.5, 1.0]


def test_compute_is_counted_until_the_slower_side_is_done(played: Played) -> None:
    played.twice.look(0.0)
    played.many.play(busy=0, left=0, finished=20)
    played.few.play(busy=SLOTS, left=15, finished=0)
    played.twice.look(1.0)
    played.few.play(busy=0, left=0, finished=20)
    played.twice.look(4.0)

    figures = played.twice.figures()

    assert played.twice.state == "done"
    assert (figures["at_once"]["task_seconds"], figures["smoothed"]["task_seconds"]) == (16.0, 4.0)
    assert (figures["at_once"]["finished_after_s"], figures["smoothed"]["finished_after_s"]) == (1.0, 4.0)


def test_a_comparison_that_is_done_draws_no_more(played: Played) -> None:
    played.twice.look(0.0)
    for side in (played.many, played.few):
        side.play(busy=0, left=0, finished=20)
    played.twice.look(1.0)
    points = list(played.twice.figures()["at_once"]["points"])

    played.twice.look(2.0)

    assert played.twice.figures()["at_once"]["points"] == points


def test_the_tasks_of_a_side_are_still_told_when_they_have_been_stopped(played: Played) -> None:
    played.twice.look(0.0)
    for side in (played.many, played.few):
        side.play(busy=0, left=0, finished=20)
    played.twice.look(1.0)

    played.many.tasks = played.few.tasks = 0

    assert (played.twice.figures()["at_once"]["tasks"], played.twice.figures()["smoothed"]["tasks"]) == (4, 1)


def test_each_point_holds_the_slots_there_are_and_those_at_work(played: Played) -> None:
    played.many.play(busy=20, left=0, finished=0)

    played.twice.look(0.0)

    assert played.twice.figures()["at_once"]["points"] == [(0.0, 4 * SLOTS, 20)]


@pytest.mark.parametrize(("jobs", "tasks"), [(1, 1), (5, 1), (6, 2), (40, 8), (1_000, 8)])
def test_as_many_tasks_as_work_all_at_once_but_no_more_than_a_laptop_bears(jobs: int, tasks: int) -> None:
    assert tasks_for_all_at_once(jobs) == tasks
