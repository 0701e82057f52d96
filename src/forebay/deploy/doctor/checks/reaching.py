"""Whether tasks reach AWS, and whether anybody reaches them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.deploy.doctor.checking import Case, check, error, warning
from forebay.deploy.doctor.facts import Network
from forebay.deploy.doctor.finding import Found

ENDPOINTS = {
    "sqs": "the worker reaches no queue",
    "logs": "no task starts, since its log cannot be opened",
    "ecr.api": "no task starts, since its image cannot be found",
    "ecr.dkr": "no task starts, since its image cannot be fetched",
    "s3": "no task starts, since the layers of its image come from S3",
}


@check("protection-path", "The call that protects a task reaches ECS")
def protection_path(case: Case) -> Iterator[Found]:
    network = case.facts.network
    if network is None or case.worker.protect == "never" or _has_way_out(case, network) is not False:
        return
    if network.endpoints is not None and "ecs" not in network.endpoints:
        yield error(
            "no way to the internet, no endpoint for ecs",
            network.place,
            "ECS's agent makes the call through the task's own network: each one ends as a time-out, and long jobs are "
            "interrupted by deployments",
            "add an interface endpoint for ecs, or set network.egress to nat or public_ip",
            "network.egress",
        )


@check("endpoints", "A network without a way out has all endpoints")
def endpoints(case: Case) -> Iterator[Found]:
    network, task = case.facts.network, case.facts.task
    if network is None or network.endpoints is None or _has_way_out(case, network) is not False:
        return
    needed = dict(ENDPOINTS)
    sources = task.container.secrets.values() if task else ()
    if any(":secretsmanager:" in source for source in sources):
        needed["secretsmanager"] = "no task starts, since its secrets cannot be read"
    if any(":secretsmanager:" not in source for source in sources):
        needed["ssm"] = "no task starts, since its parameters cannot be read"
    if case.facts.service is not None and case.facts.service.has_exec:
        needed["ssmmessages"] = "no session of ECS Exec opens"
    for service, why in needed.items():
        if service not in network.endpoints:
            yield error(
                f"no endpoint for {service}",
                network.place,
                why,
                f"add {'a gateway' if service == 's3' else 'an interface'} endpoint for {service}",
                "network.egress",
            )


@check("public-ip-missing", "Tasks in public subnets have an address")
def public_ip_missing(case: Case) -> Iterator[Found]:
    network, service = case.facts.network, case.facts.service
    if network is None or service is None or service.has_public_ip is not False or network.to_internet is not True:
        return
    if not network.to_nat:
        yield error(
            "AssignPublicIp DISABLED, subnets route to an internet gateway",
            f"{service.place}.NetworkConfiguration",
            "a gateway passes only what has a public address: the image cannot be fetched, and no task starts",
            "set network.egress to public_ip",
            "network.egress",
        )


@check("public-ip-private", "Tasks with a public address are in public subnets")
def public_ip_private(case: Case) -> Iterator[Found]:
    network, service = case.facts.network, case.facts.service
    if network is None or service is None or not service.has_public_ip or network.to_internet is not False:
        return
    yield error(
        "AssignPublicIp ENABLED, no route to an internet gateway",
        f"{service.place}.NetworkConfiguration",
        "the address leads nowhere: unless there is a NAT gateway, which needs no address, the image cannot be fetched",
        "name public subnets, or set network.egress to nat or endpoints",
        "network.egress",
    )


@check("public-ip-default", "Tasks in the default VPC have an address")
def public_ip_default(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is None or service.has_public_ip is not False:
        return
    if case.manifest is None or case.manifest.network.type != "default":
        return
    if case.facts.network is None or case.facts.network.to_nat is not True:
        yield error(
            "AssignPublicIp DISABLED in the default VPC",
            f"{service.place}.NetworkConfiguration",
            "its subnets are public and have no NAT gateway: the image cannot be fetched, and no task starts",
            "set AssignPublicIp to ENABLED",
            "network.egress",
        )


@check("tasks-reachable", "Nothing reaches a task from outside")
def tasks_reachable(case: Case) -> Iterator[Found]:
    network = case.facts.network
    if network is not None and network.open_from:
        yield warning(
            f"security group lets in {', '.join(network.open_from)}",
            network.place,
            "a worker serves nobody: whatever listens in its container is open to the internet",
            "leave the security group without ingress rules",
            "network.security_groups",
        )


def _has_way_out(case: Case, network: Network) -> bool | None:
    """Return whether tasks reach the internet; None when the routes are not known."""
    if network.to_internet is None or network.to_nat is None:
        return None
    has_ip = case.facts.service is not None and case.facts.service.has_public_ip
    return network.to_nat or bool(network.to_internet and has_ip)
