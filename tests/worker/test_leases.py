"""How long a delivery is ours: anchors, margins, and the ceiling of twelve hours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forebay.settings import VISIBILITY_CEILING_S, WorkerSettings
from forebay.worker.leases import NETWORK_DELAY_MAX_S, anchor_of_receive, renew_at, renewal_s, trusted_until

visibilities = st.integers(2, VISIBILITY_CEILING_S)
instants = st.floats(min_value=0, max_value=1_000_000, allow_nan=False)


def test_a_receive_counts_from_its_answer_less_the_network_delay() -> None:
    assert anchor_of_receive(asked_at=100.0, answered_at=118.0, visibility_s=60) == 116.0


def test_a_receive_never_counts_from_before_it_was_asked_for() -> None:
    assert anchor_of_receive(asked_at=100.0, answered_at=100.5, visibility_s=60) == 100.0


def test_of_a_short_lease_no_more_than_a_sixth_goes_to_the_network() -> None:
    assert anchor_of_receive(asked_at=0.0, answered_at=10.0, visibility_s=3) == 9.5


def test_trust_ends_a_margin_before_the_lease() -> None:
    assert trusted_until(anchor_at=10.0, visibility_s=30.0, margin_s=5.0) == 35.0


def test_a_lease_is_renewed_when_a_third_is_gone() -> None:
    assert renew_at(anchor_at=10.0, visibility_s=30.0) == 20.0


def test_a_renewal_asks_for_the_whole_lease_again() -> None:
    assert renewal_s(visibility_s=60, received_at=0.0, now=40.0) == 60


def test_near_the_ceiling_a_renewal_asks_for_what_is_left_in_whole_seconds() -> None:
    assert renewal_s(visibility_s=60, received_at=0.0, now=43_150.5) == 39


def test_past_the_ceiling_nothing_is_left_to_ask_for() -> None:
    assert renewal_s(visibility_s=60, received_at=0.0, now=43_500.0) == 0


@given(visibilities, instants, st.floats(0, 20), st.floats(0, 1))
def test_trust_in_a_receive_always_ends_before_the_service_shows_the_message_again(
    visibility_s: int, asked_at: float, waited_s: float, delay_ratio: float
) -> None:
    """However long it waited at the service, as long as its way was no longer than we allow for."""
    hidden_at = asked_at + waited_s
    delay_s = delay_ratio * min(NETWORK_DELAY_MAX_S, visibility_s / 6)
    margin_s = WorkerSettings(visibility_s=visibility_s).trust_margin_s

    anchor_at = anchor_of_receive(asked_at=asked_at, answered_at=hidden_at + delay_s, visibility_s=visibility_s)
    until = trusted_until(anchor_at=anchor_at, visibility_s=visibility_s, margin_s=margin_s)

    assert until < hidden_at + visibility_s


@given(visibilities, instants, st.floats(0, 50_000))
def test_no_renewal_is_ever_refused_for_going_beyond_twelve_hours(
    visibility_s: int, received_at: float, age_s: float
) -> None:
    """SQS refuses what ends more than 43,200 s after the receive; ten seconds of that are left for the way."""
    now = received_at + age_s

    seconds = renewal_s(visibility_s=visibility_s, received_at=received_at, now=now)

    assert 0 <= seconds <= visibility_s
    assert seconds == 0 or now - received_at + seconds <= VISIBILITY_CEILING_S + 1e-6


@given(visibilities)
def test_two_more_tries_fit_between_a_renewal_that_fails_and_the_end_of_trust(visibility_s: int) -> None:
    margin_s = WorkerSettings(visibility_s=visibility_s).trust_margin_s

    left_s = trusted_until(anchor_at=0.0, visibility_s=visibility_s, margin_s=margin_s) - renew_at(
        anchor_at=0.0, visibility_s=visibility_s
    )

    assert left_s >= visibility_s / 3
