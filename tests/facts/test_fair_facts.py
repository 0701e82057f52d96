"""Facts of fair queues: message groups on a standard queue (facts/sqs.md section 4)."""

from __future__ import annotations

from tests.facts.services import Ours, Sqs


def test_a_standard_queue_takes_groups(sqs: Sqs) -> None:
    """facts/sqs.md section 4: Set `MessageGroupId` (tenant) on messages to a **standard** queue: that is all."""
    url = sqs.queue()

    sqs.send(url, MessageGroupId="tenant")

    assert sqs.receive_one(url)["Attributes"]["MessageGroupId"] == "tenant"


def test_a_group_needs_no_deduplication_id(sqs: Sqs) -> None:
    """facts/sqs.md section 4: no consumer change: a standard queue delivers equal messages of a group, all of them."""
    url = sqs.queue()

    sqs.send(url, "same", "same", MessageGroupId="tenant")

    assert len(sqs.receive(url)) == 2


def test_a_group_is_worked_in_parallel(sqs: Sqs) -> None:
    """facts/sqs.md section 4: parallel processing within a group stays possible."""
    url = sqs.queue()
    sqs.send(url, "a", "b", MessageGroupId="tenant")

    sqs.receive_one(url)

    assert len(sqs.receive(url)) == 1


def test_a_quiet_group_goes_before_a_noisy_one(ours: Ours) -> None:
    """facts/sqs.md section 4: a group with a disproportionate share is noisy; other groups' messages are preferred."""
    url = ours.queue()
    ours.send(url, *(str(number) for number in range(50)), MessageGroupId="noisy")
    ours.receive(url)
    ours.receive(url)
    ours.send(url, "quiet", MessageGroupId="quiet")

    assert ours.receive_one(url)["Body"] == "quiet"


def test_a_noisy_group_still_flows_when_nothing_else_waits(ours: Ours) -> None:
    """facts/sqs.md section 4: Noisy messages still flow if nothing else is waiting."""
    url = ours.queue()
    ours.send(url, *(str(number) for number in range(30)), MessageGroupId="noisy")
    ours.send(url, "quiet", MessageGroupId="quiet")

    received = sum(len(ours.receive(url)) for _ in range(4))

    assert received == 31


def test_a_message_without_a_group_goes_before_a_noisy_one(ours: Ours) -> None:
    """facts/sqs.md section 4: other groups' messages are preferred while capacity is short; groups are optional."""
    url = ours.queue()
    ours.send(url, *(str(number) for number in range(50)), MessageGroupId="noisy")
    ours.send(url, "other", MessageGroupId="other")
    ours.receive(url)
    ours.receive(url)
    ours.send(url, "without")

    assert "without" in [message["Body"] for message in ours.receive(url)]


def test_groups_are_unlimited(ours: Ours) -> None:
    """facts/sqs.md section 4: groups unlimited."""
    url = ours.queue()
    entries = [
        [{"Id": str(n), "MessageBody": "x", "MessageGroupId": f"tenant-{batch}-{n}"} for n in range(10)]
        for batch in range(30)
    ]

    for batch in entries:
        ours.client.send_message_batch(QueueUrl=url, Entries=batch)

    assert sum(len(ours.receive(url)) for _ in range(30)) == 300
