"""How a worker stops: its phases and their instants."""

from __future__ import annotations

from forebay.worker.drain import FLUSH_S, HURRY_S, OBEY_S, Drain, Phase


def started(drain_s: float = 25.0) -> Drain:
    drain = Drain()
    drain.begin("SIGTERM", status=0, drain_s=drain_s, now=100.0)
    return drain


def test_a_drain_ends_at_its_limit_and_the_exit_follows_within_five_seconds() -> None:
    drain = started()

    assert drain.phase is Phase.DRAINING
    assert drain.limit_at == 125.0
    assert drain.obey_until == 125.0 + OBEY_S
    assert drain.exit_at == 125.0 + FLUSH_S
    assert FLUSH_S < 5.0


def test_a_second_request_changes_neither_reason_nor_time() -> None:
    drain = started()

    assert not drain.begin("SIGINT", status=1, drain_s=0.0, now=110.0)
    assert (drain.reason, drain.status, drain.limit_at) == ("SIGTERM", 0, 125.0)


def test_a_second_signal_cuts_everything_to_a_second() -> None:
    drain = started()

    assert drain.hurry("second signal", now=110.0)
    assert drain.limit_at == 110.0
    assert drain.exit_at == 110.0 + HURRY_S
    assert drain.status == 1


def test_a_second_signal_in_the_last_second_prolongs_nothing() -> None:
    drain = started(drain_s=0.0)

    drain.hurry("second signal", now=103.9)

    assert drain.exit_at == 104.0


def test_a_signal_to_leave_at_once_needs_no_first_one() -> None:
    drain = Drain()

    assert drain.hurry("second signal", now=10.0)
    assert drain.phase is Phase.DRAINING
    assert drain.exit_at == 10.0 + HURRY_S


def test_further_signals_change_nothing() -> None:
    drain = started()
    drain.hurry("second signal", now=110.0)

    assert not drain.hurry("third", now=110.1)
    assert drain.reason == "second signal"


def test_each_phase_knows_when_the_next_one_begins() -> None:
    drain = started()
    found = []
    for phase in Phase:
        drain.phase = phase
        found.append(drain.wake_at)

    assert found == [None, None, drain.limit_at, drain.obey_until, drain.exit_at, None]
