"""Who may use a queue, its tags and its encryption: what is kept, shown and refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from tests.rules.queues import Bench, refusal

from forebay.rules.queue_semantics import ServiceFailure

THERE = ["111111111111"]


def _policy(bench: Bench) -> dict[str, Any] | None:
    text = bench.rules.get_queue_attributes(bench.url, ["Policy"], now=bench.now).get("Policy")
    return None if text is None else json.loads(text)


def _shown(bench: Bench, *names: str) -> Mapping[str, str]:
    return bench.rules.get_queue_attributes(bench.url, names, now=bench.now)


def _refused(call: Callable[[], object]) -> ServiceFailure:
    with pytest.raises(ServiceFailure) as caught:
        call()
    return caught.value


# ── permissions ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_permission_makes_a_policy_of_the_form_that_aws_writes() -> None:
    bench = Bench()

    bench.rules.add_permission(bench.url, "reader", THERE, ["ReceiveMessage"], now=0.0)

    arn = "arn:aws:sqs:eu-west-1:111111111111:jobs"
    assert _policy(bench) == {
        "Version": "2008-10-17",
        "Id": f"{arn}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "reader",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": arn,
            }
        ],
    }


def test_several_accounts_and_actions_are_lists() -> None:
    bench = Bench()

    bench.rules.add_permission(bench.url, "x", [*THERE, "222222222222"], ["SendMessage", "GetQueueUrl"], now=0.0)

    policy = _policy(bench)
    assert policy is not None
    (statement,) = policy["Statement"]
    assert statement["Principal"]["AWS"] == ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]
    assert statement["Action"] == ["SQS:SendMessage", "SQS:GetQueueUrl"]


def test_a_permission_is_added_to_the_policy_that_is_there() -> None:
    bench = Bench()
    own = {"Version": "2012-10-17", "Id": "mine", "Statement": {"Sid": "one", "Effect": "Deny"}}
    bench.rules.set_queue_attributes(bench.url, {"Policy": json.dumps(own)}, now=0.0)

    bench.rules.add_permission(bench.url, "two", THERE, ["*"], now=0.0)

    policy = _policy(bench)
    assert policy is not None
    assert (policy["Version"], policy["Id"]) == ("2012-10-17", "mine")
    assert [statement["Sid"] for statement in policy["Statement"]] == ["one", "two"]


def test_a_label_is_used_once() -> None:
    bench = Bench()
    bench.rules.add_permission(bench.url, "x", THERE, ["*"], now=0.0)

    failure = _refused(lambda: bench.rules.add_permission(bench.url, "x", THERE, ["SendMessage"], now=0.0))

    assert failure.message == "Value x for parameter Label is invalid. Reason: Already exists."


def test_with_its_last_statement_the_policy_is_gone() -> None:
    bench = Bench()
    for label in ("one", "two"):
        bench.rules.add_permission(bench.url, label, THERE, ["*"], now=0.0)

    bench.rules.remove_permission(bench.url, "one", now=0.0)
    policy = _policy(bench)
    assert policy is not None
    assert [statement["Sid"] for statement in policy["Statement"]] == ["two"]

    bench.rules.remove_permission(bench.url, "two", now=0.0)
    assert _policy(bench) is None


def test_the_twenty_first_statement_is_one_too_many() -> None:
    bench = Bench()
    for number in range(20):
        bench.rules.add_permission(bench.url, f"label-{number}", THERE, ["*"], now=0.0)

    failure = _refused(lambda: bench.rules.add_permission(bench.url, "one-more", THERE, ["*"], now=0.0))

    assert "at most 20 statements" in failure.message


@pytest.mark.parametrize(
    ("label", "accounts", "actions", "message"),
    [
        ("a label", THERE, ["*"], "Value a label for parameter Label is invalid."),
        ("x" * 81, THERE, ["*"], "for parameter Label is invalid."),
        ("x", [], ["*"], "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify."),
        ("x", ["12345"], ["*"], "Value [12345] for parameter PrincipalId is invalid. Reason: Unable to verify."),
        ("x", THERE, [], "The request must contain the parameter Actions."),
        ("x", THERE, ["PurgeQueue"] * 8, "8 Actions were found, maximum allowed is 7."),
        ("x", THERE, ["Dance"], "Value SQS:Dance for parameter ActionName is invalid."),
        ("x", THERE, ["SetQueueAttributes"], "Only the queue owner is allowed to invoke this action."),
    ],
)
def test_a_bad_permission_is_refused_in_aws_words(
    label: str, accounts: list[str], actions: list[str], message: str
) -> None:
    bench = Bench()

    failure = _refused(lambda: bench.rules.add_permission(bench.url, label, accounts, actions, now=0.0))

    assert message in failure.message
    assert _policy(bench) is None


def test_a_label_that_is_not_there_cannot_be_removed() -> None:
    bench = Bench()

    failure = _refused(lambda: bench.rules.remove_permission(bench.url, "none", now=0.0))

    assert failure.message == "Value none for parameter Label is invalid. Reason: can't find label."


@pytest.mark.parametrize("policy", ["no JSON", "[]", '"text"', '{"Statement": ["text"]}', "é" * 4_097])
def test_what_is_no_policy_is_refused(policy: str) -> None:
    bench = Bench()

    failure = _refused(lambda: bench.rules.set_queue_attributes(bench.url, {"Policy": policy}, now=0.0))

    assert refusal(failure)[0] == "InvalidAttributeValue"


def test_an_empty_policy_takes_it_away() -> None:
    bench = Bench(Policy='{"Statement": []}')

    bench.rules.set_queue_attributes(bench.url, {"Policy": ""}, now=0.0)

    assert _policy(bench) is None


# ── tags ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_fifty_tags_are_kept_and_the_next_is_refused() -> None:
    bench = Bench()
    bench.rules.tag_queue(bench.url, {str(number): "x" for number in range(50)})

    failure = _refused(lambda: bench.rules.tag_queue(bench.url, {"one more": "x"}))

    assert failure.message == "Too many tags added for queue jobs."
    bench.rules.tag_queue(bench.url, {"49": "another value is no further tag"})
    assert len(bench.rules.queue_tags(bench.url)) == 50


@pytest.mark.parametrize("tags", [{"": "x"}, {"k" * 129: "x"}, {"k": "v" * 257}, {"k": 1}, {}])
def test_a_bad_tag_is_refused_and_none_of_its_call_is_set(tags: dict[str, object]) -> None:
    bench = Bench()

    _refused(lambda: bench.rules.tag_queue(bench.url, {"good": "x", **tags} if tags else tags))

    assert bench.rules.queue_tags(bench.url) == {}


def test_keys_and_values_reach_to_their_bounds() -> None:
    bench = Bench()
    tags: dict[str, object] = {"k" * 128: "v" * 256, "K": ""}

    bench.rules.tag_queue(bench.url, tags)

    assert bench.rules.queue_tags(bench.url) == tags


def test_a_queue_is_not_made_with_bad_tags() -> None:
    bench = Bench()

    _refused(lambda: bench.rules.create_queue("tagged", {}, {"": "x"}, now=0.0))

    assert bench.rules.registry.list_urls()[0] == [bench.url]


def test_nothing_to_take_away_is_refused() -> None:
    bench = Bench()

    assert refusal(_refused(lambda: bench.rules.untag_queue(bench.url, [])))[1] == "MissingParameter"


# ── encryption ─────────────────────────────────────────────────────────────────────────────────────────────

ENCRYPTION = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ([], {"SqsManagedSseEnabled": "true"}),
        ([{"SqsManagedSseEnabled": "false"}], {"SqsManagedSseEnabled": "false"}),
        (
            [{"KmsMasterKeyId": "k"}],
            {"KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"},
        ),
        (
            [{"KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": "6000", "SqsManagedSseEnabled": "false"}],
            {"KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": "6000", "SqsManagedSseEnabled": "false"},
        ),
        ([{"KmsMasterKeyId": "k"}, {"KmsMasterKeyId": ""}], {"SqsManagedSseEnabled": "false"}),
        ([{"KmsMasterKeyId": "k"}, {"SqsManagedSseEnabled": "true"}], {"SqsManagedSseEnabled": "true"}),
        (
            [{"KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": "60"}, {"KmsMasterKeyId": ""}],
            {"SqsManagedSseEnabled": "false"},
        ),
        (
            [{"SqsManagedSseEnabled": "true"}, {"KmsMasterKeyId": "k"}],
            {"KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"},
        ),
    ],
)
def test_a_queue_encrypts_in_one_way_and_says_which(changes: list[dict[str, str]], shown: dict[str, str]) -> None:
    bench = Bench()

    for change in changes:
        bench.rules.set_queue_attributes(bench.url, change, now=0.0)

    assert _shown(bench, *ENCRYPTION) == shown


def test_both_ways_at_once_are_refused() -> None:
    bench = Bench()
    both = {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}

    failure = _refused(lambda: bench.rules.set_queue_attributes(bench.url, both, now=0.0))

    assert refusal(failure) == ("InvalidAttributeName", "InvalidAttributeName", 400)
    assert _shown(bench, *ENCRYPTION) == {"SqsManagedSseEnabled": "true"}


def test_encryption_is_on_or_off() -> None:
    bench = Bench()
    change = {"SqsManagedSseEnabled": "perhaps"}

    assert "'true' or 'false'" in _refused(lambda: bench.rules.set_queue_attributes(bench.url, change, now=0.0)).message


# ── dead-letter queues ─────────────────────────────────────────────────────────────────────────────────────


def test_another_attribute_can_be_changed_though_the_dead_letter_queue_is_gone() -> None:
    bench = Bench()
    dead = bench.create("dead")
    redrive = json.dumps({"deadLetterTargetArn": bench.rules.arn("dead"), "maxReceiveCount": 1})
    bench.rules.set_queue_attributes(bench.url, {"RedrivePolicy": redrive}, now=0.0)
    bench.rules.delete_queue(dead, now=0.0)

    bench.rules.set_queue_attributes(bench.url, {"DelaySeconds": "5"}, now=0.0)

    assert _shown(bench, "DelaySeconds") == {"DelaySeconds": "5"}
