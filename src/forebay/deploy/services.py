"""What ECS tells of a service that is being deployed.

Rules kept here and nowhere else:

1. It is an addition: when ECS does not let us look, the deployment is followed without it, and that is said once.
2. What tasks wrote last is read while it is there: CloudFormation takes the log of a first deployment that fails.
3. Stopped tasks are asked for only when a deployment counts failures or the service complains: it takes two calls more.
   Who may not make them still sees the deployments.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from forebay.deploy.rollout import Rollout, complaints_of, deployments_of, stops_of
from forebay.deploy.trouble import code_of, is_failure, is_throttled, told

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from forebay.deploy.last_words import LastWords

GONE = ("ClusterNotFoundException", "ServiceNotFoundException")
TASKS_MAX = 100
"""DescribeTasks takes so many, and no more are needed to see why."""


class ServiceWatch:
    """Looks at one service during one operation."""

    def __init__(self, client: ECSClient, *, cluster: str, service: str, last_words: LastWords | None = None) -> None:
        self._client = cast("Any", client)
        self._last_words = last_words
        self._cluster = cluster
        self._service = service
        self._refusal: str | None = None
        self._refusal_of_tasks: str | None = None

    @property
    def refusal(self) -> str | None:
        """What is not shown, and why; None while everything is."""
        if refusal := self._refusal or self._refusal_of_tasks:
            return f"the tasks are not shown: {refusal}"
        refusal = self._last_words.refusal if self._last_words else None
        return f"what stopped tasks wrote last is not shown: {refusal}" if refusal else None

    def look(self, *, since_utc: datetime) -> Rollout:
        """Return the service now, and what went wrong since then; empty when it is not there or may not be seen."""
        if self._refusal is not None:
            return Rollout()
        try:
            return self._looked(since_utc)
        except ClientError as error:
            if not _may_be_there_later(error):
                self._refusal = str(told(error, doing="looking at the service"))
        except BotoCoreError:
            return Rollout()  # Whoever follows the stack meets the same obstacle, and deals with it.
        return Rollout()

    def _looked(self, since_utc: datetime) -> Rollout:
        answer = self._client.describe_services(cluster=self._cluster, services=[self._service])
        services = [one for one in answer.get("services", ()) if one.get("status") != "INACTIVE"]
        if not services:
            return Rollout()
        deployments = deployments_of(services[0])
        complaints = complaints_of(services[0], since_utc=since_utc)
        has_trouble = bool(complaints) or any(one.failed for one in deployments)
        if not has_trouble:
            return Rollout(deployments, complaints)
        lines = self._last_words.of if self._last_words else None
        return Rollout(deployments, complaints, stops_of(self._stopped_tasks(), since_utc=since_utc, last_lines=lines))

    def _stopped_tasks(self) -> list[dict[str, Any]]:
        if self._refusal_of_tasks is not None:
            return []
        try:
            return self._asked_tasks()
        except ClientError as error:
            if not _may_be_there_later(error):
                self._refusal_of_tasks = str(told(error, doing="looking at the stopped tasks"))
            return []

    def _asked_tasks(self) -> list[dict[str, Any]]:
        listed = self._client.list_tasks(
            cluster=self._cluster, serviceName=self._service, desiredStatus="STOPPED", maxResults=TASKS_MAX
        )
        arns = list(listed.get("taskArns", ()))
        if not arns:
            return []
        return list(self._client.describe_tasks(cluster=self._cluster, tasks=arns).get("tasks", ()))


def _may_be_there_later(error: ClientError) -> bool:
    return code_of(error) in GONE or is_throttled(error) or is_failure(error)
