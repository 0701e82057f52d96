"""What makes a queue a FIFO one, and the attributes that only such a queue has."""

from __future__ import annotations

import json

import pytest
from tests.rules.fifo_queues import FifoBench
from tests.rules.queues import Bench, refusal

from forebay.rules.queue_semantics import ServiceFailure

FIFO = {"FifoQueue": "true"}
FIFO_ATTRIBUTES = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]


def _create(name: str, attributes: dict[str, str]) -> str:
    return Bench().rules.create_queue(name, attributes, now=0.0)


def _refused(name: str, attributes: dict[str, str]) -> ServiceFailure:
    with pytest.raises(ServiceFailure) as caught:
        _create(name, attributes)
    return caught.value


@pytest.mark.parametrize("name", ["jobs", "jobs.FIFO", ".fifo", "a b.fifo", "x" * 76 + ".fifo", "jobs.fifo\n"])
def test_a_fifo_queues_name_must_end_in_fifo_and_have_80_characters_at_most(name: str) -> None:
    failure = _refused(name, FIFO)

    assert refusal(failure) == ("InvalidParameterValueException", "InvalidParameterValue", 400)
    assert "must end with .fifo suffix" in failure.message


def test_the_suffix_counts_towards_the_80_characters() -> None:
    assert _create("x" * 75 + ".fifo", FIFO).endswith("x.fifo")


def test_no_other_queues_name_may_end_so() -> None:
    assert _refused("jobs.fifo", {}).message == (
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"FifoQueue": "false"},
        {"ContentBasedDeduplication": "true"},
        {"DeduplicationScope": "queue"},
        {"FifoThroughputLimit": "perQueue"},
    ],
)
def test_a_standard_queue_does_not_know_the_attributes_of_fifo_queues(attributes: dict[str, str]) -> None:
    (name,) = attributes
    bench = Bench()

    assert _refused("plain", attributes).message == f"Unknown Attribute {name}."
    with pytest.raises(ServiceFailure, match=f"Unknown Attribute {name}"):
        bench.rules.set_queue_attributes(bench.url, attributes, now=0.0)


@pytest.mark.parametrize("name", FIFO_ATTRIBUTES[1:])
def test_a_value_that_does_not_exist_is_refused(name: str) -> None:
    assert refusal(_refused("jobs.fifo", {**FIFO, name: "perhaps"}))[1] == "InvalidAttributeValue"


def test_a_queue_stays_what_it_is() -> None:
    bench = FifoBench()

    bench.rules.set_queue_attributes(bench.url, FIFO, now=0.0)
    with pytest.raises(ServiceFailure, match="Modifying queue type is not supported"):
        bench.rules.set_queue_attributes(bench.url, {"FifoQueue": "false"}, now=0.0)


def test_a_limit_for_each_group_needs_deduplication_by_group() -> None:
    limit = {"FifoThroughputLimit": "perMessageGroupId"}

    assert refusal(_refused("jobs.fifo", {**FIFO, **limit}))[1] == "InvalidAttributeValue"
    bench = FifoBench(FifoThroughputLimit="perMessageGroupId", DeduplicationScope="messageGroup")
    with pytest.raises(ServiceFailure, match="allowed only when the value for DeduplicationScope is messageGroup"):
        bench.rules.set_queue_attributes(bench.url, {"DeduplicationScope": "queue"}, now=0.0)


def test_a_fifo_queue_shows_its_attributes_and_a_standard_one_has_none() -> None:
    bench = FifoBench(ContentBasedDeduplication="true")
    standard = Bench()

    assert bench.rules.get_queue_attributes(bench.url, FIFO_ATTRIBUTES, now=0.0) == {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "queue",
        "FifoThroughputLimit": "perQueue",
    }
    assert standard.rules.get_queue_attributes(standard.url, FIFO_ATTRIBUTES, now=0.0) == {}


def test_creating_it_again_finds_it_unless_an_attribute_differs() -> None:
    bench = FifoBench()

    assert bench.create("jobs", ContentBasedDeduplication="false") == bench.url
    with pytest.raises(ServiceFailure, match="different value for attribute ContentBasedDeduplication"):
        bench.create("jobs", ContentBasedDeduplication="true")


@pytest.mark.parametrize("is_fifo", [True, False])
def test_a_dead_letter_queue_is_of_the_same_type(is_fifo: bool) -> None:
    bench = FifoBench()
    standard = bench.rules.create_queue("plain", {}, now=0.0)
    source, target = (bench.url, "plain") if is_fifo else (standard, "jobs.fifo")
    policy = json.dumps({"deadLetterTargetArn": bench.rules.arn(target), "maxReceiveCount": 3})

    with pytest.raises(ServiceFailure, match="Dead-letter queue must be same type of queue as the source") as caught:
        bench.rules.set_queue_attributes(source, {"RedrivePolicy": policy}, now=0.0)

    assert caught.value.legacy_code == "InvalidParameterValue"


def test_deduplication_by_body_may_be_switched_on_later() -> None:
    bench = FifoBench()
    bench.rules.set_queue_attributes(bench.url, {"ContentBasedDeduplication": "true"}, now=0.0)
    shown = bench.rules.get_queue_attributes(bench.url, ["ContentBasedDeduplication", "FifoQueue"], now=0.0)

    assert shown == {"ContentBasedDeduplication": "true", "FifoQueue": "true"}
