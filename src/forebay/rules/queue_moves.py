"""Message move tasks: taking what lies in a dead-letter queue back to where it came from, or to another queue.

Rules kept here and nowhere else (facts/sqs.md section 3, "Message move"; Developer Guide, "Troubleshoot Amazon SQS
dead-letter queue and DLQ redrive issues"):

1. The source must be the dead-letter queue of some queue; it has one active task at a time, an account 100. The last
   ten of a source are remembered, the newest first.
2. A moved message is a new one: new id, new send time, received never.
3. Without a destination each goes back to the queue that SQS moved it from. A message that a client *sent* to the
   dead-letter queue has none: the task fails with CouldNotDetermineMessageSource. A queue that is gone fails it with
   AWS.SimpleQueueService.NonExistentQueue. What could not be moved stays where it was.
4. A task moves as many messages as were visible when it started, at its rate. Without a rate it moves them in batches,
   with room between for other calls.
5. Only a RUNNING task can be cancelled; what it has moved stays moved. 36 hours are its limit.

Unknown, and so our choice: whether AWS looks at all messages before it fails for one without a source (here the ones
before it are moved); whether messages that arrive meanwhile are moved (here not, or a message that fails again at once
would go round for ever); how long CANCELLING lasts; the rate without a rate; the wording for a destination equal to the
source, for too many tasks, and for a task ended by the 36 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from forebay.rules import queue_errors as errors
from forebay.rules.queue_contents import SendEntry
from forebay.rules.queue_errors import ServiceFailure
from forebay.rules.queue_messages import NEVER, Delivery
from forebay.rules.queue_move_task import MoveTask, read_handle
from forebay.rules.queue_sending import message_id, send
from forebay.rules.queue_settling import change_visibility, delete

if TYPE_CHECKING:
    from random import Random

    from forebay.rules.queue_store import StandardQueue

RATE_MAX = 500
REMEMBERED = 10
ACTIVE_MAX = 100
LASTS_MAX_S = 36 * 3_600.0

_BATCH_EVERY_S = 0.05
_BATCH_MAX = 250
"""Without a rate: some milliseconds of work in each twentieth of a second."""
_LOOK_AGAIN_S = 1.0
"""What is visible may be out of reach for now: a group with a message in flight, or too many messages in flight."""
_CANCELLING_S = 0.5
_LEASE_S = 30


class MoveTasks:
    """The message move tasks of an account."""

    def __init__(
        self, queues: Mapping[str, StandardQueue], rng: Random, changed: Callable[[StandardQueue, float], None]
    ) -> None:
        """`queues` are by ARN; `changed` is told of every queue that has been given messages."""
        self._queues = queues
        self._rng = rng
        self._changed = changed
        self._tasks: dict[str, list[MoveTask]] = {}  # by source, the oldest first

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, source_arn: str, destination_arn: str | None, rate: int | None, now: float) -> MoveTask:
        """Start a task. It acts for the first time when `turn` is next called, at `now` or later."""
        source = self._queue("SourceArn", source_arn)
        if rate is not None and not 1 <= rate <= RATE_MAX:
            reason = f"Must be between 1 and {RATE_MAX}, if provided."
            raise errors.invalid_value("MaxNumberOfMessagesPerSecond", rate, reason)
        if not any(queue.attributes.dead_letter_arn == source_arn for queue in self._queues.values()):
            raise errors.invalid_parameter("Source queue must be configured as a Dead Letter Queue.")
        if destination_arn is not None:
            self._check_destination(source, self._queue("DestinationArn", destination_arn))
        tasks = self._tasks.setdefault(source_arn, [])
        if any(task.is_active for task in tasks):
            raise errors.move_task_running()
        if sum(task.is_active for others in self._tasks.values() for task in others) >= ACTIVE_MAX:
            raise errors.unsupported_operation(f"An account may have {ACTIVE_MAX} active message move tasks.")
        task = MoveTask(
            task_id=message_id(self._rng),
            source_arn=source_arn,
            destination_arn=destination_arn,
            rate=rate,
            started_at=now,
            started_at_ms=source.unix_ms(now),
            to_move=source.shelves.visible,
            next_at=now,
            paced_at=now,
        )
        tasks.append(task)
        del tasks[:-REMEMBERED]
        return task

    def recent(self, source_arn: str, count_max: int) -> list[MoveTask]:
        """Return the tasks of a source, the newest (and so the active one) first."""
        self._queue("SourceArn", source_arn)
        if not 1 <= count_max <= REMEMBERED:
            raise errors.invalid_value("MaxResults", count_max, f"Must be between 1 and {REMEMBERED}, if provided.")
        return self._tasks.get(source_arn, [])[: -count_max - 1 : -1]

    def cancel(self, handle: str, now: float) -> MoveTask:
        """Stop a running task. It is CANCELLING for a moment before it is CANCELLED."""
        task_id, source_arn = read_handle(handle)
        self._queue("SourceArn", source_arn)
        task = next((task for task in self._tasks.get(source_arn, ()) if task.task_id == task_id), None)
        if task is None:
            raise errors.resource_not_found("Task does not exist.")
        if task.status != "RUNNING":
            raise errors.unsupported_operation(
                f"Only a RUNNING message move task can be cancelled: it is {task.status}."
            )
        task.status, task.next_at = "CANCELLING", now + _CANCELLING_S
        return task

    def forget(self, source_arn: str) -> None:
        """The source is gone, and its tasks with it."""
        self._tasks.pop(source_arn, None)

    def _queue(self, parameter: str, arn: str) -> StandardQueue:
        queue = self._queues.get(arn)
        if queue is None:
            message = f"The resource that you specified for the {parameter} parameter doesn't exist."
            raise errors.resource_not_found(message)
        return queue

    def _check_destination(self, source: StandardQueue, destination: StandardQueue) -> None:
        if destination is source:
            raise errors.invalid_parameter("Source queue arn and destination queue arn cannot be the same.")
        if source.is_fifo != destination.is_fifo:
            raise errors.invalid_parameter("Source queue and destination queue must be of the same type.")

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def next_event_at(self) -> float:
        """When a task acts next; infinity for never."""
        return min((task.next_at for tasks in self._tasks.values() for task in tasks), default=NEVER)

    def turn(self, now: float) -> None:
        """Let the tasks do what is due at `now`."""
        for task in [task for tasks in self._tasks.values() for task in tasks if task.next_at <= now]:
            if task.status == "CANCELLING":
                task.end("CANCELLED")
            elif now - task.started_at >= LASTS_MAX_S:
                task.end("FAILED", "A message move task lasts at most 36 hours.")
            else:
                self._move_some(task, now)

    def _move_some(self, task: MoveTask, now: float) -> None:
        source = self._queues[task.source_arn]
        receivers: dict[str, StandardQueue] = {}
        is_stuck = False
        try:
            for _ in range(min(_batch(task, now), task.to_move - task.moved)):
                receiver = self._move_one(task, source, now)
                is_stuck = receiver is None
                if receiver is None:
                    break
                task.moved += 1
                receivers[receiver.arn] = receiver
            _set_next(task, now, is_stuck=is_stuck)
        except ServiceFailure as failure:
            task.end("FAILED", failure.legacy_code)
        if task.is_active and (task.moved == task.to_move or source.shelves.visible == 0):
            task.end("COMPLETED")
        for queue in (source, *receivers.values()):
            self._changed(queue, now)

    def _move_one(self, task: MoveTask, source: StandardQueue, now: float) -> StandardQueue | None:
        """Move the next message and return the queue it went to, or None when none can be had now.

        It is received, sent and deleted, as AWS does it (which is why a task needs these permissions).
        """
        deliveries = source.take(now, 1, _LEASE_S, may_miss=False) if source.shelves.visible > 0 else []
        if not deliveries:
            return None
        (delivery,) = deliveries
        try:
            receiver = self._receiver(task, delivery)
            send(receiver, _entry_of(delivery), now, self._rng, may_repeat=True)
        except ServiceFailure:
            change_visibility(source, delivery.receipt, 0, now)
            raise
        delete(source, delivery.receipt, now)
        return receiver

    def _receiver(self, task: MoveTask, delivery: Delivery) -> StandardQueue:
        arn = task.destination_arn or delivery.dead_letter_source
        if arn is None:
            raise errors.no_message_source()
        queue = self._queues.get(arn)
        if queue is None:
            raise errors.queue_does_not_exist()
        return queue


def _batch(task: MoveTask, now: float) -> int:
    """Return how many messages are to be moved at `now`."""
    if task.rate is None:
        return _BATCH_MAX
    # The first goes at once. What is added keeps rounding from missing a message that is due exactly now.
    return task.paced_from + int((now - task.paced_at) * task.rate + 1e-6) + 1 - task.moved


def _set_next(task: MoveTask, now: float, *, is_stuck: bool) -> None:
    if is_stuck:
        task.next_at = task.paced_at = now + _LOOK_AGAIN_S
        task.paced_from = task.moved  # What was missed is not caught up on: a rate is a promise to the receiver.
    elif task.rate is None:
        task.next_at = now + _BATCH_EVERY_S
    else:
        due_at = task.paced_at + (task.moved - task.paced_from) / task.rate
        task.next_at = max(due_at, now + _BATCH_EVERY_S) if task.rate * _BATCH_EVERY_S > 1 else due_at


def _entry_of(delivery: Delivery) -> SendEntry:
    """The message as its producer would send it anew."""
    content = delivery.content
    return SendEntry(
        body=content.body,
        attributes=content.attributes,
        group=content.group,
        dedupe=content.dedupe,
        trace_header=content.trace_header,
    )
