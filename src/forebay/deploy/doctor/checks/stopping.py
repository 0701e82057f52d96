"""How tasks stop: drain, StopTimeout, protection, rolling deployments and Spot. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor

from forebay.deploy.doctor.checking import Case, check, error, length, note, warning
from forebay.deploy.doctor.finding import Found
from forebay.deploy.doctor.work import Job

LEAVING_S = 5.0
"""After the drain a worker takes at most so long to give back what is left and to write its last lines."""

STOP_TIMEOUT_MAX_S = 120.0
"""Fargate's."""

UPDATE_MAX_S = 10_200.0
"""170 min: CloudFormation gives up on a service after 3 h, and starting the new tasks takes some of that."""

DEPLOYMENTS_MAX = 5
"""ECS keeps no more active deployments of a service (facts/ecs-task-protection.md section 3)."""


@check("drain-stop-timeout", "The drain ends before ECS kills")
def drain_stop_timeout(case: Case) -> Iterator[Found]:
    task = case.facts.task
    if task is None:
        return
    stop_s, drain_s = task.container.stop_timeout_s, case.worker.drain_s
    if drain_s + LEAVING_S > stop_s:
        yield error(
            f"drain {length(drain_s)} ({case.worker.sources.get('drain', 'default')}), StopTimeout {length(stop_s)}",
            f"{task.container.place}.StopTimeout",
            "ECS kills the worker while it drains: messages are not given back, and stay hidden until their leases end",
            "set stop_timeout higher (120 at the most)"
            if stop_s < LEAVING_S
            else f"set run.drain to {stop_s - LEAVING_S:g} or less, or stop_timeout higher (120 at the most)",
            "run.drain",
        )


@check("stop-timeout-bounds", "StopTimeout is one that Fargate takes")
def stop_timeout_bounds(case: Case) -> Iterator[Found]:
    task = case.facts.task
    if task is not None and not 2 <= task.container.stop_timeout_s <= STOP_TIMEOUT_MAX_S:
        yield error(
            f"StopTimeout {length(task.container.stop_timeout_s)}",
            f"{task.container.place}.StopTimeout",
            "Fargate takes 2 to 120 s and refuses the task definition otherwise",
            "set stop_timeout to 120; protection, not this, is what long jobs need",
            "stop_timeout",
        )


@check("stop-timeout-short", "Tasks get the time that Fargate gives")
def stop_timeout_short(case: Case) -> Iterator[Found]:
    task, longest = case.facts.task, case.worker.longest
    if task is None or longest is None:
        return
    stop_s = task.container.stop_timeout_s
    if 2 <= stop_s < STOP_TIMEOUT_MAX_S and longest.timeout_s > case.worker.drain_s:
        yield note(
            f"StopTimeout {length(stop_s)}, job {longest.name} up to {length(longest.timeout_s)}",
            f"{task.container.place}.StopTimeout",
            "a reclaimed or replaced task interrupts jobs earlier than it has to",
            "set stop_timeout to 120 and leave run.drain out",
            "stop_timeout",
        )


@check("protect-never", "Jobs that do not fit into the drain are protected")
def protect_never(case: Case) -> Iterator[Found]:
    longest = case.worker.longest
    if case.worker.protect != "never" or longest is None or longest.timeout_s <= case.worker.drain_s:
        return
    yield warning(
        f"protect never, job {longest.name} up to {length(longest.timeout_s)}, drain {length(case.worker.drain_s)}",
        f"protect of the worker ({case.worker.sources.get('protect', 'default')})",
        "every deployment and every scale-in interrupts such a job, which then begins anew",
        "set run.protect to auto",
        "run.protect",
    )


@check("protection-deployment", "No job holds up a deployment for longer than CloudFormation waits")
def protection_deployment(case: Case) -> Iterator[Found]:
    longest = case.worker.longest
    if longest is None or longest.timeout_s <= UPDATE_MAX_S or not case.worker.is_protected(longest):
        return
    yield warning(
        f"job {longest.name} up to {length(longest.timeout_s)}",
        f"job {longest.name}",
        "protected tasks stay until the job ends, and CloudFormation rolls an update back after 3 hours; five such "
        "deployments at once are the most that ECS takes",
        f"give {longest.name} a timeout of 170 min or less and let it checkpoint, or deploy when no such job runs",
    )


@check("maximum-percent", "A deployment can start its tasks while every old one is protected")
def maximum_percent(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is None:
        return
    tasks = _tasks(case)
    most, least = floor(tasks * service.maximum_percent / 100), ceil(tasks * service.minimum_percent / 100)
    place = f"{service.place}.DeploymentConfiguration.MaximumPercent"
    value = f"MaximumPercent {service.maximum_percent}, {tasks} task{'s' if tasks > 1 else ''}"
    if most <= least:
        yield error(
            f"{value}, MinimumHealthyPercent {service.minimum_percent}",
            place,
            "ECS may neither start a new task nor stop an old one, so no deployment ever ends",
            "set deployment.maximum_percent to 200",
            "deployment.maximum_percent",
        )
    elif most <= tasks and (job := _protected(case)) is not None:
        yield error(
            value,
            place,
            f"while {job.name} (up to {length(job.timeout_s)}) protects all old tasks no new one may start, and "
            "the deployment waits",
            "set deployment.maximum_percent to 200",
            "deployment.maximum_percent",
        )
    elif most < 2 * tasks and (job := _protected(case)) is not None:
        yield warning(
            value,
            place,
            f"while all old tasks are protected by {job.name} only {most - tasks} of {tasks} new ones may start",
            "set deployment.maximum_percent to 200",
            "deployment.maximum_percent",
        )


@check("minimum-percent", "A deployment keeps workers working")
def minimum_percent(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is not None and service.minimum_percent < 50:
        yield warning(
            f"MinimumHealthyPercent {service.minimum_percent}",
            f"{service.place}.DeploymentConfiguration.MinimumHealthyPercent",
            "ECS stops old tasks before new ones run: when those do not start, nobody works the queue",
            "set deployment.minimum_percent to 100: workers of two versions may work one queue",
            "deployment.minimum_percent",
        )


@check("circuit-breaker", "A deployment whose tasks do not start ends by itself")
def circuit_breaker(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is None or (service.breaks_circuit is not False and service.rolls_back is not False):
        return
    off = "Rollback" if service.breaks_circuit else "Enable"
    yield warning(
        f"DeploymentCircuitBreaker.{off} false",
        f"{service.place}.DeploymentConfiguration.DeploymentCircuitBreaker",
        "ECS starts failing tasks again and again until CloudFormation gives up after 3 hours"
        if not service.breaks_circuit
        else "a deployment that fails leaves the service with the version that does not start",
        "set deployment.rollback to true",
        "deployment.rollback",
    )


@check("zone-rebalancing", "ECS stops no task only to even out the zones")
def zone_rebalancing(case: Case) -> Iterator[Found]:
    service, longest = case.facts.service, case.worker.longest
    if service is None or not service.rebalances:
        return
    if longest is None or longest.timeout_s > case.worker.drain_s:
        told = f"job {longest.name} up to {length(longest.timeout_s)}" if longest else "jobs of unknown length"
        yield warning(
            f"AvailabilityZoneRebalancing ENABLED, {told}",
            f"{service.place}.AvailabilityZoneRebalancing",
            "ECS stops a task in one zone to start one in another: unprotected jobs begin anew, protected ones make it "
            "try again and again",
            "set deployment.zone_rebalancing to false",
            "deployment.zone_rebalancing",
        )


@check("spot-interruptions", "Work on Spot can bear to be done twice")
def spot_interruptions(case: Case) -> Iterator[Found]:
    service, longest = case.facts.service, case.worker.longest
    if service is None or service.spot_weight == 0:
        return
    share = round(100 * service.spot_weight / (service.spot_weight + service.on_demand_weight))
    told = f"job {longest.name} up to {length(longest.timeout_s)}" if longest else "jobs of unknown length"
    if longest is None or longest.timeout_s > case.worker.drain_s:
        yield warning(
            f"{share} % on Spot, {told}, drain {length(case.worker.drain_s)}",
            f"{service.place}.CapacityProviderStrategy",
            "AWS takes a Spot task away two minutes after a warning, protected or not, and its jobs begin anew: what "
            "they had done until then is done twice",
            "make jobs that can begin twice (idempotent), let long ones checkpoint, or set spot.percent to 0",
            "spot.percent",
        )


@check("spot-only", "Some task stays when there is no Spot capacity")
def spot_only(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is None or service.spot_weight == 0 or service.on_demand_weight or service.on_demand_base:
        return
    yield warning(
        "all tasks on Spot",
        f"{service.place}.CapacityProviderStrategy",
        "ECS does not fall back to other capacity: when AWS has no Spot left, nobody works the queue",
        "set spot.base to 1",
        "spot.base",
    )


@check("active-deployments", "Few deployments are under way", scope="live")
def active_deployments(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is None or service.active_deployments is None or service.active_deployments < DEPLOYMENTS_MAX - 2:
        return
    tell = error if service.active_deployments >= DEPLOYMENTS_MAX else warning
    yield tell(
        f"{service.active_deployments} active deployments",
        service.place,
        "ECS takes no new deployment while five are not fully drained, and protected tasks of old versions keep them",
        "wait until their jobs end, or stop the old tasks yourself",
    )


def _tasks(case: Case) -> int:
    """Return how many tasks a deployment replaces at the least; a service with none is looked at as one with one."""
    scaling, service = case.facts.scaling, case.facts.service
    if scaling is not None:
        return max(1, scaling.minimum)
    return max(1, (service.desired if service else None) or 1)


def _protected(case: Case) -> Job | None:
    """Return the longest job that is protected."""
    protected = [job for job in case.worker.jobs or () if case.worker.is_protected(job)]
    return max(protected, key=lambda job: job.timeout_s, default=None)
