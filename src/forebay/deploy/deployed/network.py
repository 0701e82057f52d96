"""The network that a live service's tasks are in: where its routes lead, and which endpoints it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forebay.deploy.deployed.reading import Reading
from forebay.deploy.doctor.attributes import members, texts
from forebay.deploy.doctor.facts import Network

if TYPE_CHECKING:
    from forebay.deploy.template.intrinsics import Json

ANYWHERE = ("0.0.0.0/0", "::/0")


def network(reading: Reading, service: Json) -> Network | None:
    """Return the network of a service; None when it may not be read."""
    vpc = members(members(service.get("NetworkConfiguration")).get("AwsvpcConfiguration"))
    subnets, groups = list(texts(vpc.get("Subnets"))), list(texts(vpc.get("SecurityGroups")))
    if not subnets:
        return None
    routes = reading.of("ec2", f"routes of {', '.join(subnets)}", lambda: _routes(reading, subnets))
    endpoints = reading.of("ec2", "endpoints of the VPC", lambda: _endpoints(reading, subnets))
    opened = (
        reading.of("ec2", f"security groups {', '.join(groups)}", lambda: _opened(reading, groups)) if groups else []
    )
    return Network(
        place=f"live network of service {service.get('ServiceName')}",
        # One subnet without a way is enough: tasks are started in all of them.
        to_internet=None if routes is None else all(any(_is_gateway(one) for one in each) for each in routes),
        to_nat=None if routes is None else all(any(one.get("NatGatewayId") for one in each) for each in routes),
        endpoints=None if endpoints is None else frozenset(endpoints),
        open_from=tuple(opened or ()),
    )


def _is_gateway(route: Any) -> bool:
    return str(route.get("GatewayId", "")).startswith("igw-")


def _routes(reading: Reading, subnets: list[str]) -> list[list[Any]]:
    """Return, for each subnet, its routes to anywhere. One without a table of its own has its VPC's main one."""
    ec2 = reading.clients.ec2
    found: list[list[Any]] = []
    for subnet in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]:
        own = ec2.describe_route_tables(
            Filters=[{"Name": "association.subnet-id", "Values": [subnet.get("SubnetId", "")]}]
        )["RouteTables"]
        main = [
            {"Name": "vpc-id", "Values": [subnet.get("VpcId", "")]},
            {"Name": "association.main", "Values": ["true"]},
        ]
        tables = own or ec2.describe_route_tables(Filters=main)["RouteTables"]  # type: ignore[arg-type]  # pyright: ignore
        routes = [route for table in tables for route in table.get("Routes", [])]
        found.append([route for route in routes if route.get("DestinationCidrBlock") in ANYWHERE])
    return found


def _endpoints(reading: Reading, subnets: list[str]) -> list[str]:
    ec2 = reading.clients.ec2
    vpcs = sorted({subnet.get("VpcId", "") for subnet in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]})
    answer = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": vpcs}])
    return [".".join(str(one.get("ServiceName", "")).split(".")[3:]) for one in answer["VpcEndpoints"]]


def _opened(reading: Reading, groups: list[str]) -> list[str]:
    answer = reading.clients.ec2.describe_security_groups(GroupIds=groups)
    return [
        str(source.get("CidrIp"))
        for group in answer["SecurityGroups"]
        for rule in group.get("IpPermissions", [])
        for source in rule.get("IpRanges", [])
        if source.get("CidrIp") in ANYWHERE
    ]
