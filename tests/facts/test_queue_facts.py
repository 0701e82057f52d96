"""Facts of making, finding, listing, changing, purging and deleting queues (facts/sqs.md sections 1, 2 and 5)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.facts.services import Ours, Sqs, refusal_of

BOUNDS = {
    "VisibilityTimeout": (0, 43_200),
    "MaximumMessageSize": (1_024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "DelaySeconds": (0, 900),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
}


def _names(sqs: Sqs, **asked: Any) -> list[str]:
    return [url.rsplit("/", 1)[-1] for url in sqs.client.list_queues(**asked).get("QueueUrls", [])]


# ── making ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_queue_has_the_defaults_of_aws(sqs: Sqs) -> None:
    """facts/sqs.md section 2: default 1 MiB; default 30 s; default 4 d; delay 0; wait 0; section 8: SSE-SQS on."""
    shown = sqs.client.get_queue_attributes(QueueUrl=sqs.queue(), AttributeNames=["All"])["Attributes"]

    assert {name: shown.get(name) for name in (*BOUNDS, "SqsManagedSseEnabled")} == {
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    }


@pytest.mark.parametrize("name", BOUNDS)
def test_an_attribute_reaches_to_both_its_bounds(name: str, sqs: Sqs) -> None:
    """facts/sqs.md section 2: 1,024..1,048,576; 0..43,200 s; 0..900 s; 60 s .. 14 d; 0..20."""
    url = sqs.queue()

    for value in BOUNDS[name]:
        sqs.set(url, **{name: str(value)})
        assert sqs.attribute(url, name) == str(value)


@pytest.mark.parametrize("name", BOUNDS)
def test_an_attribute_does_not_pass_its_bounds(name: str, sqs: Sqs) -> None:
    """facts/sqs.md section 2: 1,024..1,048,576; 0..43,200 s; 0..900 s; 60 s .. 14 d; 0..20."""
    url = sqs.queue()
    low, high = BOUNDS[name]

    for value in (low - 1, high + 1):
        refusal = sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes={name: str(value)})
        assert (refusal.code, refusal.status) == ("InvalidAttributeValue", 400)
        assert f"Invalid value for the parameter {name}." in refusal.message


@pytest.mark.parametrize("name", BOUNDS)
def test_the_refusal_of_an_attribute_names_the_value_and_what_is_legal(name: str, ours: Ours) -> None:
    """facts/sqs.md section 2: the bounds of each attribute; a refusal names what was asked and what would do."""
    low, high = BOUNDS[name]

    refusal = ours.refusal("set_queue_attributes", QueueUrl=ours.queue(), Attributes={name: str(high + 1)})

    assert refusal.message == (
        f"Invalid value for the parameter {name}. Reason: '{high + 1}' is not a whole number from {low} to {high}."
    )


def test_an_unknown_attribute_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: unmodelled words of SQS: InvalidAttributeName `Unknown Attribute …`."""
    refusal = sqs.refusal("get_queue_attributes", QueueUrl=sqs.queue(), AttributeNames=["NoSuchThing"])

    assert refusal.code == "InvalidAttributeName"
    assert refusal.message == "Unknown Attribute NoSuchThing."


@pytest.mark.parametrize("name", ["QueueArn", "CreatedTimestamp", "ApproximateNumberOfMessages"])
def test_what_sqs_writes_itself_cannot_be_set(name: str, sqs: Sqs) -> None:
    """facts/sqs.md section 5: the counts are told by GetQueueAttributes; they are nobody's to set."""
    refusal = sqs.refusal("set_queue_attributes", QueueUrl=sqs.queue(), Attributes={name: "1"})

    assert refusal.code == "InvalidAttributeName"


def test_a_change_is_made_whole_or_not_at_all(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Delay 0..900 s; VisibilityTimeout 0..43,200 s: one refusal refuses the call."""
    url = sqs.queue()
    attributes = {"DelaySeconds": "5", "VisibilityTimeout": "43201"}

    sqs.refusal("set_queue_attributes", QueueUrl=url, Attributes=attributes)

    assert sqs.attribute(url, "DelaySeconds") == "0"


@pytest.mark.parametrize("name", ["a b", "é", "x" * 81, "a.b", "a/b"])
def test_a_bad_name_is_refused(name: str, sqs: Sqs) -> None:
    """facts/sqs.md section 2: Queue name 80 chars [A-Za-z0-9_-]."""
    refusal = sqs.refusal("create_queue", QueueName=name)

    assert (refusal.code, refusal.status) == ("InvalidParameterValue", 400)


def test_a_name_may_have_80_characters(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Queue name 80 chars [A-Za-z0-9_-]."""
    name = sqs.queue("A-z_0").rsplit("/", 1)[-1].ljust(80, "x")

    assert sqs.client.create_queue(QueueName=name)["QueueUrl"].endswith(name)


def test_creating_a_queue_again_finds_it(sqs: Sqs) -> None:
    """facts/sqs.md section 1: QueueNameExists only for other attributes: the same ones find the queue."""
    url = sqs.queue(VisibilityTimeout="60")
    sqs.send(url)
    name = url.rsplit("/", 1)[-1]

    assert sqs.client.create_queue(QueueName=name)["QueueUrl"] == url
    assert sqs.client.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})["QueueUrl"] == url
    assert sqs.counts(url) == (1, 0, 0)


def test_creating_a_queue_again_with_other_attributes_is_refused(sqs: Sqs) -> None:
    """facts/sqs.md section 1: QueueNameExists -> `QueueAlreadyExists` 400."""
    name = sqs.queue(DelaySeconds="1").rsplit("/", 1)[-1]

    refusal = sqs.refusal("create_queue", QueueName=name, Attributes={"DelaySeconds": "2"})

    assert (refusal.code, refusal.status) == ("QueueAlreadyExists", 400)


def test_the_attribute_that_differs_is_named(ours: Ours) -> None:
    """facts/sqs.md section 1: QueueNameExists: a queue with the same name and another value for an attribute."""
    name = ours.queue(DelaySeconds="1").rsplit("/", 1)[-1]

    refusal = ours.refusal("create_queue", QueueName=name, Attributes={"VisibilityTimeout": "30", "DelaySeconds": "2"})

    assert refusal.message == (
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )


def test_a_default_that_is_asked_for_by_its_value_is_no_other_attribute(sqs: Sqs) -> None:
    """facts/sqs.md section 2: VisibilityTimeout default 30 s: asked for, it is the same queue."""
    url = sqs.queue()

    answer = sqs.client.create_queue(QueueName=url.rsplit("/", 1)[-1], Attributes={"VisibilityTimeout": "30"})

    assert answer["QueueUrl"] == url


# ── finding ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_queue_is_found_by_its_name(sqs: Sqs) -> None:
    """facts/sqs.md section 1: one URL for all queues: a queue's own is asked for by its name."""
    url = sqs.queue()

    assert sqs.client.get_queue_url(QueueName=url.rsplit("/", 1)[-1])["QueueUrl"] == url


def test_a_name_that_no_queue_has_is_not_found(sqs: Sqs) -> None:
    """facts/sqs.md section 1: QueueDoesNotExist, AWS.SimpleQueueService.NonExistentQueue, 400."""
    refusal = sqs.refusal("get_queue_url", QueueName="no-such-queue")

    assert (refusal.code, refusal.status) == ("AWS.SimpleQueueService.NonExistentQueue", 400)


def test_another_accounts_queue_is_not_found(ours: Ours) -> None:
    """facts/sqs.md section 1: QueueDoesNotExist: there is one account here."""
    url = ours.queue()
    account, name = url.split("/")[-2:]

    found = ours.client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    refusal = ours.refusal("get_queue_url", QueueName=name, QueueOwnerAWSAccountId="999999999999")

    assert found == url
    assert refusal.shape == "QueueDoesNotExist"


def test_queues_are_listed_by_prefix(sqs: Sqs) -> None:
    """facts/sqs.md section 2: Queue name 80 chars: queues are listed by the beginning of theirs."""
    made = [sqs.queue("prefix").rsplit("/", 1)[-1] for _ in range(3)]

    assert set(made) <= set(_names(sqs, QueueNamePrefix="prefix"))
    assert _names(sqs, QueueNamePrefix=made[0]) == [made[0]]


def test_queues_are_listed_page_by_page(sqs: Sqs) -> None:
    """facts/sqs.md section 1: JSON protocol: NextToken only with MaxResults (API reference, ListQueues)."""
    made = {sqs.queue("paged").rsplit("/", 1)[-1] for _ in range(5)}

    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        answer = sqs.client.list_queues(QueueNamePrefix="paged", MaxResults=2, **more)
        assert len(answer["QueueUrls"]) <= 2
        found += [url.rsplit("/", 1)[-1] for url in answer["QueueUrls"]]
        if "NextToken" not in answer:
            break
        more = {"NextToken": answer["NextToken"]}

    assert len(found) == len(set(found))
    assert made <= set(found)


def test_no_queue_of_a_prefix_is_no_list(sqs: Sqs) -> None:
    """facts/sqs.md section 1: empty result = `{}`."""
    answer = sqs.client.list_queues(QueueNamePrefix="no-queue-is-called-so")

    assert "QueueUrls" not in answer


@pytest.mark.parametrize("count_max", [0, 1_001])
def test_a_page_has_one_to_a_thousand_queues(count_max: int, ours: Ours) -> None:
    """facts/sqs.md section 2: quotas [docs:quotas-queues]: 1,000 queues per ListQueues request."""
    assert ours.refusal("list_queues", MaxResults=count_max).code == "InvalidParameterValue"


# ── attributes ─────────────────────────────────────────────────────────────────────────────────────────────


def test_only_attributes_that_are_asked_for_are_told(sqs: Sqs) -> None:
    """facts/sqs.md section 5: GetQueueAttributes gives what it is asked for."""
    answer = sqs.client.get_queue_attributes(QueueUrl=sqs.queue(), AttributeNames=["DelaySeconds"])

    assert answer["Attributes"] == {"DelaySeconds": "0"}


def test_counts_are_told_at_once(sqs: Sqs) -> None:
    """facts/sqs.md section 5: GetQueueAttributes gives ApproximateNumberOfMessages / …NotVisible / …Delayed at once."""
    url = sqs.queue()
    sqs.send(url, "a", "b")
    sqs.send(url, "c", DelaySeconds=900)
    sqs.receive_one(url)

    assert sqs.counts(url) == (1, 1, 1)


def test_there_is_no_age_among_the_attributes(sqs: Sqs) -> None:
    """facts/sqs.md section 5: there is no age attribute (age of oldest exists only as CloudWatch metric)."""
    url = sqs.queue()
    sqs.send(url)

    shown = sqs.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    assert not [name for name in shown if "Age" in name]


def test_an_arn_has_region_account_and_name(sqs: Sqs) -> None:
    """facts/sqs.md section 8: permissions are on the queue ARN."""
    url = sqs.queue()
    account, name = url.split("/")[-2:]

    assert sqs.arn(url) == f"arn:aws:sqs:us-east-1:{account}:{name}"


def test_a_change_is_dated(ours: Ours) -> None:
    """facts/sqs.md section 2: other attribute changes up to 60 s (LastModifiedTimestamp tells when)."""
    url = ours.queue()
    ours.pass_time(100)

    ours.set(url, DelaySeconds="5")

    created, modified = (int(ours.attribute(url, f"{word}Timestamp") or 0) for word in ("Created", "LastModified"))
    assert modified - created == 100


def test_a_shorter_retention_takes_what_is_too_old(ours: Ours) -> None:
    """facts/sqs.md section 2: Retention 60 s .. 14 d; change can take 15 min (here none)."""
    url = ours.queue()
    ours.send(url)
    ours.pass_time(61)

    ours.set(url, MessageRetentionPeriod="60")

    assert ours.counts(url) == (0, 0, 0)


# ── purging and deleting ───────────────────────────────────────────────────────────────────────────────────


def test_a_purge_takes_everything_in_flight_or_not(sqs: Sqs) -> None:
    """facts/sqs.md section 1: PurgeQueueInProgress 403: a purge empties the queue."""
    url = sqs.queue()
    sqs.send(url, "a", "b")
    sqs.receive_one(url)

    sqs.client.purge_queue(QueueUrl=url)

    assert sqs.counts(url) == (0, 0, 0)


def test_a_queue_is_purged_once_in_a_minute(sqs: Sqs) -> None:
    """facts/sqs.md section 1: PurgeQueueInProgress 403, AWS.SimpleQueueService.PurgeQueueInProgress."""
    url = sqs.queue()
    sqs.client.purge_queue(QueueUrl=url)

    refusal = sqs.refusal("purge_queue", QueueUrl=url)

    assert (refusal.code, refusal.status) == ("AWS.SimpleQueueService.PurgeQueueInProgress", 403)
    assert refusal.message == (
        f"Only one PurgeQueue operation on {url.rsplit('/', 1)[-1]} is allowed every 60 seconds."
    )


def test_a_minute_later_a_queue_can_be_purged_again(ours: Ours) -> None:
    """facts/sqs.md section 1: PurgeQueueInProgress (60 s)."""
    url = ours.queue()
    ours.client.purge_queue(QueueUrl=url)
    ours.send(url)

    ours.pass_time(60)
    ours.client.purge_queue(QueueUrl=url)

    assert ours.counts(url) == (0, 0, 0)


def test_a_deleted_queue_does_not_exist(sqs: Sqs) -> None:
    """facts/sqs.md section 1: QueueDoesNotExist, raised by all operations."""
    url = sqs.queue()
    sqs.client.delete_queue(QueueUrl=url)

    for operation, more in (
        ("send_message", {"MessageBody": "x"}),
        ("receive_message", {}),
        ("get_queue_attributes", {"AttributeNames": ["All"]}),
        ("purge_queue", {}),
    ):
        assert sqs.refusal(operation, QueueUrl=url, **more).shape == "QueueDoesNotExist"


def test_a_deleted_name_is_free_after_a_minute(ours: Ours) -> None:
    """facts/sqs.md section 1: QueueDeletedRecently 400 (60 s)."""
    url = ours.queue()
    name = url.rsplit("/", 1)[-1]
    ours.client.delete_queue(QueueUrl=url)

    ours.pass_time(59)
    refusal = ours.refusal("create_queue", QueueName=name)
    assert (refusal.code, refusal.status) == ("AWS.SimpleQueueService.QueueDeletedRecently", 400)

    ours.pass_time(1)
    assert ours.client.create_queue(QueueName=name)["QueueUrl"] == url


def test_a_deleted_name_is_not_free_at_once(sqs: Sqs) -> None:
    """facts/sqs.md section 1: QueueDeletedRecently 400 (60 s)."""
    url = sqs.queue()
    sqs.client.delete_queue(QueueUrl=url)

    assert sqs.refusal("create_queue", QueueName=url.rsplit("/", 1)[-1]).shape == "QueueDeletedRecently"


def test_a_poll_ends_when_its_queue_is_deleted(ours: Ours) -> None:
    """facts/sqs.md section 1: QueueDoesNotExist, raised by all operations, one that waits too."""
    url = ours.queue()

    with ours.polling(url, WaitTimeSeconds=20) as answered:
        ours.client.delete_queue(QueueUrl=url)
        assert refusal_of(answered).shape == "QueueDoesNotExist"
