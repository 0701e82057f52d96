"""Facts of receive counts and dead-letter queues (facts/sqs.md section 3)."""

from __future__ import annotations

import json

import pytest
from tests.facts.services import Ours, Sqs


def test_a_message_is_delivered_as_often_as_allowed_and_then_moved(sqs: Sqs) -> None:
    """facts/sqs.md section 3: moved instead of returned: so it is delivered at most maxReceiveCount times."""
    url, dead = sqs.queue_with_dead_letters(2)
    sqs.send(url)

    deliveries = [len(sqs.receive(url, VisibilityTimeout=0)) for _ in range(3)]

    assert deliveries == [1, 1, 0]
    assert sqs.counts(url) == (0, 0, 0)
    assert sqs.counts(dead) == (1, 0, 0)


def test_a_message_is_moved_at_the_next_receive_not_before(ours: Ours) -> None:
    """facts/sqs.md section 3: exceeds maxReceiveCount at the next receive attempt is moved instead of returned."""
    url, dead = ours.queue_with_dead_letters(1)
    ours.send(url)
    ours.receive_one(url)
    ours.pass_time(3_600)
    assert (ours.counts(url), ours.counts(dead)) == ((1, 0, 0), (0, 0, 0))

    ours.receive(url)

    assert (ours.counts(url), ours.counts(dead)) == ((0, 0, 0), (1, 0, 0))


def test_a_release_burns_a_receive(sqs: Sqs) -> None:
    """facts/sqs.md section 3: a crash, a prefetch that is never processed and `visibility 0` all burn one count."""
    url, dead = sqs.queue_with_dead_letters(1)
    sqs.send(url)
    sqs.hide(url, sqs.receive_one(url), 0)

    assert sqs.receive(url) == []
    assert sqs.counts(dead) == (1, 0, 0)


def test_a_dead_letter_keeps_its_id_and_body(sqs: Sqs) -> None:
    """facts/sqs.md section 3: MessageId changes on redrive by message-move (and so not by the automatic move)."""
    url, dead = sqs.queue_with_dead_letters(1)
    sent = sqs.send(url, "a body", MessageAttributes={"job": {"DataType": "String", "StringValue": "x"}})
    sqs.receive_one(url, VisibilityTimeout=0)
    sqs.receive(url)

    buried = sqs.receive_one(dead)

    assert (buried["MessageId"], buried["Body"]) == (sent["MessageId"], "a body")
    assert buried["MessageAttributes"]["job"]["StringValue"] == "x"


def test_a_dead_letter_names_the_queue_it_came_from(sqs: Sqs) -> None:
    """facts/sqs.md section 1: System attributes: DeadLetterQueueSourceArn."""
    url, dead = sqs.queue_with_dead_letters(1)
    sqs.bury(url, "a body")

    assert sqs.receive_one(dead)["Attributes"]["DeadLetterQueueSourceArn"] == sqs.arn(url)


def test_a_message_sent_to_a_dead_letter_queue_names_no_source(sqs: Sqs) -> None:
    """facts/sqs.md section 1: DeadLetterQueueSourceArn is set by SQS, when it moves a message."""
    _, dead = sqs.queue_with_dead_letters(1)
    sqs.send(dead)

    assert "DeadLetterQueueSourceArn" not in sqs.receive_one(dead)["Attributes"]


def test_a_dead_letter_keeps_its_send_time(ours: Ours) -> None:
    """facts/sqs.md section 3: Standard: original enqueue timestamp is kept; DLQ retention runs from the first send."""
    url, dead = ours.queue_with_dead_letters(1)
    ours.set(url, MessageRetentionPeriod="1209600")
    ours.send(url)
    ours.receive_one(url, VisibilityTimeout=0)
    ours.pass_time(345_000)
    ours.receive(url)
    assert ours.counts(dead) == (1, 0, 0)

    ours.pass_time(600)

    assert ours.counts(dead) == (0, 0, 0), "four days after its send, not after its move"


def test_the_receive_count_is_carried_to_the_dead_letter_queue(ours: Ours) -> None:
    """facts/sqs.md section 3: Guide calls the metric count "across all queues"."""
    url, dead = ours.queue_with_dead_letters(2)
    ours.bury(url, "a body")

    assert ours.receive_one(dead)["Attributes"]["ApproximateReceiveCount"] == "3"


@pytest.mark.parametrize("count", [1, 1_000, "5"])
def test_the_limit_is_a_number_or_a_text(count: int | str, sqs: Sqs) -> None:
    """facts/sqs.md section 3: maxReceiveCount 1..1000; number or string."""
    url, _ = sqs.queue_with_dead_letters(count)

    policy = json.loads(sqs.attribute(url, "RedrivePolicy") or "")

    assert int(policy["maxReceiveCount"]) == int(count)


@pytest.mark.parametrize("count", [0, 1_001, -1, "many", 1.5])
def test_a_limit_out_of_bounds_is_refused(count: object, sqs: Sqs) -> None:
    """facts/sqs.md section 3: maxReceiveCount 1..1000; number or string."""
    dead, url = sqs.queue("dead"), sqs.queue()
    policy = json.dumps({"deadLetterTargetArn": sqs.arn(dead), "maxReceiveCount": count})

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes={"RedrivePolicy": policy})

    assert refusal.code == "InvalidParameterValue"
    assert "for parameter RedrivePolicy is invalid" in refusal.message


@pytest.mark.parametrize("missing", ["deadLetterTargetArn", "maxReceiveCount"])
def test_a_redrive_policy_needs_both_its_parts(missing: str, sqs: Sqs) -> None:
    """facts/sqs.md section 3: `RedrivePolicy` = JSON string `{"deadLetterTargetArn":"…","maxReceiveCount":5}`."""
    dead, url = sqs.queue("dead"), sqs.queue()
    policy = {"deadLetterTargetArn": sqs.arn(dead), "maxReceiveCount": 5}
    del policy[missing]

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})

    assert refusal.code == "InvalidParameterValue"
    assert missing in refusal.message


def test_a_dead_letter_queue_must_exist(sqs: Sqs) -> None:
    """facts/sqs.md section 3: deadLetterTargetArn names a queue of the same Region and account."""
    url = sqs.queue()
    policy = json.dumps({"deadLetterTargetArn": sqs.arn(url) + "-missing", "maxReceiveCount": 5})

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes={"RedrivePolicy": policy})

    assert refusal.code == "InvalidParameterValue"


def test_a_dead_letter_arn_must_be_one(sqs: Sqs) -> None:
    """facts/sqs.md section 3: `RedrivePolicy` = JSON string `{"deadLetterTargetArn":"…","maxReceiveCount":5}`."""
    policy = '{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}'

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=sqs.queue(), Attributes={"RedrivePolicy": policy})

    assert refusal.code == "InvalidParameterValue"
    assert "dummy" in refusal.message


def test_a_redrive_policy_can_be_taken_away(sqs: Sqs) -> None:
    """facts/sqs.md section 3: `RedrivePolicy` is an attribute; an empty one (API reference) takes it away."""
    url, dead = sqs.queue_with_dead_letters(1)

    sqs.set(url, RedrivePolicy="")

    sqs.send(url)
    assert [len(sqs.receive(url, VisibilityTimeout=0)) for _ in range(3)] == [1, 1, 1]
    assert sqs.counts(dead) == (0, 0, 0)


def test_a_dead_letter_queue_that_is_gone_loses_nothing(ours: Ours) -> None:
    """facts/sqs.md section 3: a message is moved instead of returned; without a queue to move to it is returned."""
    url, dead = ours.queue_with_dead_letters(1)
    ours.client.delete_queue(QueueUrl=dead)

    ours.send(url)

    assert [len(ours.receive(url, VisibilityTimeout=0)) for _ in range(3)] == [1, 1, 1]


def test_a_dead_letter_queue_can_forbid_every_source(sqs: Sqs) -> None:
    """facts/sqs.md section 3: `RedriveAllowPolicy`: denyAll."""
    dead, url = sqs.queue("dead"), sqs.queue()
    sqs.set(dead, RedriveAllowPolicy='{"redrivePermission":"denyAll"}')

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes={"RedrivePolicy": sqs.redrive(dead)})

    assert refusal.code == "InvalidParameterValue"


def test_a_dead_letter_queue_can_name_its_sources(sqs: Sqs) -> None:
    """facts/sqs.md section 3: `{"redrivePermission":"byQueue","sourceQueueArns":[…<=10]}`."""
    dead, friend, stranger = sqs.queue("dead"), sqs.queue(), sqs.queue()
    policy = {"redrivePermission": "byQueue", "sourceQueueArns": [sqs.arn(friend)]}
    sqs.set(dead, RedriveAllowPolicy=json.dumps(policy))

    sqs.set(friend, RedrivePolicy=sqs.redrive(dead))

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=stranger, Attributes={"RedrivePolicy": sqs.redrive(dead)})
    assert refusal.code == "InvalidParameterValue"


def test_a_dead_letter_queue_allows_every_source_unless_told_otherwise(sqs: Sqs) -> None:
    """facts/sqs.md section 3: allowAll (default)."""
    dead, url = sqs.queue("dead"), sqs.queue()
    assert sqs.attribute(dead, "RedriveAllowPolicy") is None

    sqs.set(dead, RedriveAllowPolicy='{"redrivePermission":"allowAll"}')
    sqs.set(url, RedrivePolicy=sqs.redrive(dead))

    assert sqs.attribute(url, "RedrivePolicy") == sqs.redrive(dead)


@pytest.mark.parametrize("count", [0, 11])
def test_one_to_ten_sources_can_be_named(count: int, sqs: Sqs) -> None:
    """facts/sqs.md section 3: `{"redrivePermission":"byQueue","sourceQueueArns":[…<=10]}`."""
    dead = sqs.queue("dead")
    policy = {"redrivePermission": "byQueue", "sourceQueueArns": [f"{sqs.arn(dead)}{n}" for n in range(count)]}

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(policy)})

    assert refusal.code in ("InvalidAttributeValue", "InvalidParameterValue")


def test_a_permission_that_nobody_knows_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 3: `RedriveAllowPolicy`: byQueue | allowAll (default) | denyAll."""
    attributes = {"RedriveAllowPolicy": '{"redrivePermission":"sometimes"}'}

    refusal = sqs.refusal("set_queue_attributes", QueueUrl=sqs.queue(), Attributes=attributes)

    assert refusal.code in ("InvalidAttributeValue", "InvalidParameterValue")


def test_a_dead_letter_queue_knows_its_sources(sqs: Sqs) -> None:
    """facts/sqs.md section 3: `RedrivePolicy`: several queues may name one (ListDeadLetterSourceQueues)."""
    dead = sqs.queue("dead")
    sources = [sqs.queue(RedrivePolicy=sqs.redrive(dead)) for _ in range(2)]
    sqs.queue()

    assert sorted(sqs.client.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]) == sorted(sources)


def test_dead_letters_of_several_queues_can_lie_in_one(sqs: Sqs) -> None:
    """facts/sqs.md section 3: DestinationArn absent = back to the original sources: a DLQ may have several."""
    dead = sqs.queue("dead")
    first, second = (sqs.queue(RedrivePolicy=sqs.redrive(dead)) for _ in range(2))
    sqs.bury(first, "of the first")
    sqs.bury(second, "of the second")

    arns = {message["Attributes"]["DeadLetterQueueSourceArn"] for message in sqs.receive(dead)}

    assert arns == {sqs.arn(first), sqs.arn(second)}
