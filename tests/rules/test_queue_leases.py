"""Visibility, receipts and the ceiling, as the pure rules have them."""

from __future__ import annotations

import pytest
from tests.rules.queues import EPOCH_MS, Bench, bodies, refusal

from forebay.rules.queue_semantics import ServiceFailure

EXPIRED = ("InvalidParameterValueException", "InvalidParameterValue", 400)


def test_a_message_is_hidden_until_the_very_end_of_its_visibility() -> None:
    bench = Bench()
    bench.send("job")
    bench.receive_one(visibility_s=30)

    assert bench.at(29.999).receive() == []
    assert bodies(bench.at(30.0).receive()) == ["job"]


def test_the_queues_own_visibility_holds_when_a_receive_names_none() -> None:
    bench = Bench(VisibilityTimeout="7")
    bench.send()
    bench.receive_one()

    assert bench.at(6.9).receive() == []
    assert len(bench.at(7.0).receive()) == 1


def test_a_visibility_of_nought_leaves_the_message_visible() -> None:
    bench = Bench()
    bench.send()

    first, second = bench.receive_one(visibility_s=0), bench.receive_one(visibility_s=0)

    assert (first.receive_count, second.receive_count) == (1, 2)
    assert bench.counts() == (1, 0, 0)


def test_a_new_visibility_is_counted_from_the_call() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one(visibility_s=30)

    bench.at(20).change(delivery, 30)

    assert bench.at(49.9).receive() == []
    assert len(bench.at(50).receive()) == 1


def test_a_renewed_message_stays_hidden_when_another_of_its_receive_comes_back() -> None:
    bench = Bench()
    bench.send("not renewed", "renewed")
    _, renewed = bench.receive(2, visibility_s=30)

    bench.change(renewed, 60)

    assert bodies(bench.at(30).receive()) == ["not renewed"]


def test_a_shorter_visibility_counts_too() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one(visibility_s=600)

    bench.change(delivery, 5)

    assert len(bench.at(5).receive()) == 1


def test_every_delivery_has_a_receipt_and_a_count_of_its_own() -> None:
    bench = Bench()
    bench.send()

    deliveries = [bench.at(number * 30.0).receive_one(visibility_s=30) for number in range(4)]

    assert [delivery.receive_count for delivery in deliveries] == [1, 2, 3, 4]
    assert len({delivery.receipt for delivery in deliveries}) == 4
    assert {delivery.first_received_at_ms for delivery in deliveries} == {EPOCH_MS}


def test_the_ceiling_counts_from_the_receive_and_not_from_the_send() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.at(40_000).receive_one(visibility_s=100)

    assert bench.at(40_050).change(delivery, 43_150) is None


def test_a_renewal_beyond_the_ceiling_is_refused_not_cut() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one(visibility_s=100)

    failure = bench.at(50).change(delivery, 43_151)

    assert refusal(failure) == EXPIRED
    assert failure is not None
    assert "beyond the limit [43200 seconds]" in failure.message
    assert len(bench.at(100).receive()) == 1


def test_a_lease_cannot_be_renewed_for_ever() -> None:
    """Heartbeats reach the ceiling: from then on nothing but giving back is allowed."""
    bench = Bench()
    bench.send()
    delivery = bench.receive_one(visibility_s=600)
    for now in range(500, 42_600, 500):
        assert bench.at(now).change(delivery, 600) is None

    assert refusal(bench.at(42_700).change(delivery, 600)) == EXPIRED
    assert bench.change(delivery, 0) is None


def test_each_receive_starts_twelve_hours_of_its_own() -> None:
    bench = Bench()
    bench.send()
    bench.receive_one(visibility_s=43_200)
    again = bench.at(43_200).receive_one(visibility_s=10)

    assert bench.change(again, 43_200) is None


def test_a_visible_message_is_not_in_flight() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one(visibility_s=10)

    failure = bench.at(10).change(delivery, 30)

    assert refusal(failure) == ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400)


def test_an_older_receipt_has_no_power_over_the_lease() -> None:
    bench = Bench()
    bench.send()
    old = bench.receive_one(visibility_s=10)
    bench.at(10).receive_one(visibility_s=10)

    failure = bench.change(old, 0)

    assert refusal(failure) == EXPIRED
    assert failure is not None
    assert "does not exist or is not available for visibility timeout change" in failure.message
    assert bench.receive() == []


def test_an_older_receipt_deletes_nothing_and_is_no_error() -> None:
    bench = Bench()
    bench.send("job")
    old = bench.receive_one(visibility_s=10)
    bench.at(10).receive_one(visibility_s=10)

    bench.delete(old)

    assert bodies(bench.at(20).receive()) == ["job"]


def test_the_newest_receipt_deletes_after_its_lease_has_ended() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one(visibility_s=10)

    bench.at(11).delete(delivery)

    assert bench.counts() == (0, 0, 0)
    assert bench.receive() == []


def test_deleting_twice_is_no_error() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one()

    bench.delete(delivery)
    bench.delete(delivery)

    assert bench.counts() == (0, 0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda receipt: "no such receipt",
        lambda receipt: "",
        lambda receipt: receipt[:-4],
        lambda receipt: receipt[:8] + ("A" if receipt[8] != "A" else "B") + receipt[9:],
        lambda receipt: receipt + "=",
        lambda receipt: "AQEBé" + receipt[5:],
    ],
    ids=["words", "empty", "cut", "one letter changed", "padded", "not ASCII"],
)
def test_a_receipt_that_this_queue_never_wrote_is_invalid(damage: object) -> None:
    bench = Bench()
    bench.send()
    receipt = bench.receive_one().receipt
    assert callable(damage)

    with pytest.raises(ServiceFailure) as caught:
        bench.rules.delete(bench.url, damage(receipt), now=0.0)

    assert refusal(caught.value) == ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404)
    assert bench.counts() == (0, 1, 0)


def test_a_receipt_of_another_queue_is_invalid_here() -> None:
    bench = Bench()
    other = bench.create("other")
    bench.send()
    delivery = bench.receive_one()

    with pytest.raises(ServiceFailure) as caught:
        bench.delete(delivery, url=other)

    assert caught.value.shape == "ReceiptHandleIsInvalid"


def test_receipts_look_like_those_of_aws() -> None:
    """Opaque, without a hyphen (the extended client splits at them), and far from 1,024 characters."""
    bench = Bench()
    bench.send()

    receipt = bench.receive_one().receipt

    assert receipt.startswith("AQEB")
    assert "-" not in receipt
    assert len(receipt) <= 1_024


@pytest.mark.parametrize("seconds", [-1, 43_201])
def test_a_visibility_out_of_bounds_is_refused(seconds: int) -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one()

    assert refusal(bench.change(delivery, seconds)) == EXPIRED


def test_a_delivery_shows_neither_body_nor_receipt_in_a_repr() -> None:
    bench = Bench()
    bench.send("canary body")
    delivery = bench.receive_one()

    assert "canary" not in repr(delivery) + repr(delivery.content)
    assert delivery.receipt not in repr(delivery)
