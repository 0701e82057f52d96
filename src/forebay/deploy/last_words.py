"""What a task has written last, for a deployment that fails: its log may go with the stack.

Rules kept here and nowhere else:

1. Each task is asked about once it has lines, and no more: what a task has written last does not change.
2. It is an addition: where the log may not be read there are no lines, and that is said once. A task that was never
   started has written nothing, and its log is no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from forebay.deploy.template.contract import CONTAINER, LOG_STREAM_PREFIX
from forebay.deploy.trouble import code_of, is_failure, is_throttled, told

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

LINES_MAX = 6
"""The end of a traceback, or the sentence with which a worker refuses its settings and what stands before it."""

NOT_THERE = "ResourceNotFoundException"


class LastWords:
    """Reads the end of tasks' logs in one log group."""

    def __init__(self, client: CloudWatchLogsClient, log_group: str) -> None:
        self._client = cast("Any", client)
        self._log_group = log_group
        self._known: dict[str, tuple[str, ...]] = {}
        self.refusal: str | None = None
        """Why no lines are shown; None while they may be read."""

    def of(self, task_id: str) -> tuple[str, ...]:
        """Return a task's last lines, the oldest first; none where there are none (yet) or they may not be read."""
        if self.refusal is None and task_id not in self._known and (lines := self._read(task_id)):
            self._known[task_id] = lines
        return self._known.get(task_id, ())

    def _read(self, task_id: str) -> tuple[str, ...]:
        try:
            answer = self._client.get_log_events(
                logGroupName=self._log_group,
                logStreamName=f"{LOG_STREAM_PREFIX}/{CONTAINER}/{task_id}",
                limit=LINES_MAX,
                startFromHead=False,
            )
        except ClientError as error:
            if code_of(error) != NOT_THERE and not is_throttled(error) and not is_failure(error):
                self.refusal = str(told(error, doing="reading their logs"))
            return ()
        except BotoCoreError:
            return ()  # Whoever follows the stack meets the same obstacle, and deals with it.
        return tuple(str(event.get("message", "")) for event in answer.get("events", ()))
