"""Facts of the metrics that CloudWatch has of queues (facts/sqs.md section 5), read from the server's own control."""

from __future__ import annotations

from typing import Any

from tests.facts.services import Ours


def _live(ours: Ours, url: str, name: str) -> Any:
    return ours.metrics(url)["live"][name]


def _point(ours: Ours, url: str) -> dict[str, Any]:
    """End the present period; return its point."""
    ours.pass_time(60)
    return dict(ours.metrics(url)["points"][-1])


def test_a_point_is_made_every_minute(ours: Ours) -> None:
    """facts/sqs.md section 5: CloudWatch metrics (namespace AWS/SQS, dimension QueueName only, 1-minute)."""
    url = ours.queue()
    ours.pass_time(180)

    assert len(ours.metrics(url)["points"]) == 3


def test_a_point_has_the_three_counts(ours: Ours) -> None:
    """facts/sqs.md section 5: ApproximateNumberOfMessagesVisible, …NotVisible, …Delayed."""
    url = ours.queue()
    ours.send(url, "a", "b", "c")
    ours.send(url, "d", DelaySeconds=900)
    ours.receive_one(url, VisibilityTimeout=600)

    point = _point(ours, url)

    prefix = "ApproximateNumberOfMessages"
    assert [point[prefix + word] for word in ("Visible", "NotVisible", "Delayed")] == [2, 1, 1]


def test_an_automatic_move_is_not_counted_as_sent(ours: Ours) -> None:
    """facts/sqs.md section 5: NumberOfMessagesSent: Sent excludes automatic DLQ moves."""
    url, dead = ours.queue_with_dead_letters(1)
    ours.bury(url, "moved by SQS")
    ours.send(dead, "sent by a client")

    assert ours.counts(dead) == (2, 0, 0)
    assert _live(ours, dead, "NumberOfMessagesSent") == 1
    assert _live(ours, dead, "ApproximateNumberOfMessagesVisible") == 2, "so alarms watch this one"


def test_redeliveries_count_as_received(ours: Ours) -> None:
    """facts/sqs.md section 5: Received counts re-deliveries."""
    url = ours.queue()
    ours.send(url)
    for _ in range(3):
        ours.receive_one(url, VisibilityTimeout=0)

    assert _live(ours, url, "NumberOfMessagesReceived") == 3


def test_repeated_deletes_count(ours: Ours) -> None:
    """facts/sqs.md section 5: Deleted counts repeats."""
    url = ours.queue()
    ours.send(url)
    message = ours.receive_one(url)
    ours.delete(url, message)
    ours.delete(url, message)

    assert _live(ours, url, "NumberOfMessagesDeleted") == 2


def test_receives_that_brought_nothing_are_counted(ours: Ours) -> None:
    """facts/sqs.md section 5: NumberOfEmptyReceives."""
    url = ours.queue()
    ours.receive(url)
    ours.receive(url)

    assert _live(ours, url, "NumberOfEmptyReceives") == 2


def test_the_age_is_that_of_the_oldest(ours: Ours) -> None:
    """facts/sqs.md section 5: ApproximateAgeOfOldestMessage (s)."""
    url = ours.queue()
    ours.send(url, "old")
    ours.pass_time(100)
    ours.send(url, "new")

    assert _live(ours, url, "ApproximateAgeOfOldestMessage") == 100


def test_an_empty_queue_has_no_age(ours: Ours) -> None:
    """facts/sqs.md section 5: ApproximateAgeOfOldestMessage (s): of a message that is there."""
    url = ours.queue()
    ours.send(url)
    ours.pass_time(100)
    ours.delete(url, ours.receive_one(url))

    assert _live(ours, url, "ApproximateAgeOfOldestMessage") == 0


def test_poison_messages_do_not_age(ours: Ours) -> None:
    """facts/sqs.md section 5: ApproximateAgeOfOldestMessage: see poison note: received 3 or more times is ignored."""
    url = ours.queue()
    ours.send(url, "poison")
    ours.pass_time(100)
    ours.send(url, "good", DelaySeconds=1)
    for _ in range(3):
        ours.receive_one(url, VisibilityTimeout=0)

    assert _live(ours, url, "ApproximateAgeOfOldestMessage") < 100


def test_a_dead_letters_age_counts_from_its_move(ours: Ours) -> None:
    """facts/sqs.md section 5: for DLQ: age since moved."""
    url, dead = ours.queue_with_dead_letters(1)
    ours.send(url)
    ours.pass_time(1_000)
    ours.receive_one(url, VisibilityTimeout=0)
    ours.receive(url)
    ours.pass_time(10)

    assert _live(ours, dead, "ApproximateAgeOfOldestMessage") == 10


def test_sizes_are_told_only_after_a_send(ours: Ours) -> None:
    """facts/sqs.md section 5: SentMessageSize: bytes; only after a first send."""
    url = ours.queue()
    before = _point(ours, url)
    ours.send(url, "x" * 100)

    after = _point(ours, url)

    assert "SentMessageSize" not in before
    assert after["SentMessageSize"]["maximum"] == 100


def test_an_idle_queue_has_no_data_rather_than_zeros(ours: Ours) -> None:
    """facts/sqs.md section 5: active for up to 6 h …; after that metrics stop: **missing data, not zero**."""
    url = ours.queue()
    ours.pass_time(6 * 3_600 + 120)
    last = ours.metrics(url)["points"][-1]["at"]

    ours.pass_time(600)

    assert ours.metrics(url)["points"][-1]["at"] == last


def test_a_call_wakes_an_idle_queue(ours: Ours) -> None:
    """facts/sqs.md section 5: something should call GetQueueAttributes every few hours."""
    url = ours.queue()
    ours.pass_time(7 * 3_600)
    asleep = ours.metrics(url)["points"][-1]["at"]

    ours.attribute(url, "QueueArn")

    assert _point(ours, url)["at"] > asleep


def test_a_queue_that_holds_a_message_does_not_fall_asleep(ours: Ours) -> None:
    """facts/sqs.md section 5: A queue is *active* for up to 6 h after it holds a message."""
    url = ours.queue()
    ours.send(url)
    ours.pass_time(10 * 3_600)
    before = ours.metrics(url)["points"][-1]["at"]

    assert _point(ours, url)["at"] == before + 60
