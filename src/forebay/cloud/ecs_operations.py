"""The operations of the ECS API that the local cluster carries out, from parameters to the answer's JSON.

Rules kept here and nowhere else (limits: ECS API Reference, under each operation):

1. A caller who names no cluster means the one there is; on AWS that would be `default`. Another name is not found.
2. What cannot be changed here is refused by name, never accepted and forgotten.
3. Protection has its limits in calls and in tasks per call, and one owner: the scheduler (`LocalService.protect`).
"""

from __future__ import annotations

from collections.abc import Callable

from forebay.cloud import ecs_view as shown
from forebay.cloud.agent_ecs import MINUTES_DEFAULT, MINUTES_MAX, MINUTES_MIN
from forebay.cloud.ecs_cluster import LocalCluster
from forebay.cloud.ecs_definitions import Definitions
from forebay.cloud.ecs_errors import (
    EcsRefusal,
    Params,
    cluster_not_found,
    flag_of,
    invalid_parameter,
    names_of,
    number_of,
    optional_text_of,
    service_not_found,
    some_names_of,
    text_of,
)
from forebay.cloud.ecs_names import Names, short
from forebay.cloud.ecs_pages import page
from forebay.cloud.ecs_service import LocalService
from forebay.cloud.ecs_view import Json
from forebay.rules.ecs_vocabulary import TaskRecord

SERVICES_A_CALL_MAX = 10
TASKS_A_CALL_MAX = 100
PROTECTIONS_A_CALL_MAX = 10
SERVICES_A_PAGE = 10
DESIRED_MAX = 5_000
"""Tasks per service (ECS service quotas)."""

Operation = Callable[[Params], Json]


class Operations:
    """Carries operations out on one cluster."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._names = Names(cluster.name)
        definitions = Definitions(cluster, self._names)
        self._definitions = definitions
        self.by_name: dict[str, Operation] = {
            "DescribeClusters": self._describe_clusters,
            "DescribeServices": self._describe_services,
            "DescribeTaskDefinition": definitions.describe,
            "DescribeTasks": self._describe_tasks,
            "GetTaskProtection": self._get_task_protection,
            "ListClusters": self._list_clusters,
            "ListServices": self._list_services,
            "ListTaskDefinitions": definitions.list,
            "ListTasks": self._list_tasks,
            "StopTask": self._stop_task,
            "UpdateService": self._update_service,
            "UpdateTaskProtection": self._update_task_protection,
        }

    # ── clusters ───────────────────────────────────────────────────────────────────────────────────────────

    def _list_clusters(self, params: Params) -> Json:
        return page([self._names.cluster], params, member="clusterArns")

    def _describe_clusters(self, params: Params) -> Json:
        asked = names_of(params, "clusters", at_most=TASKS_A_CALL_MAX) or [self._cluster.name]
        views = [service.view() for service in self._cluster.services.values()]
        return {
            "clusters": [shown.cluster_json(views, self._names) for name in asked if short(name) == self._cluster.name],
            "failures": [shown.failure_json(name, "MISSING") for name in asked if short(name) != self._cluster.name],
        }

    def _check_cluster(self, params: Params) -> None:
        name = optional_text_of(params, "cluster")
        if name and short(name) != self._cluster.name:
            raise cluster_not_found()

    # ── services ───────────────────────────────────────────────────────────────────────────────────────────

    def _list_services(self, params: Params) -> Json:
        self._check_cluster(params)
        fits = params.get("launchType") in (None, "FARGATE") and params.get("schedulingStrategy") in (None, "REPLICA")
        arns = sorted(self._names.service(name) for name in self._cluster.services) if fits else []
        return page(arns, params, member="serviceArns", size=SERVICES_A_PAGE)

    def _describe_services(self, params: Params) -> Json:
        self._check_cluster(params)
        answer: dict[str, list[Json]] = {"services": [], "failures": []}
        for asked in some_names_of(params, "services", at_most=SERVICES_A_CALL_MAX):
            service = self._cluster.services.get(short(asked))
            if service is None:
                answer["failures"].append(shown.failure_json(self._names.service(short(asked)), "MISSING"))
            else:
                answer["services"].append(self._service_json(service))
        return answer

    def _update_service(self, params: Params) -> Json:
        self._check_cluster(params)
        service = self._service(text_of(params, "service"))
        foreign = sorted(params.keys() - {"cluster", "service", "desiredCount", "taskDefinition", "forceNewDeployment"})
        if foreign:
            raise invalid_parameter(f"The local ECS cannot change {', '.join(foreign)} of a service.")
        desired = number_of(params, "desiredCount", at_least=0, at_most=DESIRED_MAX)
        definition = optional_text_of(params, "taskDefinition")
        revision = self._definitions.revision_of(service, definition) if definition else service.current_revision
        if desired is not None:
            service.set_desired(desired)
        if revision != service.current_revision or flag_of(params, "forceNewDeployment"):
            service.redeploy(revision)
        return {"service": self._service_json(service)}

    def _service(self, name: str) -> LocalService:
        service = self._cluster.services.get(short(name))
        if service is None:
            raise service_not_found()
        return service

    def _service_json(self, service: LocalService) -> Json:
        return shown.service_json(
            service.view(),
            created_at=service.created_at,
            names=self._names,
            timestamp=self._cluster.wall.timestamp,
        )

    # ── tasks ──────────────────────────────────────────────────────────────────────────────────────────────

    def _list_tasks(self, params: Params) -> Json:
        self._check_cluster(params)
        named = optional_text_of(params, "serviceName")
        services = [self._service(named)] if named else list(self._cluster.services.values())
        desired = optional_text_of(params, "desiredStatus") or "RUNNING"
        if desired not in ("RUNNING", "PENDING", "STOPPED"):
            raise invalid_parameter(f"desiredStatus must be RUNNING, PENDING or STOPPED, not {desired}.")
        family, started_by = optional_text_of(params, "family"), optional_text_of(params, "startedBy")
        # Tasks on Fargate are on no container instance and of no daemon.
        is_foreign = params.get("launchType") not in (None, "FARGATE") or bool(
            params.get("containerInstance") or params.get("daemonName")
        )
        arns = [
            self._names.task(task.task_id)
            for service in services
            for task in service.tasks.values()
            if task.desired_status == desired
            and (not family or service.plan.family == family)
            and (not started_by or task.deployment_id == started_by)
            and not is_foreign
        ]
        return page(sorted(arns), params, member="taskArns")

    def _describe_tasks(self, params: Params) -> Json:
        self._check_cluster(params)
        answer: dict[str, list[Json]] = {"tasks": [], "failures": []}
        for asked in some_names_of(params, "tasks", at_most=TASKS_A_CALL_MAX):
            found = self._found(short(asked))
            if found is None:
                answer["failures"].append(shown.failure_json(self._names.task(short(asked)), "MISSING"))
            else:
                answer["tasks"].append(self._task_json(*found))
        return answer

    def _stop_task(self, params: Params) -> Json:
        self._check_cluster(params)
        found = self._found(short(text_of(params, "task")))
        if found is None:
            raise invalid_parameter("The referenced task was not found.")
        service, task = found
        service.stop_task(task.task_id, optional_text_of(params, "reason") or "Task stopped by user")
        return {"task": self._task_json(service, service.tasks.get(task.task_id, task))}

    def _found(self, task_id: str) -> tuple[LocalService, TaskRecord] | None:
        for service in self._cluster.services.values():
            task = service.tasks.get(task_id)
            if task is not None:
                return service, task
        return None

    def _task_json(self, service: LocalService, task: TaskRecord) -> Json:
        return shown.task_json(task, service.plan, names=self._names, timestamp=self._cluster.wall.timestamp)

    # ── protection ─────────────────────────────────────────────────────────────────────────────────────────

    def _update_task_protection(self, params: Params) -> Json:
        asked = self._tasks_to_protect(params, at_most=PROTECTIONS_A_CALL_MAX)
        is_enabled = flag_of(params, "protectionEnabled")
        if is_enabled is None:
            raise invalid_parameter("protectionEnabled must be set.")
        minutes = number_of(params, "expiresInMinutes", at_least=MINUTES_MIN, at_most=MINUTES_MAX) or MINUTES_DEFAULT
        until = self._cluster.clock.now() + minutes * 60 if is_enabled else None
        answer: dict[str, list[Json]] = {"protectedTasks": [], "failures": []}
        for task_id in asked:
            found = self._found(task_id)
            reason = self._missing(task_id) if found is None else None
            if found is not None:
                reason = found[0].protection_refusal(task_id) if is_enabled else None
            if found is None or reason is not None:
                answer["failures"].append(shown.failure_json(self._names.task(task_id), reason or "MISSING"))
                continue
            found[0].protect(task_id, until)
            answer["protectedTasks"].append(self._protection_json(task_id, until))
        return answer

    def _get_task_protection(self, params: Params) -> Json:
        answer: dict[str, list[Json]] = {"protectedTasks": [], "failures": []}
        for task_id in self._tasks_to_protect(params, at_most=TASKS_A_CALL_MAX):
            found = self._found(task_id)
            if found is None:
                answer["failures"].append(shown.failure_json(self._names.task(task_id), self._missing(task_id)))
            else:
                answer["protectedTasks"].append(self._protection_json(task_id, found[1].protected_until))
        return answer

    def _tasks_to_protect(self, params: Params, *, at_most: int) -> list[str]:
        text_of(params, "cluster")
        self._check_cluster(params)
        asked = some_names_of(params, "tasks", at_most=at_most)
        if not self._cluster.agent.ecs.may_call():
            raise EcsRefusal("ThrottlingException", "Rate exceeded")
        return [short(one) for one in asked]

    def _missing(self, task_id: str) -> str:
        """Why a task of no service has no protection."""
        is_alone = any(task.task_id == task_id and not task.service for task in self._cluster.agent.tasks.values())
        return "TASK_NOT_VALID" if is_alone else "MISSING"

    def _protection_json(self, task_id: str, until: float | None) -> Json:
        is_over = until is None or until <= self._cluster.clock.now()
        expires = None if until is None or is_over else self._cluster.wall.timestamp(until)
        return shown.protection_json(self._names.task(task_id), expires)
