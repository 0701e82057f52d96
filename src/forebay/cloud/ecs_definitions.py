"""The task definitions of the local ECS: the revisions of its services, which the API shows and deployments name.

Rules kept here and nowhere else:

1. A family belongs to one service, and a revision is what `LocalService.deploy` has made.
2. A family alone means its newest revision (ECS API Reference, DescribeTaskDefinition).
"""

from __future__ import annotations

from forebay.cloud import ecs_view as shown
from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.ecs_errors import (
    EcsRefusal,
    Params,
    invalid_parameter,
    optional_text_of,
    task_definition_not_found,
    text_of,
)
from forebay.cloud.ecs_names import Names, short
from forebay.cloud.ecs_pages import page
from forebay.cloud.ecs_service import LocalService
from forebay.cloud.ecs_view import Json


class Definitions:
    """Finds and shows task definitions."""

    def __init__(self, cluster: LocalCluster, names: Names) -> None:
        self._cluster = cluster
        self._names = names

    def describe(self, params: Params) -> Json:
        """Answer DescribeTaskDefinition."""
        family, revision = _parted(text_of(params, "taskDefinition"))
        service = next((one for one in self._cluster.services.values() if one.plan.family == family), None)
        if service is None:
            raise task_definition_not_found()
        number = service.newest if revision is None else revision
        made = service.revisions.get(number)
        if made is None:
            raise task_definition_not_found()
        return {
            "taskDefinition": shown.task_definition_json(
                service.plan,
                number,
                arguments=made.command.arguments,
                variables=list(made.command.environment),
                registered_at=made.registered_at,
                names=self._names,
                timestamp=self._cluster.wall.timestamp,
            ),
            "tags": [],
        }

    def list(self, params: Params) -> Json:
        """Answer ListTaskDefinitions."""
        prefix = optional_text_of(params, "familyPrefix")
        order = optional_text_of(params, "sort") or "ASC"
        if order not in ("ASC", "DESC"):
            raise invalid_parameter(f"sort must be ASC or DESC, not {order}.")
        is_active = optional_text_of(params, "status") in (None, "ACTIVE")
        found = sorted(
            (service.plan.family, revision)
            for service in self._cluster.services.values()
            for revision in service.revisions
            if is_active and prefix in (None, service.plan.family)
        )
        arns = [self._names.task_definition(*one) for one in (found if order == "ASC" else reversed(found))]
        return page(arns, params, member="taskDefinitionArns")

    def revision_of(self, service: LocalService, definition: str) -> int:
        """Return which revision of the service is named."""
        family, revision = _parted(definition)
        number = service.newest if revision is None else revision
        if family != service.plan.family or number not in service.revisions:
            raise EcsRefusal("ClientException", "TaskDefinition not found.")
        return number


def _parted(definition: str) -> tuple[str, int | None]:
    """Return family and revision of `family`, `family:revision` or an ARN."""
    family, _, revision = short(definition).partition(":")
    if revision and not revision.isdecimal():
        raise invalid_parameter(f"{revision[:20]} is no revision of a task definition.")
    return family, int(revision) if revision else None
