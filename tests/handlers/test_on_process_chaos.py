"""Whatever processes do and whenever they are interrupted: each attempt ends once, and no process is left."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from tests.handlers import short_jobs
from tests.handlers.children import children
from tests.handlers.collecting import attempt

from forebay.model import SUCCEEDED, Crashed, Interrupted, Rejected, TimedOut

pytestmark = [pytest.mark.processes, pytest.mark.slow]

JOBS = {
    "noop": 10, "noop_async": 5, "rejects": 2, "aborts": 2, "leaves_at_once": 2, "closes_everything": 1,
    "is_recycled": 3, "never_listens": 2, "waits_until_told": 2,
}  # fmt: skip
SHORT = {"noop": 100, "noop_async": 40, "aborts": 3, "never_ends": 2, "obeys": 2}
"""Jobs that children are given ahead."""
ENDLESS = ("never_ends", "obeys", "never_listens", "waits_until_told")
ATTEMPTS = 80


@pytest.mark.parametrize("seed", range(4))
def test_every_attempt_ends_once_where_jobs_stand_in_lines(seed: int) -> None:
    rng = Random(seed)
    count = 400
    jobs = ["noop"] * 50 + rng.choices(list(SHORT), list(SHORT.values()), k=count - 50)
    with children(2, worker=short_jobs.worker) as at_work:
        for number, job in enumerate(jobs):
            at_work.executor.start([attempt(number, job, '{"name": ""}' if job.startswith("noop") else "{}")])
            if rng.random() < 0.05:
                at_work.executor.interrupt(rng.randrange(number + 1), because_of_limit=rng.random() < 0.5)
            if number == 50:
                at_work.collected.outcomes(40)
        for number, job in enumerate(jobs):
            if job in ENDLESS:
                at_work.executor.interrupt(number, because_of_limit=True)
        outcomes = at_work.collected.outcomes(count)
        has_ended = at_work.executor.close(wait_s=5.0)

    assert has_ended
    assert [event for event, _ in at_work.words.reports if event == "internal.error"] == []
    assert {jobs[number] for number, outcome in outcomes.items() if isinstance(outcome, Crashed)} <= {"aborts"}
    endless = {jobs[number] for number, outcome in outcomes.items() if outcome == SUCCEEDED} & set(ENDLESS)
    assert endless <= {"obeys"}


@pytest.mark.parametrize("seed", range(3))
def test_every_attempt_ends_once_whatever_becomes_of_its_process(seed: int) -> None:
    rng = Random(seed)
    jobs = rng.choices(list(JOBS), list(JOBS.values()), k=ATTEMPTS)
    with children(3) as at_work:
        for number, job in enumerate(jobs):
            at_work.executor.start([attempt(number, job)])
            if rng.random() < 0.4:
                at_work.executor.interrupt(rng.randrange(number + 1), because_of_limit=rng.random() < 0.5)
        for number, job in enumerate(jobs):
            if job in ENDLESS:
                at_work.executor.interrupt(number, because_of_limit=True)
        outcomes = at_work.collected.outcomes(ATTEMPTS)
        has_ended = at_work.executor.close(wait_s=5.0)

    assert has_ended
    assert [event for event, _ in at_work.words.reports if event == "internal.error"] == []
    ended = Counter(type(outcome) for outcome in outcomes.values())
    assert ended.keys() <= {type(SUCCEEDED), Rejected, Crashed, TimedOut, Interrupted}
    blamed = {jobs[number] for number, outcome in outcomes.items() if isinstance(outcome, Crashed)}
    assert blamed <= {"aborts", "leaves_at_once", "closes_everything"}
