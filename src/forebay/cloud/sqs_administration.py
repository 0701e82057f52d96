"""The operations of SQS on queues as such, by name: their making and settings, who may use them, message move tasks.

Rules kept here and nowhere else:

1. A request's JSON is read here and a result's written; what is legal and what it does are the rules' matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forebay.cloud.sqs_protocol import Json, Params, list_of, mapping_of, names_of, number_of, optional_text_of, text_of
from forebay.rules import queue_errors as errors
from forebay.rules.queue_administration import QueueAdministration
from forebay.rules.queue_move_task import MoveTask


class Administration:
    """The operations on queues as such, over one service."""

    def __init__(self, service: QueueAdministration) -> None:
        self.service = service
        self.table: Mapping[str, Callable[[Params, float], Json]] = {
            "CreateQueue": self._create_queue,
            "GetQueueUrl": self._get_queue_url,
            "ListQueues": self._list_queues,
            "ListDeadLetterSourceQueues": self._list_dead_letter_source_queues,
            "DeleteQueue": self._delete_queue,
            "PurgeQueue": self._purge_queue,
            "GetQueueAttributes": self._get_queue_attributes,
            "SetQueueAttributes": self._set_queue_attributes,
            "TagQueue": self._tag_queue,
            "UntagQueue": self._untag_queue,
            "ListQueueTags": self._list_queue_tags,
            "AddPermission": self._add_permission,
            "RemovePermission": self._remove_permission,
            "StartMessageMoveTask": self._start_message_move_task,
            "ListMessageMoveTasks": self._list_message_move_tasks,
            "CancelMessageMoveTask": self._cancel_message_move_task,
        }

    # ── queues and their attributes ────────────────────────────────────────────────────────────────────────

    def _create_queue(self, params: Params, now: float) -> Json:
        name = text_of(params, "QueueName")
        attributes = mapping_of(params, "Attributes")
        url = self.service.create_queue(name, attributes, mapping_of(params, "tags"), now=now)
        return {"QueueUrl": url}

    def _get_queue_url(self, params: Params, _now: float) -> Json:
        owner = optional_text_of(params, "QueueOwnerAWSAccountId")
        if owner is not None and owner != self.service.account:
            raise errors.queue_does_not_exist()
        registry = self.service.registry
        return {"QueueUrl": registry.url(registry.find(registry.url(text_of(params, "QueueName"))).name)}

    def _list_queues(self, params: Params, _now: float) -> Json:
        urls, token = self.service.registry.list_urls(
            prefix=optional_text_of(params, "QueueNamePrefix") or "",
            count_max=number_of(params, "MaxResults"),
            token=optional_text_of(params, "NextToken"),
        )
        return {**({"QueueUrls": urls} if urls else {}), **({"NextToken": token} if token else {})}

    def _list_dead_letter_source_queues(self, params: Params, _now: float) -> Json:
        registry = self.service.registry
        urls, token = registry.list_urls(
            dead_letter_arn=registry.find(text_of(params, "QueueUrl")).arn,
            count_max=number_of(params, "MaxResults"),
            token=optional_text_of(params, "NextToken"),
        )
        return {"queueUrls": urls, **({"NextToken": token} if token else {})}

    def _delete_queue(self, params: Params, now: float) -> Json:
        self.service.delete_queue(text_of(params, "QueueUrl"), now=now)
        return {}

    def _purge_queue(self, params: Params, now: float) -> Json:
        self.service.purge_queue(text_of(params, "QueueUrl"), now=now)
        return {}

    def _get_queue_attributes(self, params: Params, now: float) -> Json:
        names = sorted(names_of(params, "AttributeNames"))
        return {"Attributes": self.service.get_queue_attributes(text_of(params, "QueueUrl"), names, now=now)}

    def _set_queue_attributes(self, params: Params, now: float) -> Json:
        self.service.set_queue_attributes(text_of(params, "QueueUrl"), mapping_of(params, "Attributes"), now=now)
        return {}

    # ── tags and permissions ───────────────────────────────────────────────────────────────────────────────

    def _tag_queue(self, params: Params, _now: float) -> Json:
        self.service.tag_queue(text_of(params, "QueueUrl"), mapping_of(params, "Tags"))
        return {}

    def _untag_queue(self, params: Params, _now: float) -> Json:
        self.service.untag_queue(text_of(params, "QueueUrl"), names_of(params, "TagKeys"))
        return {}

    def _list_queue_tags(self, params: Params, _now: float) -> Json:
        return {"Tags": self.service.queue_tags(text_of(params, "QueueUrl"))}

    def _add_permission(self, params: Params, now: float) -> Json:
        accounts, actions = list_of(params, "AWSAccountIds"), list_of(params, "Actions")
        self.service.add_permission(text_of(params, "QueueUrl"), text_of(params, "Label"), accounts, actions, now=now)
        return {}

    def _remove_permission(self, params: Params, now: float) -> Json:
        self.service.remove_permission(text_of(params, "QueueUrl"), text_of(params, "Label"), now=now)
        return {}

    # ── message move tasks ─────────────────────────────────────────────────────────────────────────────────

    def _start_message_move_task(self, params: Params, now: float) -> Json:
        destination = optional_text_of(params, "DestinationArn") or None
        rate = number_of(params, "MaxNumberOfMessagesPerSecond")
        return {
            "TaskHandle": self.service.start_move(text_of(params, "SourceArn"), destination, rate=rate, now=now).handle
        }

    def _list_message_move_tasks(self, params: Params, now: float) -> Json:
        count_max = number_of(params, "MaxResults")
        tasks = self.service.recent_moves(text_of(params, "SourceArn"), 1 if count_max is None else count_max, now=now)
        return {"Results": [_shown(task) for task in tasks]}

    def _cancel_message_move_task(self, params: Params, now: float) -> Json:
        return {
            "ApproximateNumberOfMessagesMoved": self.service.cancel_move(text_of(params, "TaskHandle"), now=now).moved
        }


def _shown(task: MoveTask) -> Json:
    """Return one task of ListMessageMoveTasks: its handle while it runs, a reason when it failed."""
    shown: Json = {
        "Status": task.status,
        "SourceArn": task.source_arn,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "StartedTimestamp": task.started_at_ms,
    }
    optional = {
        "TaskHandle": task.handle if task.status == "RUNNING" else None,
        "DestinationArn": task.destination_arn,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "FailureReason": task.failure,
    }
    return {**shown, **{name: value for name, value in optional.items() if value is not None}}
