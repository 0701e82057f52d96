"""How tasks reach AWS without any way to the internet: endpoints in the VPC, as many as the worker needs. Pure.

Rules kept here and nowhere else:

1. An interface endpoint costs money in every zone, so there is one only for what this manifest uses.
2. The worker's own needs are: images (two of ECR, and S3 for the layers), logs, the queue, and ECS for protection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract
from forebay.deploy.template.intrinsics import Json, Piece, get_att, ref, resource, sub
from forebay.deploy.template.secrets import is_parameter

ALWAYS = {
    "ecr.api": "where the image is",
    "ecr.dkr": "the image's list of layers",
    "logs": "what the tasks write",
    "sqs": "the queues",
    "ecs": "protection of the tasks",
}


def services(manifest: Manifest) -> dict[str, str]:
    """Return the services that need an interface endpoint, and what each is for."""
    needed = dict(ALWAYS)
    if any(is_parameter(source) for source in manifest.secrets.values()):
        needed["ssm"] = "secrets in parameters"
    if not all(is_parameter(source) for source in manifest.secrets.values()):
        needed["secretsmanager"] = "secrets"
    if manifest.exec:
        needed["ssmmessages"] = "sessions in the container"
    return needed


def gateway(tables: Sequence[str]) -> Piece:
    """Return the endpoint of S3: image layers come from there. It is free, and spares a NAT gateway their bytes."""
    endpoint = resource(
        "AWS::EC2::VPCEndpoint",
        "A free way to S3, where the image's layers and payloads are",
        {
            "VpcId": ref("Vpc"),
            "VpcEndpointType": "Gateway",
            "ServiceName": sub("com.amazonaws.${AWS::Region}.s3"),
            "RouteTableIds": [ref(table) for table in tables],
        },
    )
    return Piece(resources={"S3Endpoint": endpoint}, first=("S3Endpoint",))


def interfaces(manifest: Manifest, names: Names, subnets: Any) -> Piece:
    """Return an interface endpoint for each service that is needed, and their firewall."""
    resources: dict[str, Json] = {
        "EndpointSecurityGroup": resource(
            "AWS::EC2::SecurityGroup",
            "The endpoints' firewall: only the tasks come in",
            {
                "GroupDescription": f"Endpoints of {names.stack}: TLS from its tasks",
                "VpcId": ref("Vpc"),
                "SecurityGroupIngress": [
                    {
                        "IpProtocol": "tcp",
                        "FromPort": 443,
                        "ToPort": 443,
                        "SourceSecurityGroupId": get_att(contract.SECURITY_GROUP, "GroupId"),
                        "Description": "TLS from the tasks",
                    }
                ],
            },
        )
    }
    for service, purpose in services(manifest).items():
        resources[logical_id(service)] = resource(
            "AWS::EC2::VPCEndpoint",
            f"The way to {service}: {purpose} (about 7 USD a month in each zone)",
            {
                "VpcId": ref("Vpc"),
                "VpcEndpointType": "Interface",
                "ServiceName": sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
                "PrivateDnsEnabled": True,
                "SubnetIds": subnets,
                "SecurityGroupIds": [get_att("EndpointSecurityGroup", "GroupId")],
            },
        )
    return Piece(resources=resources, first=tuple(name for name in resources if name.endswith("Endpoint")))


def logical_id(service: str) -> str:
    """Return the endpoint's name in the template."""
    return "".join(part.capitalize() for part in service.split(".")) + "Endpoint"
