"""Where the tasks run and how they reach AWS: a VPC that is there, or a small one of the stack's own. Pure.

Rules kept here and nowhere else:

1. Nothing reaches a task from outside: its security group lets nothing in. Everything may leave, since jobs talk to
   databases, caches and mail servers that only their author knows.
2. The call that protects a task goes to the API of ECS through the task's own network. So a network without a way to
   the internet needs an endpoint for ECS too, which the pages about Fargate leave out.
3. In a VPC of the stack's own each zone stands for itself: a NAT gateway in each, so that the loss of one zone leaves
   the other working. Who wants one gateway asks for one zone.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract
from forebay.deploy.template.endpoints import gateway, interfaces
from forebay.deploy.template.intrinsics import Json, Piece, get_att, joined, ref, resource

EVERYWHERE = "0.0.0.0/0"


def vpc(manifest: Manifest) -> Any:
    """Return the VPC's id as a value of the template."""
    return manifest.network.vpc or ref("Vpc" if manifest.network.type == "new" else contract.VPC)


def subnets(manifest: Manifest) -> Any:
    """Return the tasks' subnets as a value of the template."""
    network = manifest.network
    if network.type == "existing":
        return list(network.subnets)
    if network.type == "default":
        return ref(contract.SUBNETS)
    kind = "Public" if network.egress == "public_ip" else "Private"
    return [ref(f"{kind}Subnet{zone}") for zone in _zones(manifest)]


def piece(manifest: Manifest, names: Names) -> Piece:
    """Return the tasks' security group, and the VPC when it is the stack's own."""
    group = Piece(resources={contract.SECURITY_GROUP: _security_group(manifest, names)})
    match manifest.network.type:
        case "existing":
            return group
        case "default":
            return joined([group, Piece(parameters=_PARAMETERS)])
        case "new":
            return joined([group, _new(manifest, names)])


_PARAMETERS = {
    contract.VPC: {"Type": "AWS::EC2::VPC::Id", "Description": "The account's default VPC"},
    contract.SUBNETS: {"Type": "List<AWS::EC2::Subnet::Id>", "Description": "Its public subnets"},
}


def _zones(manifest: Manifest) -> range:
    return range(1, manifest.network.zones + 1)


def _security_group(manifest: Manifest, names: Names) -> Json:
    return resource(
        "AWS::EC2::SecurityGroup",
        "The tasks' firewall: nothing comes in, everything may go out",
        {
            "GroupDescription": f"Tasks of {names.stack}: nothing in, everything out",
            "VpcId": vpc(manifest),
            "SecurityGroupEgress": [
                {"IpProtocol": "-1", "CidrIp": EVERYWHERE, "Description": "Only the jobs know what they talk to"}
            ],
        },
    )


def _new(manifest: Manifest, names: Names) -> Piece:
    network = manifest.network
    parts = [Piece(resources={"Vpc": _vpc(manifest, names)})]
    if network.egress != "endpoints":
        parts.append(_public(manifest, names))
    if network.egress != "public_ip":
        parts.append(_private(manifest, names))
        parts.append(gateway([f"PrivateRoutes{zone}" for zone in _zones(manifest)]))
    if network.egress == "endpoints":
        parts.append(interfaces(manifest, names, subnets(manifest)))
    return joined(parts)


def _block(manifest: Manifest, kind: str, zone: int) -> str:
    """Return the addresses of a subnet: an eighth of the network, the first ones for public subnets.

    Each subnet has the same ones whatever others there are. CloudFormation makes new subnets before it deletes old
    ones, so one that moved would meet its own addresses.
    """
    eighths = list(IPv4Network(manifest.network.cidr).subnets(prefixlen_diff=3))
    return str(eighths[(0 if kind == "Public" else 4) + zone - 1])


def _tags(names: Names, what: str) -> list[Json]:
    """Return the tag that the VPC console shows as a name. All other tags are the stack's."""
    return [{"Key": "Name", "Value": f"{names.stack}-{what}"}]


def _vpc(manifest: Manifest, names: Names) -> Json:
    return resource(
        "AWS::EC2::VPC",
        "A small network of this service's own",
        {
            "CidrBlock": manifest.network.cidr,
            "EnableDnsSupport": True,
            "EnableDnsHostnames": True,
            "Tags": _tags(names, "vpc"),
        },
    )


def _subnet(manifest: Manifest, names: Names, kind: str, zone: int) -> Json:
    return resource(
        "AWS::EC2::Subnet",
        f"The {kind.lower()} subnet of zone {zone}",
        {
            "VpcId": ref("Vpc"),
            "AvailabilityZone": {"Fn::Select": [zone - 1, {"Fn::GetAZs": ""}]},
            "CidrBlock": _block(manifest, kind, zone),
            # Tasks ask for a public address themselves, so that nothing else in the subnet gets one unasked.
            "MapPublicIpOnLaunch": False,
            "Tags": _tags(names, f"{kind.lower()}-{zone}"),
        },
    )


def _association(kind: str, zone: int, table: str) -> Json:
    return resource(
        "AWS::EC2::SubnetRouteTableAssociation",
        f"Gives the {kind.lower()} subnet of zone {zone} its routes",
        {"SubnetId": ref(f"{kind}Subnet{zone}"), "RouteTableId": ref(table)},
    )


def _public(manifest: Manifest, names: Names) -> Piece:
    """Return the way to the internet and a public subnet in each zone."""
    resources: dict[str, Json] = {
        "InternetGateway": resource(
            "AWS::EC2::InternetGateway", "The network's way to the internet", {"Tags": _tags(names, "internet")}
        ),
        "InternetGatewayAttachment": resource(
            "AWS::EC2::VPCGatewayAttachment",
            "Joins the network to its way out",
            {"VpcId": ref("Vpc"), "InternetGatewayId": ref("InternetGateway")},
        ),
        "PublicRoutes": resource(
            "AWS::EC2::RouteTable",
            "The routes of the public subnets",
            {"VpcId": ref("Vpc"), "Tags": _tags(names, "public")},
        ),
        "PublicRoute": resource(
            "AWS::EC2::Route",
            "Sends what is for the internet there",
            {
                "RouteTableId": ref("PublicRoutes"),
                "DestinationCidrBlock": EVERYWHERE,
                "GatewayId": ref("InternetGateway"),
            },
            DependsOn=["InternetGatewayAttachment"],
        ),
    }
    for zone in _zones(manifest):
        resources[f"PublicSubnet{zone}"] = _subnet(manifest, names, "Public", zone)
        resources[f"PublicSubnetRoutes{zone}"] = _association("Public", zone, "PublicRoutes")
    associations = tuple(name for name in resources if name.startswith("PublicSubnetRoutes"))
    is_used = manifest.network.egress == "public_ip"
    return Piece(resources=resources, first=("PublicRoute", *associations) if is_used else ())


def _private(manifest: Manifest, names: Names) -> Piece:
    """Return a private subnet in each zone, with a NAT gateway as its way out if that is the egress."""
    resources: dict[str, Json] = {}
    first: list[str] = []
    for zone in _zones(manifest):
        table = f"PrivateRoutes{zone}"
        resources[f"PrivateSubnet{zone}"] = _subnet(manifest, names, "Private", zone)
        resources[table] = resource(
            "AWS::EC2::RouteTable",
            f"The routes of the private subnet of zone {zone}",
            {"VpcId": ref("Vpc"), "Tags": _tags(names, f"private-{zone}")},
        )
        resources[f"PrivateSubnetRoutes{zone}"] = _association("Private", zone, table)
        first.append(f"PrivateSubnetRoutes{zone}")
        if manifest.network.egress == "nat":
            resources |= _nat(names, zone)
            first.append(f"PrivateRoute{zone}")
    return Piece(resources=resources, first=tuple(first))


def _nat(names: Names, zone: int) -> dict[str, Json]:
    address, nat = f"NatAddress{zone}", f"NatGateway{zone}"
    return {
        address: resource(
            "AWS::EC2::EIP",
            f"The public address that tasks of zone {zone} are seen from",
            {"Domain": "vpc", "Tags": _tags(names, f"nat-{zone}")},
            DependsOn=["InternetGatewayAttachment"],
        ),
        nat: resource(
            "AWS::EC2::NatGateway",
            f"The way out of the private subnet of zone {zone} (about 33 USD a month)",
            {
                "AllocationId": get_att(address, "AllocationId"),
                "SubnetId": ref(f"PublicSubnet{zone}"),
                "Tags": _tags(names, f"nat-{zone}"),
            },
            DependsOn=["PublicRoute", f"PublicSubnetRoutes{zone}"],
        ),
        f"PrivateRoute{zone}": resource(
            "AWS::EC2::Route",
            f"Sends what is for the internet to the NAT gateway of zone {zone}",
            {"RouteTableId": ref(f"PrivateRoutes{zone}"), "DestinationCidrBlock": EVERYWHERE, "NatGatewayId": ref(nat)},
        ),
    }
