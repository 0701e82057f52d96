"""The default VPC of the account, for manifests with `network: {type: default}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forebay.deploy.trouble import explained
from forebay.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

REMEDY = "Write `network: {type: new}` into the manifest (a small VPC of the stack's own), or name one with `existing`"


@dataclass(frozen=True, slots=True)
class DefaultNetwork:
    """Where the tasks go."""

    vpc: str
    subnets: tuple[str, ...]
    """Those that give public addresses, a zone each, in the order of their ids."""


def look_up(client: EC2Client) -> DefaultNetwork:
    """Return the default VPC with its default subnets. Raises `DeployError` when there is none."""
    with explained("looking up the default VPC"):
        vpcs = client.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        if not vpcs:
            raise DeployError(f"this account has no default VPC in this Region. {REMEDY}")
        vpc = str(vpcs[0].get("VpcId"))
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default-for-az", "Values": ["true"]}]
        found = client.describe_subnets(Filters=filters)["Subnets"]  # type: ignore[arg-type]  # pyright: ignore
    subnets = sorted(str(one.get("SubnetId")) for one in found if one.get("MapPublicIpOnLaunch", True))
    if not subnets:
        raise DeployError(f"the default VPC {vpc} has no default subnet that gives public addresses. {REMEDY}")
    return DefaultNetwork(vpc, tuple(subnets))
