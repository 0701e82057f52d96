"""The service: how many tasks, on which capacity, and how a new version takes the place of the old one. Pure.

Rules kept here and nowhere else:

1. A deployment that cannot start its tasks ends by itself (circuit breaker), and so does one that makes alarms ring.
   Whether it goes back then is the manifest's to say; that it ends is not: CloudFormation would wait three hours.
2. Who scales owns the number of tasks. A template that said one as well would undo the scaling at each deployment.
3. ECS stops tasks to even out its zones only when the manifest says so: what is protected cannot be moved, and what is
   not protected loses its work.
"""

from __future__ import annotations

from math import gcd
from typing import Any

from forebay.deploy.manifest.model import Manifest, Spot
from forebay.deploy.names import Names
from forebay.deploy.template import cluster, contract, network
from forebay.deploy.template.intrinsics import Json, Piece, get_att, ref, resource


def piece(manifest: Manifest, names: Names, given: Piece) -> Piece:
    """Return the service; `given` says what must be there first, and which alarms take a deployment back."""
    count = {} if manifest.is_scaled else {"DesiredCount": manifest.tasks_at_first}
    properties = {
        "Cluster": cluster.cluster(manifest),
        "ServiceName": names.service,
        "TaskDefinition": ref(contract.TASK_DEFINITION),
        "SchedulingStrategy": "REPLICA",
        "PlatformVersion": "LATEST",
        "CapacityProviderStrategy": strategy(manifest.spot),
        **count,
        "DeploymentConfiguration": _deployment(manifest, given.rollback_alarms),
        "AvailabilityZoneRebalancing": "ENABLED" if manifest.deployment.zone_rebalancing else "DISABLED",
        "NetworkConfiguration": {"AwsvpcConfiguration": _network(manifest)},
        "EnableExecuteCommand": manifest.exec,
        "EnableECSManagedTags": True,
        "PropagateTags": "SERVICE",
    }
    first: Json = {"DependsOn": list(given.first)} if given.first else {}
    service = resource("AWS::ECS::Service", "The service: keeps your tasks running", properties, **first)
    return Piece(
        resources={contract.SERVICE: service},
        outputs={"ServiceName": {"Description": "The ECS service", "Value": get_att(contract.SERVICE, "Name")}},
    )


def strategy(spot: Spot) -> list[Json]:
    """Return the capacity: the base on demand, and beyond it `percent` of a hundred tasks on Spot."""
    if spot.percent == 0:
        return [{"CapacityProvider": "FARGATE", "Weight": 1}]
    share = gcd(100, spot.percent)
    on_demand: Json = {"CapacityProvider": "FARGATE", "Base": spot.base, "Weight": (100 - spot.percent) // share}
    on_spot: Json = {"CapacityProvider": "FARGATE_SPOT", "Weight": spot.percent // share}
    return [on_spot] if on_demand["Base"] == on_demand["Weight"] == 0 else [on_demand, on_spot]


def _deployment(manifest: Manifest, alarms: tuple[str, ...]) -> Json:
    deployment = manifest.deployment
    # Said also where none is watched: what a template leaves out may stay as it was.
    watched = {
        "AlarmNames": [ref(alarm) for alarm in alarms],
        "Enable": bool(alarms),
        "Rollback": bool(alarms) and deployment.rollback,
    }
    return {
        "MinimumHealthyPercent": deployment.minimum_percent,
        "MaximumPercent": deployment.maximum_percent,
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": deployment.rollback},
        "Alarms": watched,
    }


def _network(manifest: Manifest) -> dict[str, Any]:
    return {
        "Subnets": network.subnets(manifest),
        "SecurityGroups": [get_att(contract.SECURITY_GROUP, "GroupId"), *manifest.network.security_groups],
        "AssignPublicIp": "ENABLED" if manifest.network.egress == "public_ip" else "DISABLED",
    }
