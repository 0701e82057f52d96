"""Facts of visibility and receipt handles (facts/sqs.md section 3)."""

from __future__ import annotations

import pytest
from tests.facts.services import Ours, Sqs

CEILING_S = 43_200


def test_a_received_message_is_hidden_from_others(sqs: Sqs) -> None:
    """facts/sqs.md section 2: VisibilityTimeout default 30 s."""
    url = sqs.queue()
    sqs.send(url)

    assert len(sqs.receive(url)) == 1
    assert sqs.receive(url) == []
    assert sqs.counts(url) == (0, 1, 0)


def test_a_message_comes_back_when_its_visibility_ends(ours: Ours) -> None:
    """facts/sqs.md section 2: VisibilityTimeout 0..43,200 s, default 30 s."""
    url = ours.queue()
    ours.send(url)
    ours.receive_one(url)

    ours.pass_time(29)
    assert ours.receive(url) == []
    ours.pass_time(1)
    assert len(ours.receive(url)) == 1


def test_a_receive_can_ask_for_a_visibility_of_its_own(ours: Ours) -> None:
    """facts/sqs.md section 2: VisibilityTimeout 0..43,200 s, default 30 s."""
    url = ours.queue(VisibilityTimeout="10")
    ours.send(url)
    ours.receive_one(url, VisibilityTimeout=100)

    ours.pass_time(99)
    assert ours.receive(url) == []
    ours.pass_time(1)
    assert len(ours.receive(url)) == 1


def test_a_visibility_of_zero_hides_nothing(sqs: Sqs) -> None:
    """facts/sqs.md section 2: VisibilityTimeout 0..43,200 s."""
    url = sqs.queue()
    sqs.send(url)

    assert len(sqs.receive(url, VisibilityTimeout=0)) == 1
    assert len(sqs.receive(url, VisibilityTimeout=0)) == 1


@pytest.mark.parametrize("seconds", [-1, CEILING_S + 1])
def test_a_visibility_out_of_bounds_is_refused(seconds: int, sqs: Sqs) -> None:
    """facts/sqs.md section 2: VisibilityTimeout 0..43,200 s."""
    refusal = sqs.refusal("receive_message", QueueUrl=sqs.queue(), VisibilityTimeout=seconds)

    assert refusal.code == "InvalidParameterValue"


def test_every_receive_makes_a_new_receipt_handle(sqs: Sqs) -> None:
    """facts/sqs.md section 3: Every receive creates a new receipt handle."""
    url = sqs.queue()
    sqs.send(url)

    receipts = {sqs.receive_one(url, VisibilityTimeout=0)["ReceiptHandle"] for _ in range(3)}

    assert len(receipts) == 3


def test_a_receipt_handle_has_at_most_1024_characters(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Receipt handle / message id <= 1,024 / 100 chars."""
    url = sqs.queue()
    sqs.send(url)

    message = sqs.receive_one(url)

    assert len(message["ReceiptHandle"]) <= 1_024
    assert len(message["MessageId"]) <= 100


def test_a_deleted_message_is_gone(sqs: Sqs) -> None:
    """facts/sqs.md section 3: Delete: a lease that is deleted does not come back."""
    url = sqs.queue()
    sqs.send(url)

    sqs.delete(url, sqs.receive_one(url))

    assert sqs.counts(url) == (0, 0, 0)


def test_deleting_twice_is_no_error(sqs: Sqs) -> None:
    """facts/sqs.md section 3: Delete is idempotent."""
    url = sqs.queue()
    sqs.send(url)
    message = sqs.receive_one(url)

    sqs.delete(url, message)
    sqs.delete(url, message)

    assert sqs.counts(url) == (0, 0, 0)


def test_a_delete_with_an_old_handle_succeeds_and_the_message_survives(sqs: Sqs) -> None:
    """facts/sqs.md section 3: Delete with an old handle: the call succeeds but the message may survive."""
    url = sqs.queue()
    sqs.send(url)
    old = sqs.receive_one(url, VisibilityTimeout=0)
    sqs.receive_one(url)

    sqs.delete(url, old)

    assert sqs.counts(url) == (0, 1, 0)


def test_a_delete_after_the_visibility_works_while_nobody_received_again(ours: Ours) -> None:
    """facts/sqs.md section 3: DeleteMessage works even after the visibility timeout if nobody received it again."""
    url = ours.queue()
    ours.send(url)
    message = ours.receive_one(url)
    ours.pass_time(31)

    ours.delete(url, message)

    assert ours.counts(url) == (0, 0, 0)


def test_a_handle_that_is_none_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: ReceiptHandleIsInvalid: malformed/foreign handle, 404."""
    refusal = sqs.refusal("delete_message", QueueUrl=sqs.queue(), ReceiptHandle="no handle")

    assert (refusal.code, refusal.status) == ("ReceiptHandleIsInvalid", 404)


def test_another_queues_handle_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: ReceiptHandleIsInvalid: malformed/foreign handle."""
    url = sqs.queue()
    sqs.send(url)
    message = sqs.receive_one(url)

    refusal = sqs.refusal("delete_message", QueueUrl=sqs.queue(), ReceiptHandle=message["ReceiptHandle"])

    assert refusal.code == "ReceiptHandleIsInvalid"


def test_a_change_counts_from_the_call_and_is_not_added(ours: Ours) -> None:
    """facts/sqs.md section 3: ChangeMessageVisibility(h, t): new deadline = call time + t (not additive)."""
    url = ours.queue()
    ours.send(url)
    message = ours.receive_one(url, VisibilityTimeout=100)
    ours.pass_time(10)

    ours.hide(url, message, 20)

    ours.pass_time(19)
    assert ours.receive(url) == []
    ours.pass_time(1)
    assert len(ours.receive(url)) == 1


def test_a_change_to_zero_gives_the_message_back_at_once(sqs: Sqs) -> None:
    """facts/sqs.md section 3: t = 0 returns the message at once (counts as a receive when taken again)."""
    url = sqs.queue()
    sqs.send(url)

    sqs.hide(url, sqs.receive_one(url), 0)

    assert sqs.receive_one(url)["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_change_is_not_remembered_for_the_next_receive(ours: Ours) -> None:
    """facts/sqs.md section 3: Applies immediately, is not remembered for the next receive."""
    url = ours.queue(VisibilityTimeout="30")
    ours.send(url)
    ours.hide(url, ours.receive_one(url), 100)
    ours.pass_time(100)

    ours.receive_one(url)

    ours.pass_time(30)
    assert len(ours.receive(url)) == 1


def test_a_release_wakes_a_poll_that_waits(ours: Ours) -> None:
    """facts/sqs.md section 3: t = 0 returns the message at once."""
    url = ours.queue()
    ours.send(url, "again")
    message = ours.receive_one(url)

    with ours.polling(url, WaitTimeSeconds=20) as answered:
        ours.hide(url, message, 0)
        assert [message["Body"] for message in answered()] == ["again"]


def test_a_change_of_a_visible_message_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: MessageNotInflight: ChangeMessageVisibility on a message already visible, 400."""
    url = sqs.queue()
    sqs.send(url)
    message = sqs.receive_one(url, VisibilityTimeout=0)

    refusal = sqs.refusal(
        "change_message_visibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=10
    )

    assert (refusal.code, refusal.status) == ("AWS.SimpleQueueService.MessageNotInflight", 400)


def test_a_change_with_an_old_handle_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 3: Heartbeat failure: InvalidParameterValue "does not exist" => lease lost."""
    url = sqs.queue()
    sqs.send(url)
    old = sqs.receive_one(url, VisibilityTimeout=0)
    sqs.receive_one(url)

    refusal = sqs.refusal(
        "change_message_visibility", QueueUrl=url, ReceiptHandle=old["ReceiptHandle"], VisibilityTimeout=10
    )

    assert refusal.code == "InvalidParameterValue"
    assert "does not exist or is not available for visibility timeout change" in refusal.message


def test_a_change_of_a_deleted_message_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: InvalidParameterValue: Message does not exist or is not available for … change."""
    url = sqs.queue()
    sqs.send(url)
    message = sqs.receive_one(url)
    sqs.delete(url, message)

    refusal = sqs.refusal(
        "change_message_visibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=10
    )

    assert refusal.code == "InvalidParameterValue"


def test_a_change_out_of_bounds_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 2: VisibilityTimeout 0..43,200 s."""
    url = sqs.queue()
    sqs.send(url)
    message = sqs.receive_one(url)

    refusal = sqs.refusal(
        "change_message_visibility",
        QueueUrl=url,
        ReceiptHandle=message["ReceiptHandle"],
        VisibilityTimeout=CEILING_S + 1,
    )

    assert refusal.code == "InvalidParameterValue"


def test_a_lease_lasts_twelve_hours_from_its_receive_and_is_not_cut(ours: Ours) -> None:
    """facts/sqs.md section 3: 12 h cap from the receive: extension beyond -> InvalidParameterValue, not truncated."""
    url = ours.queue()
    ours.send(url)
    message = ours.receive_one(url)
    ours.pass_time(10)

    refusal = ours.refusal(
        "change_message_visibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=CEILING_S
    )
    assert refusal.message == (
        "Value 43200 for parameter VisibilityTimeout is invalid. "
        "Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    )

    ours.pass_time(20)
    assert len(ours.receive(url)) == 1, "the refused change has moved nothing"


def test_a_lease_may_be_renewed_up_to_the_twelve_hours(ours: Ours) -> None:
    """facts/sqs.md section 3: caller must compute `min(t, 43200 - elapsed)`."""
    url = ours.queue()
    ours.send(url)
    message = ours.receive_one(url)
    ours.pass_time(10)

    ours.hide(url, message, CEILING_S - 10)

    ours.pass_time(CEILING_S - 11)
    assert ours.receive(url) == []
    ours.pass_time(1)
    assert len(ours.receive(url)) == 1


def test_the_twelve_hours_begin_anew_with_each_receive(ours: Ours) -> None:
    """facts/sqs.md section 3: 12 h cap: measured from the receive that produced the lease (not from the send)."""
    url = ours.queue()
    ours.send(url)
    ours.receive_one(url)
    ours.pass_time(CEILING_S)
    message = ours.receive_one(url)

    ours.hide(url, message, CEILING_S)

    ours.pass_time(CEILING_S - 1)
    assert ours.receive(url) == []


def test_a_receive_may_ask_for_the_whole_twelve_hours(sqs: Sqs) -> None:
    """facts/sqs.md section 2: VisibilityTimeout 0..43,200 s."""
    url = sqs.queue()
    sqs.send(url)

    assert len(sqs.receive(url, VisibilityTimeout=CEILING_S)) == 1


def test_ten_leases_are_renewed_in_one_call(sqs: Sqs) -> None:
    """facts/sqs.md section 3: Batch of renewals: ChangeMessageVisibilityBatch (10)."""
    url = sqs.queue()
    sqs.send(url, *(str(number) for number in range(10)))
    entries = [
        {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
        for index, message in enumerate(sqs.receive(url))
    ]

    answer = sqs.client.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    assert len(answer["Successful"]) == len(entries) == 10
    assert sqs.counts(url) == (10, 0, 0)


def test_each_renewal_of_a_batch_fails_for_itself(sqs: Sqs) -> None:
    """facts/sqs.md section 1: Batch calls return HTTP 200 with Successful[] and Failed[] {Id, Code, Message}."""
    url = sqs.queue()
    sqs.send(url)
    receipt = sqs.receive_one(url)["ReceiptHandle"]
    entries = [
        {"Id": "good", "ReceiptHandle": receipt, "VisibilityTimeout": 60},
        {"Id": "late", "ReceiptHandle": receipt, "VisibilityTimeout": CEILING_S + 1},
    ]

    answer = sqs.client.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("late", "InvalidParameterValue")]


def test_deletes_go_in_batches_of_ten(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Batch 10 entries."""
    url = sqs.queue()
    sqs.send(url, *(str(number) for number in range(10)))
    entries = [
        {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(sqs.receive(url))
    ]

    assert len(sqs.client.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
    assert sqs.counts(url) == (0, 0, 0)


def test_the_receive_count_grows_with_each_receive(sqs: Sqs) -> None:
    """facts/sqs.md section 3: ApproximateReceiveCount: incremented at each receive."""
    url = sqs.queue()
    sqs.send(url)

    counts = [sqs.receive_one(url, VisibilityTimeout=0)["Attributes"]["ApproximateReceiveCount"] for _ in range(3)]

    assert counts == ["1", "2", "3"]


def test_the_first_receive_is_remembered(ours: Ours) -> None:
    """facts/sqs.md section 1: ApproximateFirstReceiveTimestamp (ms)."""
    url = ours.queue()
    ours.send(url)
    ours.pass_time(5)
    first = ours.receive_one(url, VisibilityTimeout=0)["Attributes"]
    ours.pass_time(5)

    again = ours.receive_one(url)["Attributes"]

    name = "ApproximateFirstReceiveTimestamp"
    assert again[name] == first[name]
    assert int(again[name]) - int(again["SentTimestamp"]) == 5_000


def test_a_message_can_be_delivered_twice_inside_its_visibility(ours: Ours) -> None:
    """facts/sqs.md section 3: At-least-once: a standard queue can deliver twice inside the timeout."""
    url = ours.queue()
    ours.modes(url).duplicates_due = 1
    ours.send(url)

    first, second = ours.receive_one(url), ours.receive_one(url)

    assert first["MessageId"] == second["MessageId"]
    assert first["ReceiptHandle"] != second["ReceiptHandle"]


def test_a_message_can_come_again_after_its_delete(ours: Ours) -> None:
    """facts/sqs.md section 3: At-least-once: or again after a delete (rare)."""
    url = ours.queue()
    ours.modes(url).deletes_lost = 1
    ours.send(url)

    ours.delete(url, ours.receive_one(url))

    ours.pass_time(30)
    assert len(ours.receive(url)) == 1


def test_a_poison_message_goes_to_the_back(ours: Ours) -> None:
    """facts/sqs.md section 3: a message received 3 or more times and not deleted is moved to the back of the queue."""
    url = ours.queue()
    ours.send(url, "poison")
    for _ in range(3):
        ours.receive_one(url, VisibilityTimeout=0)

    ours.send(url, "good")

    assert ours.receive_one(url)["Body"] == "poison", "nothing stood behind it when it came back"
    ours.pass_time(30)
    assert [message["Body"] for message in ours.receive(url)] == ["good", "poison"]


def test_a_short_poll_can_miss_messages_that_are_there(ours: Ours) -> None:
    """facts/sqs.md section 2: Short polling samples a subset of servers; often returns fewer/none."""
    url = ours.queue()
    ours.modes(url).is_sampled = True
    ours.send(url, *(str(number) for number in range(10)))

    found = [len(ours.receive(url, VisibilityTimeout=0)) for _ in range(30)]

    assert 0 in found
    assert max(found) > 1


def test_a_long_poll_misses_nothing(ours: Ours) -> None:
    """facts/sqs.md section 2: Short polling samples a subset of servers (long polling asks all of them)."""
    url = ours.queue()
    ours.modes(url).is_sampled = True

    for _ in range(10):
        ours.send(url)
        answer = ours.client.receive_message(QueueUrl=url, WaitTimeSeconds=1)
        ours.delete(url, answer["Messages"][0])
