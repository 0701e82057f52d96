"""Every scenario on every ground. What moto gets wrong is named, with the sentence of AWS that it breaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.grounds import Ground, MemoryGround, local_ground, moto_ground

from forebay.errors import ForebayError
from forebay.testing.conformance import SCENARIOS, Scenario

GROUNDS = ("memory", "our-server-our-client", "our-server-boto3", "moto-our-client")

MOTO_BREAKS = {
    "the_ceiling_of_twelve_hours_counts_from_the_receive": (
        "12 h cap: measured from the receive (ReceiveMessage) that produced the lease. moto counts from the send."
    ),
    "a_renewal_beyond_the_ceiling_is_refused_and_changes_nothing": (
        "Batch calls return HTTP 200 with Successful[] and Failed[]. moto fails the whole batch with a 400."
    ),
    "a_message_that_is_visible_again_cannot_be_renewed": (
        "MessageNotInflight: ChangeMessageVisibility on a message already visible. moto never raises it."
    ),
    "an_older_receipt_cannot_renew": (
        'InvalidParameterValue "does not exist or is not available for visibility timeout change": lease lost, another '
        "worker may hold it. moto takes any former handle."
    ),
    "an_older_receipt_deletes_nothing_and_is_told_success": (
        "Delete with an old handle: on standard queues the call succeeds but the message may survive. In moto any "
        "former handle deletes, so nothing can be tested that relies on the newest one."
    ),
}
"""Scenario → what AWS says (facts/sqs.md, sections 1, 3 and 9) and moto does not do. A needless entry fails."""


@pytest.fixture(scope="module", params=GROUNDS)
def ground(request: pytest.FixtureRequest) -> Iterator[tuple[str, Ground]]:
    match request.param:
        case "memory":
            yield "memory", MemoryGround()
        case "moto-our-client":
            with moto_ground() as opened:
                yield "moto-our-client", opened
        case name:
            with local_ground(by_boto3=name.endswith("boto3")) as opened:
                yield name, opened


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_source_is_as_sqs(scenario: Scenario, ground: tuple[str, Ground]) -> None:
    name, place = ground
    sentence = MOTO_BREAKS.get(scenario.__name__) if name.startswith("moto") else None

    if sentence is None:
        place.run(scenario)
    else:
        with pytest.raises((AssertionError, ForebayError, ExceptionGroup)):
            place.run(scenario)
        pytest.skip(f"moto breaks: {sentence}")


def test_every_named_exception_is_a_scenario() -> None:
    assert set(MOTO_BREAKS) <= {scenario.__name__ for scenario in SCENARIOS}
