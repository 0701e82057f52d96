"""Schedules, topics, the payload bucket, alarms and notices in a template."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.deploy.metric_math import Figure, MetricMath

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import alarms, notices, payloads, schedules, topics
from forebay.deploy.template.build import build
from forebay.deploy.template.intrinsics import Json, logical_id

ORDERS = "arn:aws:sns:eu-west-1:123456789012:orders"


def manifest(**said: Any) -> Manifest:
    return Manifest.model_validate({"name": "shop", **said})


def names(shop: Manifest) -> Names:
    return Names("shop", "test", is_fifo=shop.queue.type == "fifo")


def properties(piece: Any, shop: Manifest, logical_id: str) -> Json:
    found: Json = piece(shop, names(shop)).resources[logical_id]["Properties"]
    return found


def sent(shop: Manifest, logical_id: str, queue_url: str = "https://sqs/shop") -> Json:
    """What a schedule calls SendMessage with, as CloudFormation fills it in."""
    text = properties(schedules.piece, shop, logical_id)["Target"]["Input"]["Fn::Sub"]
    call: Json = json.loads(text.replace("${Queue}", queue_url).replace("${!", "${"))
    return call


def scheduled(**said: Any) -> Manifest:
    return manifest(schedules={"nightly": said}, queue={"type": "fifo"} if "group" in said else {})


def subscriptions(shop: Manifest) -> dict[str, Json]:
    """Logical id → properties."""
    found = topics.piece(shop, names(shop)).resources
    return {logical_id: one["Properties"] for logical_id, one in found.items()}


# Schedules


def test_a_schedule_sends_its_job_with_the_attribute_that_leads_to_the_handler() -> None:
    shop = scheduled(every="1h", job="clean", body={"days": 30, "note": "Grüße"})

    assert sent(shop, "ScheduleNightly") == {
        "QueueUrl": "https://sqs/shop",
        "MessageBody": '{"days": 30, "note": "Gr\\u00fc\\u00dfe"}',
        "MessageAttributes": {"job": {"DataType": "String", "StringValue": "clean"}},
    }


def test_a_body_of_text_is_sent_as_it_is_also_where_it_looks_like_cloudformation() -> None:
    shop = scheduled(every="1h", body='${AWS::Region} "${Queue}" \\ ${')
    text = properties(schedules.piece, shop, "ScheduleNightly")["Target"]["Input"]["Fn::Sub"]

    assert text.count("${Queue}") == 1
    assert sent(shop, "ScheduleNightly")["MessageBody"] == '${AWS::Region} "${Queue}" \\ ${'


def test_in_a_fifo_queue_a_second_try_is_no_second_job() -> None:
    call = sent(scheduled(every="1h", group="nightly"), "ScheduleNightly")

    assert call["MessageGroupId"] == "nightly"
    assert call["MessageDeduplicationId"] == "nightly-<aws.scheduler.scheduled-time>"


@pytest.mark.parametrize(
    ("said", "expression"),
    [
        ({"every": "1m"}, "rate(1 minute)"),
        ({"every": "90m"}, "rate(90 minutes)"),
        ({"every": "1h"}, "rate(1 hour)"),
        ({"every": "36h"}, "rate(36 hours)"),
        ({"every": "1d"}, "rate(1 day)"),
        ({"every": "7d"}, "rate(7 days)"),
        ({"cron": "0 6 ? * MON *"}, "cron(0 6 ? * MON *)"),
    ],
)
def test_the_time_as_scheduler_writes_it(said: Json, expression: str) -> None:
    assert schedules.expression(scheduled(**said).schedules["nightly"]) == expression


@pytest.mark.parametrize(
    ("said", "late_s"), [({"every": "1m"}, 60), ({"every": "2h"}, 3600), ({"cron": "0 6 * * ? *"}, 3600)]
)
def test_a_job_that_could_not_be_sent_is_given_up_before_the_next_one(said: Json, late_s: int) -> None:
    target = properties(schedules.piece, scheduled(**said), "ScheduleNightly")["Target"]

    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == late_s


def test_a_schedule_can_be_off_and_can_be_spread() -> None:
    schedule = properties(schedules.piece, scheduled(every="1h", jitter="10m", enabled=False), "ScheduleNightly")

    assert schedule["State"] == "DISABLED"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}


def test_names_that_differ_only_in_what_ids_cannot_hold_get_ids_of_their_own() -> None:
    given = ["a-b", "a_b", "ab", "a-1", "a1", "role"]
    ids = {logical_id("Schedule", name, taken=["ScheduleRole"]) for name in given}

    assert len(ids) == len(given)
    assert all(value.isalnum() for value in ids)
    assert "ScheduleRole" not in ids
    assert {"ScheduleAB", "ScheduleAb", "ScheduleA1"} < ids


# Topics


def test_a_topic_may_send_to_both_queues_and_use_their_key_and_no_other_topic_may() -> None:
    shop = manifest(topics={"orders": {"arn": ORDERS}}, queue={"encryption": "kms"})
    resources = build(shop, names(shop))["Resources"]

    places = [("QueuePolicy", "PolicyDocument"), ("DeadLetterQueuePolicy", "PolicyDocument"), ("QueueKey", "KeyPolicy")]
    for place, document in places:
        (statement,) = [
            statement
            for statement in resources[place]["Properties"][document]["Statement"]
            if statement.get("Principal") == {"Service": "sns.amazonaws.com"}
        ]
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": [ORDERS]}}


def test_a_subscription_says_all_that_the_manifest_says() -> None:
    shop = manifest(topics={"orders": {"arn": ORDERS, "raw": True, "filter": {"a": ["b"]}, "filter_on": "body"}})

    (subscription,) = subscriptions(shop).values()

    assert subscription == {
        "TopicArn": ORDERS,
        "Protocol": "sqs",
        "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
        "Region": "eu-west-1",
        "RawMessageDelivery": True,
        "FilterPolicy": {"a": ["b"]},
        "FilterPolicyScope": "MessageBody",
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}},
    }


def test_a_fifo_topic_has_no_standard_queue_for_what_it_cannot_deliver() -> None:
    shop = manifest(topics={"orders": {"arn": f"{ORDERS}.fifo"}})

    assert all("RedrivePolicy" not in said for said in subscriptions(shop).values())


def test_a_topic_under_another_name_stays_the_same_subscription() -> None:
    """SNS answers a second subscription with the first; CloudFormation would then delete it with its old id."""
    before = manifest(topics={"orders": {"arn": ORDERS}})
    after = manifest(topics={"new": {"arn": f"{ORDERS}-new"}, "paid-orders": {"arn": ORDERS}})

    assert subscriptions(before).items() <= subscriptions(after).items()


def test_topics_of_one_name_in_two_accounts_are_two_subscriptions() -> None:
    elsewhere = ORDERS.replace("123456789012", "210987654321")

    assert len(subscriptions(manifest(topics={"ours": {"arn": ORDERS}, "theirs": {"arn": elsewhere}}))) == 2


def test_no_message_comes_before_the_queues_may_take_it() -> None:
    """SNS does not try again what a queue refuses."""
    piece = topics.piece(manifest(topics={"orders": {"arn": ORDERS}}), Names("shop", "test"))

    assert [one["DependsOn"] for one in piece.resources.values()] == [["QueuePolicy", "DeadLetterQueuePolicy"]]


# The payload bucket


@pytest.mark.parametrize(
    ("queue", "days"), [({}, 22), ({"retention": "1h", "dead_letter_retention": "1h"}, 1), ({"retention": "14d"}, 42)]
)
def test_a_payload_outlives_its_message_also_after_a_redrive(queue: Json, days: int) -> None:
    shop = manifest(payload_bucket=True, queue=queue)
    (rule,) = properties(payloads.piece, shop, "PayloadBucket")["LifecycleConfiguration"]["Rules"]

    assert rule["ExpirationInDays"] == days


def test_a_bucket_that_exists_is_used_and_not_made() -> None:
    piece = payloads.piece(manifest(payload_bucket="shop-payloads"), Names("shop", "test"))

    assert piece.resources == {}
    assert piece.variables == {"PAYLOAD_BUCKET": "shop-payloads"}
    assert piece.statements[0]["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::shop-payloads/*"}


# Alarms


def stuck(**said: Any) -> tuple[MetricMath, Json]:
    alarm = properties(alarms.piece, manifest(**said), alarms.NO_PROGRESS)
    return MetricMath(alarm["Metrics"]), alarm


@pytest.mark.parametrize(
    ("visible", "deleted", "rings"),
    [(0, 0, 0), (3, 0, 1), (3, None, 1), (3, 1, 0), (None, 0, None), (None, None, None)],
)
def test_no_progress_is_messages_that_wait_and_none_deleted(visible: Figure, deleted: Figure, rings: Figure) -> None:
    math, _ = stuck()

    value = math.minute({"ApproximateNumberOfMessagesVisible": visible, "NumberOfMessagesDeleted": deleted})

    assert value == rings


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ({}, 10),
        ({"alarms": {"no_progress": "61s"}}, 2),
        ({"scaling": {"max": 2, "job": "1h"}, "run": {"slots": 1}}, 180),
        ({"scaling": {"max": 2, "job": "2d"}, "run": {"slots": 1}}, 1440),
    ],
)
def test_long_jobs_make_for_long_gaps(said: Json, minutes: int) -> None:
    _, alarm = stuck(**said)

    assert alarm["EvaluationPeriods"] == alarm["DatapointsToAlarm"] == minutes


def test_the_objective_is_kept_for_quiet_groups_where_the_queue_is_fair() -> None:
    def metric(kind: str) -> str:
        name: str = properties(alarms.piece, manifest(queue={"type": kind}), alarms.OLDEST_MESSAGE)["MetricName"]
        return name

    assert metric("standard") == metric("fifo") == "ApproximateAgeOfOldestMessage"
    assert metric("fair") == "ApproximateAgeOfOldestMessageInQuietGroups"


def test_a_deployment_is_taken_back_by_alarms_that_the_template_has() -> None:
    shop = manifest()
    template = build(shop, names(shop))
    watched = template["Resources"]["Service"]["Properties"]["DeploymentConfiguration"]["Alarms"]

    assert watched["AlarmNames"] == [{"Ref": "OldestMessageAlarm"}, {"Ref": "DeadLettersAlarm"}]
    assert {"OldestMessageAlarm", "DeadLettersAlarm"} <= template["Resources"].keys()


def test_without_alarms_nothing_is_watched() -> None:
    shop = manifest(alarms={"enabled": False, "emails": ["ops@example.com"]})
    resources = build(shop, names(shop))["Resources"]

    assert not [name for name in resources if "Alarm" in name or "Rule" in name]
    watched = resources["Service"]["Properties"]["DeploymentConfiguration"]["Alarms"]
    assert watched == {"AlarmNames": [], "Enable": False, "Rollback": False}


def test_missing_tasks_are_looked_for_where_ecs_tells_them() -> None:
    assert alarms.FEWER_TASKS not in alarms.piece(manifest(), Names("shop", "test")).resources
    assert alarms.FEWER_TASKS in alarms.piece(manifest(insights="on"), Names("shop", "test")).resources


@pytest.mark.parametrize(
    ("alarm", "queue"),
    [
        (alarms.OLDEST_MESSAGE, "shop-test"),
        (alarms.IN_FLIGHT, "shop-test"),
        (alarms.NO_PROGRESS, "shop-test"),
        (alarms.DEAD_LETTERS, "shop-test-dead"),
    ],
)
def test_each_alarm_looks_at_the_queue_that_it_is_about(alarm: str, queue: str) -> None:
    said = properties(alarms.piece, manifest(), alarm)
    metrics = [query["MetricStat"]["Metric"] for query in said.get("Metrics", ()) if "MetricStat" in query] or [said]

    assert [metric["Dimensions"] for metric in metrics] == [[{"Name": "QueueName", "Value": queue}]] * len(metrics)


def test_every_alarm_has_a_first_aid_of_its_own() -> None:
    shop = manifest(insights="on", schedules={"hourly": {"every": "1h"}})
    found = alarms.piece(shop, Names("shop", "test")).resources

    assert {name: alarm["Properties"]["AlarmDescription"] for name, alarm in found.items()} == alarms.FIRST_AID
    assert all(len(said) <= 1024 for said in alarms.FIRST_AID.values())


# Notices


def test_alarms_go_to_the_topic_that_exists_and_to_the_stacks_own() -> None:
    shop = manifest(alarms={"notify": ORDERS, "emails": ["ops@example.com"]})
    said = properties(alarms.piece, shop, alarms.DEAD_LETTERS)["AlarmActions"]
    targets = properties(notices.piece, shop, notices.TASK_FAILED)["Targets"]

    assert said == [ORDERS, {"Ref": "AlarmTopic"}] == [target["Arn"] for target in targets]


def test_without_a_topic_there_are_no_rules_and_alarms_only_show() -> None:
    assert notices.piece(manifest(), Names("shop", "test")).resources == {}
    assert "AlarmActions" not in properties(alarms.piece, manifest(), alarms.DEAD_LETTERS)


def test_an_address_that_goes_takes_no_other_with_it() -> None:
    """SNS has one subscription for an address: one that moves up gets the id of another, and is deleted."""
    both, one = (
        notices.piece(manifest(alarms={"emails": emails}), Names("shop", "test")).resources
        for emails in (["a@example.com", "b@example.com"], ["b@example.com"])
    )

    gone = both.keys() - one.keys()
    assert [both[name]["Properties"]["Endpoint"] for name in gone] == ["a@example.com"]
    assert one.items() <= both.items()


def test_only_alarms_of_the_account_and_rules_for_events_may_publish() -> None:
    shop = manifest(alarms={"emails": ["ops@example.com"]})
    statements = properties(notices.piece, shop, "AlarmTopicPolicy")["PolicyDocument"]["Statement"]

    assert [list(statement["Principal"].values()) for statement in statements] == [
        ["cloudwatch.amazonaws.com"],
        ["events.amazonaws.com"],
    ]
    assert statements[0]["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert "Condition" not in statements[1], "EventBridge fills in no key of a condition, and would be refused"


@pytest.mark.parametrize(
    ("rule", "values", "sentence"),
    [
        (
            notices.DEPLOYMENT_FAILED,
            {"deployment": "ecs-svc/1", "reason": "ECS deployment circuit breaker: tasks failed to start."},
            "shop-test: a deployment failed (ecs-svc/1): ECS deployment circuit breaker: tasks failed to start. "
            "Look first at: forebay status -e test",
        ),
        (
            notices.TASK_FAILED,
            {
                "task": "arn:aws:ecs:eu-west-1:1:task/shop-test/0a1b",
                "code": "EssentialContainerExited",
                "reason": "Gone.",
            },
            "shop-test: a task stopped (EssentialContainerExited): Gone. "
            "Task: arn:aws:ecs:eu-west-1:1:task/shop-test/0a1b. Look first at: forebay logs -e test",
        ),
    ],
)
def test_an_event_is_told_as_a_sentence(rule: str, values: dict[str, str], sentence: str) -> None:
    shop = manifest(alarms={"emails": ["ops@example.com"]})
    (target,) = properties(notices.piece, shop, rule)["Targets"]
    transformer = target["InputTransformer"]
    text: str = transformer["InputTemplate"]

    assert transformer["InputPathsMap"].keys() == values.keys()
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    assert json.loads(text) == sentence
