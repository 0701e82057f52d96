"""Queues as such: names, attributes, listing, deleting."""

from __future__ import annotations

import pytest
from tests.rules.queues import EPOCH_MS, Bench, refusal

from forebay.rules.queue_semantics import SendEntry, ServiceFailure


def test_a_queues_url_ends_with_account_and_name() -> None:
    assert Bench().url == "http://127.0.0.1/111111111111/jobs"


@pytest.mark.parametrize("host", ["http://localhost:4566", "https://sqs.eu-west-1.amazonaws.com", "http://[::1]:1"])
def test_a_queue_is_found_by_the_path_of_its_url_whatever_the_host(host: str) -> None:
    bench = Bench()

    bench.rules.send(f"{host}/111111111111/jobs", SendEntry(body="x"), now=0.0)

    assert bench.counts() == (1, 0, 0)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/111111111111/no-such-queue",
        "http://127.0.0.1/222222222222/jobs",
        "jobs",
        "",
        "http://127.0.0.1/jobs",
        "http://127.0.0.1/111111111111/jobs/",
    ],
)
def test_a_url_that_leads_nowhere_is_no_queue(url: str) -> None:
    with pytest.raises(ServiceFailure) as caught:
        Bench().rules.get_queue_attributes(url, ["All"], now=0.0)

    assert refusal(caught.value) == ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400)


def test_creating_a_queue_again_finds_it() -> None:
    bench = Bench(VisibilityTimeout="60")
    bench.send("kept")

    assert bench.create("jobs") == bench.url
    assert bench.create("jobs", VisibilityTimeout="60", DelaySeconds="0") == bench.url
    assert bench.counts() == (1, 0, 0)


def test_creating_a_queue_again_with_other_attributes_is_refused() -> None:
    bench = Bench(VisibilityTimeout="60")

    with pytest.raises(ServiceFailure, match="different value for attribute VisibilityTimeout") as caught:
        bench.create("jobs", VisibilityTimeout="61")

    assert refusal(caught.value) == ("QueueNameExists", "QueueAlreadyExists", 400)


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 81, "a/b", "a.b"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ServiceFailure) as caught:
        Bench().create(name)

    assert caught.value.legacy_code == "InvalidParameterValue"


def test_a_deleted_queues_name_is_free_again_after_a_minute() -> None:
    bench = Bench()
    bench.send("lost")
    bench.rules.delete_queue(bench.url, now=0.0)

    with pytest.raises(ServiceFailure) as caught:
        bench.at(59.9).create("jobs")
    assert refusal(caught.value)[0] == "QueueDeletedRecently"

    assert bench.at(60).create("jobs") == bench.url
    assert bench.counts() == (0, 0, 0)


def test_a_deleted_queue_does_not_exist_for_any_call() -> None:
    bench = Bench()
    bench.send()
    delivery = bench.receive_one()
    bench.rules.delete_queue(bench.url, now=0.0)

    for call in (
        bench.send,
        bench.receive,
        lambda: bench.delete(delivery),
        lambda: bench.counts(),
        lambda: bench.rules.purge_queue(bench.url, now=0.0),
        lambda: bench.rules.delete_queue(bench.url, now=0.0),
    ):
        with pytest.raises(ServiceFailure, match="does not exist"):
            call()


def test_attributes_have_the_defaults_of_aws() -> None:
    bench = Bench()

    shown = bench.rules.get_queue_attributes(bench.url, ["All"], now=0.0)

    assert shown == {
        "QueueArn": "arn:aws:sqs:eu-west-1:111111111111:jobs",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "CreatedTimestamp": str(EPOCH_MS // 1000),
        "LastModifiedTimestamp": str(EPOCH_MS // 1000),
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    }


def test_only_the_attributes_that_are_asked_for_are_shown() -> None:
    bench = Bench()

    assert bench.rules.get_queue_attributes(bench.url, ["DelaySeconds"], now=0.0) == {"DelaySeconds": "0"}
    assert bench.rules.get_queue_attributes(bench.url, ["RedrivePolicy"], now=0.0) == {}
    assert bench.rules.get_queue_attributes(bench.url, [], now=0.0) == {}


def test_an_unknown_attribute_is_refused() -> None:
    bench = Bench()

    for call in (
        lambda: bench.rules.get_queue_attributes(bench.url, ["NoSuch"], now=0.0),
        lambda: bench.rules.set_queue_attributes(bench.url, {"NoSuch": "1"}, now=0.0),
        lambda: bench.rules.set_queue_attributes(bench.url, {"QueueArn": "arn:x"}, now=0.0),
    ):
        with pytest.raises(ServiceFailure, match="Unknown Attribute") as caught:
            call()
        assert refusal(caught.value) == ("InvalidAttributeName", "InvalidAttributeName", 400)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("VisibilityTimeout", 0, 43_200),
        ("MaximumMessageSize", 1_024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("DelaySeconds", 0, 900),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
    ],
)
def test_attributes_have_the_bounds_of_aws(name: str, low: int, high: int) -> None:
    bench = Bench()

    for good in (low, high):
        bench.rules.set_queue_attributes(bench.url, {name: str(good)}, now=0.0)
        assert bench.rules.get_queue_attributes(bench.url, [name], now=0.0) == {name: str(good)}
    for bad in (str(low - 1), str(high + 1), "", "many", "1.5", "²"):
        with pytest.raises(ServiceFailure) as caught:
            bench.rules.set_queue_attributes(bench.url, {name: bad}, now=0.0)
        assert refusal(caught.value) == ("InvalidAttributeValue", "InvalidAttributeValue", 400)


def test_a_change_of_attributes_is_made_whole_or_not_at_all() -> None:
    bench = Bench()

    with pytest.raises(ServiceFailure):
        bench.rules.set_queue_attributes(bench.url, {"DelaySeconds": "5", "VisibilityTimeout": "x"}, now=0.0)

    assert bench.rules.get_queue_attributes(bench.url, ["DelaySeconds"], now=0.0) == {"DelaySeconds": "0"}


def test_a_change_is_dated() -> None:
    bench = Bench()

    bench.rules.set_queue_attributes(bench.url, {"DelaySeconds": "5"}, now=100.0)

    shown = bench.rules.get_queue_attributes(bench.url, ["All"], now=100.0)
    assert int(shown["LastModifiedTimestamp"]) - int(shown["CreatedTimestamp"]) == 100


def test_queues_are_listed_by_name_prefix_and_page() -> None:
    bench = Bench()
    for name in ("b2", "a1", "b1", "b3"):
        bench.create(name)
    url = bench.rules.registry.url
    list_urls = bench.rules.registry.list_urls

    assert list_urls() == ([url(name) for name in ("a1", "b1", "b2", "b3", "jobs")], None)
    first, token = list_urls(prefix="b", count_max=2)
    assert first == [url("b1"), url("b2")]
    assert token is not None
    assert list_urls(prefix="b", count_max=2, token=token) == ([url("b3")], None)


@pytest.mark.parametrize("count_max", [0, 1_001])
def test_a_page_out_of_bounds_is_refused(count_max: int) -> None:
    with pytest.raises(ServiceFailure, match="MaxResults"):
        Bench().rules.registry.list_urls(count_max=count_max)
