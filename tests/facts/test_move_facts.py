"""Facts of message move tasks (facts/sqs.md section 3, "Message move")."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.facts.services import Ours, Sqs


def _start(sqs: Sqs, source: str, destination: str | None = None, **more: Any) -> str:
    to = {} if destination is None else {"DestinationArn": sqs.arn(destination)}
    return str(sqs.client.start_message_move_task(SourceArn=sqs.arn(source), **to, **more)["TaskHandle"])


def _tasks(sqs: Sqs, source: str, **more: Any) -> list[dict[str, Any]]:
    return list(sqs.client.list_message_move_tasks(SourceArn=sqs.arn(source), **more)["Results"])


def test_dead_letters_can_be_moved_back(sqs: Sqs) -> None:
    """facts/sqs.md section 3: StartMessageMoveTask -> TaskHandle; DestinationArn absent = back to the sources."""
    url, dead = sqs.queue_with_dead_letters()
    sqs.bury(url, "a")

    assert _start(sqs, dead)


def test_each_dead_letter_goes_back_to_where_it_came_from(ours: Ours) -> None:
    """facts/sqs.md section 3: DestinationArn absent = back to the original sources."""
    first, dead = ours.queue_with_dead_letters()
    second = ours.queue(RedrivePolicy=ours.redrive(dead))
    ours.bury(first, "a")
    ours.bury(second, "b")

    _start(ours, dead)
    ours.pass_time(1)

    assert ours.receive_one(first)["Body"] == "a"
    assert ours.receive_one(second)["Body"] == "b"
    assert ours.counts(dead) == (0, 0, 0)


def test_a_destination_can_be_named(ours: Ours) -> None:
    """facts/sqs.md section 3: StartMessageMoveTask {SourceArn, DestinationArn?, MaxNumberOfMessagesPerSecond?}."""
    url, dead = ours.queue_with_dead_letters()
    elsewhere = ours.queue()
    ours.bury(url, "a")

    _start(ours, dead, elsewhere)
    ours.pass_time(1)

    assert (ours.counts(elsewhere), ours.counts(url)) == ((1, 0, 0), (0, 0, 0))


def test_what_a_client_sent_to_a_dead_letter_queue_has_no_way_back(ours: Ours) -> None:
    """facts/sqs.md section 3: back to the original sources; DLQs fed by others are refused: no source, no way back."""
    _, dead = ours.queue_with_dead_letters()
    ours.send(dead, "by hand")

    _start(ours, dead)
    ours.pass_time(1)

    (task,) = _tasks(ours, dead)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert ours.receive_one(dead)["Body"] == "by hand"


def test_what_a_client_sent_to_a_dead_letter_queue_can_go_elsewhere(ours: Ours) -> None:
    """facts/sqs.md section 3: StartMessageMoveTask {DestinationArn?}: a destination takes all of them."""
    _, dead = ours.queue_with_dead_letters()
    elsewhere = ours.queue()
    ours.send(dead, "by hand")

    _start(ours, dead, elsewhere)
    ours.pass_time(1)

    assert ours.receive_one(elsewhere)["Body"] == "by hand"


def test_a_moved_message_is_new(ours: Ours) -> None:
    """facts/sqs.md section 3: redrive through move task yields a new message (new MessageId, new enqueue time)."""
    url, dead = ours.queue_with_dead_letters()
    sent = ours.send(url)
    ours.receive_one(url, VisibilityTimeout=0)
    ours.receive(url)
    before = ours.receive_one(dead, VisibilityTimeout=0)
    ours.pass_time(60)

    _start(ours, dead)
    ours.pass_time(1)

    moved = ours.receive_one(url)
    assert moved["MessageId"] != sent["MessageId"]
    assert int(moved["Attributes"]["SentTimestamp"]) - int(before["Attributes"]["SentTimestamp"]) >= 60_000
    assert moved["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_rate_is_kept(ours: Ours) -> None:
    """facts/sqs.md section 3: MaxNumberOfMessagesPerSecond? 1..500."""
    url, dead = ours.queue_with_dead_letters()
    ours.bury(url, *"abcd")
    _start(ours, dead, MaxNumberOfMessagesPerSecond=1)

    moved: list[int] = []
    for _ in range(4):
        ours.pass_time(1)
        moved.append(_tasks(ours, dead)[0]["ApproximateNumberOfMessagesMoved"])

    assert moved == [2, 3, 4, 4]


def test_a_rate_out_of_bounds_is_refused(ours: Ours) -> None:
    """facts/sqs.md section 3: MaxNumberOfMessagesPerSecond? 1..500."""
    _, dead = ours.queue_with_dead_letters()

    for rate in (0, 501):
        refusal = ours.refusal("start_message_move_task", SourceArn=ours.arn(dead), MaxNumberOfMessagesPerSecond=rate)
        assert refusal.code == "InvalidParameterValue"
        assert f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid" in refusal.message


def test_only_a_dead_letter_queue_is_a_source(ours: Ours) -> None:
    """facts/sqs.md section 3: SourceArn (DLQ of an SQS queue)."""
    refusal = ours.refusal("start_message_move_task", SourceArn=ours.arn(ours.queue()))

    assert refusal.code == "InvalidParameterValue"
    assert refusal.message == "Source queue must be configured as a Dead Letter Queue."


def test_a_source_that_is_not_there_is_not_found(ours: Ours) -> None:
    """facts/sqs.md section 1: ResourceNotFoundException 404 (move tasks)."""
    missing = ours.arn(ours.queue()) + "-missing"

    for operation in ("start_message_move_task", "list_message_move_tasks"):
        refusal = ours.refusal(operation, SourceArn=missing)
        assert (refusal.code, refusal.status) == ("ResourceNotFoundException", 404)
        assert refusal.message == "The resource that you specified for the SourceArn parameter doesn't exist."


def test_a_destination_that_is_not_there_is_not_found(ours: Ours) -> None:
    """facts/sqs.md section 1: ResourceNotFoundException 404 (move tasks)."""
    _, dead = ours.queue_with_dead_letters()
    arn = ours.arn(dead)

    refusal = ours.refusal("start_message_move_task", SourceArn=arn, DestinationArn=arn + "-missing")

    assert (refusal.code, refusal.status) == ("ResourceNotFoundException", 404)


def test_one_task_at_a_time_empties_a_queue(ours: Ours) -> None:
    """facts/sqs.md section 3: One active task per source queue."""
    url, dead = ours.queue_with_dead_letters()
    ours.bury(url, *"abc")
    _start(ours, dead, MaxNumberOfMessagesPerSecond=1)

    refusal = ours.refusal("start_message_move_task", SourceArn=ours.arn(dead))

    assert refusal.code == "InvalidParameterValue"
    assert "There is already a task running" in refusal.message


def test_a_running_task_tells_its_handle_rate_and_counts(ours: Ours) -> None:
    """facts/sqs.md section 3: ListMessageMoveTasks: RUNNING + ApproximateNumberOfMessagesMoved/ToMove/Started…."""
    url, dead = ours.queue_with_dead_letters()
    ours.bury(url, *"abc")
    handle = _start(ours, dead, url, MaxNumberOfMessagesPerSecond=1)

    (task,) = _tasks(ours, dead)

    assert isinstance(task.pop("StartedTimestamp"), int)
    assert task == {
        "TaskHandle": handle,
        "Status": "RUNNING",
        "SourceArn": ours.arn(dead),
        "DestinationArn": ours.arn(url),
        "MaxNumberOfMessagesPerSecond": 1,
        "ApproximateNumberOfMessagesMoved": 1,
        "ApproximateNumberOfMessagesToMove": 3,
    }


def test_a_task_that_is_over_has_no_handle(ours: Ours) -> None:
    """facts/sqs.md section 3: ListMessageMoveTasks (COMPLETED, …): only a RUNNING one can be cancelled."""
    url, dead = ours.queue_with_dead_letters()
    ours.bury(url, "a")
    _start(ours, dead)
    ours.pass_time(1)

    (task,) = _tasks(ours, dead)

    assert task["Status"] == "COMPLETED"
    assert not {"TaskHandle", "DestinationArn", "MaxNumberOfMessagesPerSecond", "FailureReason"} & set(task)


def test_the_last_ten_tasks_are_listed_the_newest_first(ours: Ours) -> None:
    """facts/sqs.md section 3: ListMessageMoveTasks (last 10)."""
    _, dead = ours.queue_with_dead_letters()
    for _ in range(12):
        _start(ours, dead)
        ours.pass_time(1)

    started = [task["StartedTimestamp"] for task in _tasks(ours, dead, MaxResults=10)]

    assert len(started) == 10
    assert started == sorted(started, reverse=True)
    assert len(_tasks(ours, dead)) == 1, "one unless asked for more"


def test_a_running_task_can_be_cancelled(ours: Ours) -> None:
    """facts/sqs.md section 3: CancelMessageMoveTask only when RUNNING; CANCELLING, CANCELLED."""
    url, dead = ours.queue_with_dead_letters()
    ours.bury(url, *"abcd")
    handle = _start(ours, dead, MaxNumberOfMessagesPerSecond=1)
    ours.pass_time(1)

    moved = ours.client.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]

    assert moved == 2
    assert _tasks(ours, dead)[0]["Status"] == "CANCELLING"
    ours.pass_time(10)
    assert _tasks(ours, dead)[0]["Status"] == "CANCELLED"
    assert (ours.counts(url), ours.counts(dead)) == ((2, 0, 0), (2, 0, 0)), "what was moved stays moved"


def test_a_task_that_is_over_cannot_be_cancelled(ours: Ours) -> None:
    """facts/sqs.md section 3: CancelMessageMoveTask only when RUNNING."""
    _, dead = ours.queue_with_dead_letters()
    handle = _start(ours, dead)
    ours.pass_time(1)

    assert "COMPLETED" in ours.refusal("cancel_message_move_task", TaskHandle=handle).message


def test_a_task_that_was_never_there_cannot_be_cancelled(ours: Ours) -> None:
    """facts/sqs.md section 1: ResourceNotFoundException 404 (move tasks)."""
    arn = ours.arn(ours.queue())
    handle = base64.b64encode(json.dumps({"taskId": "none", "sourceArn": arn}).encode()).decode()

    refusal = ours.refusal("cancel_message_move_task", TaskHandle=handle)

    assert (refusal.code, refusal.status) == ("ResourceNotFoundException", 404)


def test_a_destination_that_goes_away_fails_the_task(ours: Ours) -> None:
    """facts/sqs.md section 3: ListMessageMoveTasks: FAILED + FailureReason."""
    url, dead = ours.queue_with_dead_letters()
    ours.bury(url, *"abc")
    _start(ours, dead, MaxNumberOfMessagesPerSecond=1)
    ours.client.delete_queue(QueueUrl=url)
    ours.pass_time(5)

    (task,) = _tasks(ours, dead)

    assert (task["Status"], task["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    assert ours.counts(dead) == (2, 0, 0), "what could not be moved is still there"


def test_a_poll_at_the_destination_is_answered_by_a_move(ours: Ours) -> None:
    """facts/sqs.md section 3: on target: SendMessage: a moved message arrives as a sent one does."""
    url, dead = ours.queue_with_dead_letters()
    ours.bury(url, "a")

    with ours.polling(url, WaitTimeSeconds=20) as answered:
        _start(ours, dead)
        ours.pass_time(1)
        assert [message["Body"] for message in answered()] == ["a"]


@pytest.mark.parametrize(
    "action", ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "SendMessage"]
)
def test_a_move_needs_permission_for_all_that_it_does(action: str, ours: Ours) -> None:
    """facts/sqs.md section 3: Needs on DLQ: sqs:StartMessageMoveTask, ReceiveMessage, …; on target: SendMessage."""
    _, dead = ours.queue_with_dead_letters()
    arn = ours.arn(dead)

    with ours.denying(action):
        refusal = ours.refusal("start_message_move_task", SourceArn=arn)

    assert (refusal.code, refusal.status) == ("AccessDenied", 403)
    assert f"sqs:{action.lower()}" in refusal.message
