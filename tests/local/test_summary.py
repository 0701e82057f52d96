"""The last words of a run."""

from __future__ import annotations

from dataclasses import replace

from forebay.local.summary import RunFigures, summary

WELL = RunFigures(
    ledger={"received": 7, "succeeded": 5, "released": 2, "orphaned": 0},
    ledgers=2,
    killed=0,
    left_badly=0,
    sent=7,
    deleted=5,
    left=2,
    dead=0,
    requests=31,
)


def test_the_ledgers_of_all_tasks_are_summed_and_orphaned_is_told() -> None:
    told = summary(WELL, refused_settings=None)

    assert told.lines[0] == (
        "the ledgers of 2 tasks, summed: received 7 = succeeded 5 + retried 0 + buried 0 + parked 0 + continued 0 + "
        "duplicate 0 + released 2 + lease_lost 0; orphaned 0"
    )
    assert told.status == 0


def test_the_last_line_tells_what_became_of_the_messages() -> None:
    told = summary(WELL, refused_settings=None)

    assert told.lines[-1] == (
        "7 messages sent, 5 deleted, 2 left in the queue, 0 in the dead-letter queue; 31 SQS requests"
    )


def test_killed_tasks_are_counted_for_they_leave_no_ledger() -> None:
    told = summary(replace(WELL, killed=1), refused_settings=None)

    assert told.lines[1] == "1 task was killed and left no ledger; what they held came back to the queue by itself"
    assert told.status == 0


def test_jobs_that_were_given_up_make_it_1() -> None:
    assert summary(replace(WELL, dead=1), refused_settings=None).status == 1


def test_a_task_that_left_badly_at_the_end_makes_it_1() -> None:
    assert summary(replace(WELL, left_badly=1), refused_settings=None).status == 1


def test_an_orphaned_message_would_make_it_1() -> None:
    assert summary(replace(WELL, ledger={"orphaned": 1}), refused_settings=None).status == 1


def test_a_worker_that_refused_its_settings_gives_its_own_status() -> None:
    assert summary(replace(WELL, ledgers=0, dead=1), refused_settings=2).status == 2
