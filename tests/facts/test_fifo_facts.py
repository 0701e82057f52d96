"""Facts of FIFO queues (facts/sqs.md sections 2 and 3)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.facts.services import Message, Ours, Sqs

_numbers = itertools.count(1)


def _queue(sqs: Sqs, **attributes: str) -> str:
    return sqs.queue(FifoQueue="true", **attributes)


def _send(sqs: Sqs, url: str, *bodies: str, group: str = "g", **more: Any) -> Message:
    """Send messages to a group, each with a deduplication id of its own; return the last answer."""
    answer: Message = {}
    for body in bodies:
        answer = sqs.send(
            url, body, **{"MessageGroupId": group, "MessageDeduplicationId": f"id-{next(_numbers)}", **more}
        )
    return answer


def _bodies(messages: list[Message]) -> list[str]:
    return [message["Body"] for message in messages]


# ── making ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fifo_queues_name_ends_in_fifo(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Queue name: FIFO: must end `.fifo`."""
    refusal = sqs.refusal("create_queue", QueueName="no-suffix", Attributes={"FifoQueue": "true"})

    assert refusal.code == "InvalidParameterValue"


def test_no_standard_queues_name_ends_in_fifo(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Queue name: standard [A-Za-z0-9_-]; FIFO must end `.fifo`."""
    assert sqs.refusal("create_queue", QueueName="standard.fifo").code == "InvalidParameterValue"


def test_the_suffix_counts_towards_the_name(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Queue name 80 chars; must end `.fifo`."""
    fifo = {"FifoQueue": "true"}
    sqs.client.create_queue(QueueName="x" * 75 + ".fifo", Attributes=fifo)

    refusal = sqs.refusal("create_queue", QueueName="x" * 76 + ".fifo", Attributes=fifo)

    assert refusal.code == "InvalidParameterValue"


def test_a_fifo_queue_tells_its_own_attributes(sqs: Sqs) -> None:
    """facts/sqs.md section 2: high-throughput mode: `DeduplicationScope`, `FifoThroughputLimit`: off by default."""
    url = _queue(sqs)

    names = ("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")

    assert [sqs.attribute(url, name) for name in names] == ["true", "false", "queue", "perQueue"]


def test_high_throughput_needs_both_its_attributes(sqs: Sqs) -> None:
    """facts/sqs.md section 2: high-throughput mode (`DeduplicationScope=messageGroup`, `…=perMessageGroupId`)."""
    url = _queue(sqs, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    assert sqs.attribute(url, "FifoThroughputLimit") == "perMessageGroupId"

    refusal = sqs.refusal(
        "set_queue_attributes", QueueUrl=_queue(sqs), Attributes={"FifoThroughputLimit": "perMessageGroupId"}
    )

    assert refusal.code == "InvalidAttributeValue"


def test_a_dead_letter_queue_is_of_the_same_type(sqs: Sqs) -> None:
    """facts/sqs.md section 3: DLQ must be same type (standard/FIFO)."""
    url, dead = _queue(sqs), sqs.queue("dead")

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes={"RedrivePolicy": sqs.redrive(dead)})

    assert refusal.code.startswith("InvalidParameter")


# ── sending ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_group_is_required(sqs: Sqs) -> None:
    """facts/sqs.md section 2: MessageGroupId: FIFO: required."""
    refusal = sqs.refusal("send_message", QueueUrl=_queue(sqs), MessageBody="x", MessageDeduplicationId="1")

    assert refusal.code == "MissingParameter"
    assert "MessageGroupId" in refusal.message


@pytest.mark.parametrize("group", ["", "x" * 129, "a b"], ids=["empty", "long", "blank"])
def test_a_group_has_1_to_128_characters(group: str, sqs: Sqs) -> None:
    """facts/sqs.md section 2: MessageGroupId <= 128 chars."""
    refusal = sqs.refusal(
        "send_message", QueueUrl=_queue(sqs), MessageBody="x", MessageDeduplicationId="1", MessageGroupId=group
    )

    assert refusal.code in ("InvalidParameterValue", "MissingParameter")


def test_a_message_has_no_delay_of_its_own(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Delay: FIFO: queue-level only."""
    refusal = sqs.refusal(
        "send_message",
        QueueUrl=_queue(sqs),
        MessageBody="x",
        MessageGroupId="g",
        MessageDeduplicationId="1",
        DelaySeconds=2,
    )

    assert refusal.code == "InvalidParameterValue"
    assert refusal.message == (
        "Value 2 for parameter DelaySeconds is invalid. "
        "Reason: The request include parameter that is not valid for this queue type."
    )


def test_a_queues_delay_holds_for_all_its_messages(ours: Ours) -> None:
    """facts/sqs.md section 2: Delay 0..900 s per queue: FIFO: queue-level only."""
    url = _queue(ours, DelaySeconds="10")
    _send(ours, url, "a", "b")
    assert ours.counts(url) == (0, 0, 2)

    ours.pass_time(10)

    assert _bodies(ours.receive(url)) == ["a", "b"]


def test_a_duplicate_is_answered_and_not_delivered(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Dedup window 5 min."""
    url = _queue(sqs)

    _send(sqs, url, "a", MessageDeduplicationId="same")
    answer = _send(sqs, url, "b", MessageDeduplicationId="same")

    assert answer["MessageId"]
    assert _bodies(sqs.receive(url)) == ["a"]


def test_a_duplicate_has_the_first_ones_id_and_sequence_number(ours: Ours) -> None:
    """facts/sqs.md section 2: Dedup window 5 min: the duplicate is answered as the first send was."""
    url = _queue(ours)

    first = _send(ours, url, "a", MessageDeduplicationId="same")
    again = _send(ours, url, "b", MessageDeduplicationId="same")

    assert again["SequenceNumber"] == first["SequenceNumber"]
    assert again["MessageId"] == first["MessageId"]


def test_after_five_minutes_it_is_a_new_message(ours: Ours) -> None:
    """facts/sqs.md section 2: Dedup window 5 min."""
    url = _queue(ours)
    first = _send(ours, url, "a", MessageDeduplicationId="same")

    ours.pass_time(299)
    assert _send(ours, url, "a", MessageDeduplicationId="same")["MessageId"] == first["MessageId"]
    ours.pass_time(1)
    assert _send(ours, url, "a", MessageDeduplicationId="same")["MessageId"] != first["MessageId"]


def test_a_deleted_message_still_keeps_its_duplicates_out(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Dedup window 5 min, whatever became of the first."""
    url = _queue(sqs)
    _send(sqs, url, "a", MessageDeduplicationId="same")
    sqs.delete(url, sqs.receive_one(url))

    _send(sqs, url, "a", MessageDeduplicationId="same")

    assert sqs.receive(url) == []


def test_an_id_is_required_unless_bodies_give_it(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Dedup window: by MessageDeduplicationId or ContentBasedDeduplication."""
    refusal = sqs.refusal("send_message", QueueUrl=_queue(sqs), MessageBody="x", MessageGroupId="g")

    assert refusal.code == "InvalidParameterValue"
    assert refusal.message == (
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )


def test_bodies_give_ids_when_the_queue_says_so(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Dedup window 5 min: by content."""
    url = _queue(sqs, ContentBasedDeduplication="true")

    sqs.send(url, "same", "same", "other", MessageGroupId="g")

    assert _bodies(sqs.receive(url)) == ["same", "other"]


def test_an_id_given_goes_before_the_bodys(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Dedup window 5 min: by content where no id is given."""
    url = _queue(sqs, ContentBasedDeduplication="true")

    _send(sqs, url, "same", "same")

    assert len(sqs.receive(url)) == 2


def test_with_the_scope_of_groups_an_id_is_the_groups_own(sqs: Sqs) -> None:
    """facts/sqs.md section 2: high-throughput mode: `DeduplicationScope=messageGroup`."""
    url = _queue(sqs, DeduplicationScope="messageGroup")

    _send(sqs, url, "a", group="one", MessageDeduplicationId="same")
    _send(sqs, url, "b", group="two", MessageDeduplicationId="same")

    assert sorted(_bodies(sqs.receive(url))) == ["a", "b"]


def test_sequence_numbers_rise(ours: Ours) -> None:
    """facts/sqs.md section 1: System attributes: SequenceNumber (moto's are drawn by lot)."""
    url = _queue(ours)

    numbers = [int(_send(ours, url, body)["SequenceNumber"]) for body in "abc"]

    assert numbers == sorted(set(numbers))
    assert [int(message["Attributes"]["SequenceNumber"]) for message in ours.receive(url)] == numbers


def test_a_receive_tells_the_sequence_number_of_the_send(sqs: Sqs) -> None:
    """facts/sqs.md section 1: System attributes: SequenceNumber."""
    url = _queue(sqs)

    sent = _send(sqs, url, "a")

    assert sqs.receive_one(url)["Attributes"]["SequenceNumber"] == sent["SequenceNumber"]


def test_a_message_tells_its_group_and_id(sqs: Sqs) -> None:
    """facts/sqs.md section 1: System attributes: MessageDeduplicationId, MessageGroupId."""
    url = _queue(sqs)
    _send(sqs, url, "a", group="tenant", MessageDeduplicationId="1")

    attributes = sqs.receive_one(url)["Attributes"]

    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("tenant", "1")


def test_a_standard_queue_takes_no_deduplication_id(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Dedup window: standard: none."""
    refusal = sqs.refusal("send_message", QueueUrl=sqs.queue(), MessageBody="x", MessageDeduplicationId="1")

    assert refusal.code == "InvalidParameterValue"


# ── receiving ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_group_comes_in_order(sqs: Sqs) -> None:
    """facts/sqs.md section 3: FIFO: while a message of a group is in flight, later ones are hidden."""
    url = _queue(sqs)
    _send(sqs, url, *"abc")

    found: list[str] = []
    for _ in range(3):
        message = sqs.receive_one(url)
        found.append(message["Body"])
        sqs.delete(url, message)

    assert found == ["a", "b", "c"]


def test_a_group_with_a_message_in_flight_is_locked(sqs: Sqs) -> None:
    """facts/sqs.md section 3: FIFO: while a message of a group is in flight, later ones of that group are hidden."""
    url = _queue(sqs)
    _send(sqs, url, "a", "b")
    sqs.receive_one(url)

    assert sqs.receive(url) == []


def test_other_groups_are_not_locked(sqs: Sqs) -> None:
    """facts/sqs.md section 3: later ones of that group are hidden (and of no other)."""
    url = _queue(sqs)
    _send(sqs, url, "a", "b", group="one")
    sqs.receive_one(url)
    _send(sqs, url, "c", group="two")

    assert _bodies(sqs.receive(url)) == ["c"]


def test_one_receive_can_bring_several_of_a_group(sqs: Sqs) -> None:
    """facts/sqs.md section 2: MaxNumberOfMessages 1..10: FIFO the same."""
    url = _queue(sqs)
    _send(sqs, url, *"abc")

    assert _bodies(sqs.receive(url)) == ["a", "b", "c"]


def test_a_group_is_locked_for_the_whole_visibility(ours: Ours) -> None:
    """facts/sqs.md section 3: failed delete/heartbeat blocks the group for the whole timeout."""
    url = _queue(ours)
    _send(ours, url, "a", "b")
    ours.receive_one(url)

    ours.pass_time(29)
    assert ours.receive(url) == []
    ours.pass_time(1)
    assert _bodies(ours.receive(url)) == ["a", "b"]


def test_what_is_given_back_comes_first_again(sqs: Sqs) -> None:
    """facts/sqs.md section 3: t = 0 returns the message at once: FIFO: before the later ones of its group."""
    url = _queue(sqs)
    _send(sqs, url, "a", "b")

    sqs.hide(url, sqs.receive_one(url), 0)

    assert sqs.receive_one(url)["Body"] == "a"


def test_a_poison_message_stays_at_the_front(sqs: Sqs) -> None:
    """facts/sqs.md section 3: Poison messages: on *standard* queues they go to the back; not on FIFO ones."""
    url = _queue(sqs)
    _send(sqs, url, "a", "b")

    assert [sqs.receive_one(url, VisibilityTimeout=0)["Body"] for _ in range(5)] == ["a"] * 5


def test_a_delete_after_the_visibility_is_refused(ours: Ours) -> None:
    """facts/sqs.md section 3: on FIFO it fails once the timeout passed (`receipt handle has expired`)."""
    url = _queue(ours)
    _send(ours, url, "a")
    message = ours.receive_one(url)
    ours.pass_time(31)

    refusal = ours.refusal("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    assert refusal.code == "InvalidParameterValue"
    assert refusal.message.endswith("is invalid. Reason: The receipt handle has expired.")
    assert ours.counts(url) == (1, 0, 0)


def test_a_receive_can_be_asked_for_again(ours: Ours) -> None:
    """facts/sqs.md section 3: `ReceiveRequestAttemptId`: same token within 5 min: same messages and handles."""
    url = _queue(ours)
    _send(ours, url, "a", "b")

    first = ours.receive(url, ReceiveRequestAttemptId="token")
    again = ours.receive(url, ReceiveRequestAttemptId="token")

    assert [message["ReceiptHandle"] for message in again] == [message["ReceiptHandle"] for message in first]
    assert _bodies(again) == ["a", "b"]


def test_a_receive_asked_for_again_hides_anew(ours: Ours) -> None:
    """facts/sqs.md section 3: a retry resets their visibility timeout."""
    url = _queue(ours)
    _send(ours, url, "a")
    ours.receive(url, ReceiveRequestAttemptId="token")
    ours.pass_time(20)

    ours.receive(url, ReceiveRequestAttemptId="token")

    ours.pass_time(29)
    assert ours.receive(url) == []
    ours.pass_time(1)
    assert len(ours.receive(url)) == 1


def test_a_receive_cannot_be_asked_for_again_once_something_was_deleted(ours: Ours) -> None:
    """facts/sqs.md section 3: returns the same messages as long as none was deleted/changed."""
    url = _queue(ours)
    _send(ours, url, "a", "b")
    first, _ = ours.receive(url, ReceiveRequestAttemptId="token")
    ours.delete(url, first)

    assert ours.receive(url, ReceiveRequestAttemptId="token") == []


def test_a_standard_queue_takes_no_attempt_id(ours: Ours) -> None:
    """facts/sqs.md section 3: `ReceiveRequestAttemptId` (FIFO only)."""
    refusal = ours.refusal("receive_message", QueueUrl=ours.queue(), ReceiveRequestAttemptId="token")

    assert refusal.code == "InvalidParameterValue"


def test_a_full_fifo_queue_raises_no_error(ours: Ours) -> None:
    """facts/sqs.md section 2: In flight: FIFO 120,000 (was 20,000); no error."""
    url = _queue(ours)
    ours.modes(url).in_flight_max = 1
    _send(ours, url, "a", group="one")
    _send(ours, url, "b", group="two")
    ours.receive_one(url)

    assert ours.receive(url) == []


# ── dead letters ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_groups_dead_message_makes_way(sqs: Sqs) -> None:
    """facts/sqs.md section 3: a message that exceeds maxReceiveCount is moved instead of returned."""
    url, dead = sqs.queue_with_dead_letters(1, FifoQueue="true")
    _send(sqs, url, "a", "b")
    sqs.receive_one(url, VisibilityTimeout=0)

    assert sqs.receive_one(url)["Body"] == "b"
    assert sqs.receive_one(dead)["Body"] == "a"


def test_a_dead_letters_time_begins_anew(ours: Ours) -> None:
    """facts/sqs.md section 3: Standard: original enqueue timestamp is kept. FIFO: timestamp resets."""
    url, dead = ours.queue_with_dead_letters(1, FifoQueue="true")
    sent_at = int(_sent_at(ours, url))
    ours.pass_time(1_000)
    ours.receive(url)

    assert int(ours.receive_one(dead)["Attributes"]["SentTimestamp"]) - sent_at == 1_000_000


def _sent_at(ours: Ours, url: str) -> str:
    """Send a message, receive it once, give it back; return its SentTimestamp."""
    _send(ours, url, "a")
    return str(ours.receive_one(url, VisibilityTimeout=0)["Attributes"]["SentTimestamp"])


def test_dead_letters_move_back_in_order_and_past_deduplication(ours: Ours) -> None:
    """facts/sqs.md section 3: message move yields a new message; DestinationArn absent = back to the sources."""
    url, dead = ours.queue_with_dead_letters(1, FifoQueue="true")
    _send(ours, url, *"abc")
    while ours.receive(url, VisibilityTimeout=0):
        pass
    assert ours.counts(dead) == (3, 0, 0)

    ours.client.start_message_move_task(SourceArn=ours.arn(dead))
    ours.pass_time(1)

    assert _bodies(ours.receive(url)) == ["a", "b", "c"]
    assert ours.counts(dead) == (0, 0, 0)
