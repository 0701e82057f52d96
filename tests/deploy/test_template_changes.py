"""What a later change of a manifest asks of CloudFormation: nothing that it cannot do.

CloudFormation makes what is new, or replaced, before it deletes what is old. So what is made must not need the name,
the addresses or the place of what is still there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from ipaddress import IPv4Network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.deploy.test_template_parts import SOUND, manifest, referred_to

from forebay.deploy.names import Names
from forebay.deploy.template.build import build
from forebay.deploy.template.intrinsics import Json

ONE_OF_A_KIND = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("ResourceId",),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("ScalingTargetId", "PolicyName"),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::EC2::NatGateway": ("AllocationId",),
    "AWS::EC2::Route": ("RouteTableId", "DestinationCidrBlock"),
    "AWS::EC2::SubnetRouteTableAssociation": ("SubnetId",),
    "AWS::EC2::VPCEndpoint": ("VpcId", "ServiceName"),
    "AWS::EC2::VPCGatewayAttachment": ("InternetGatewayId",),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::ECS::Service": ("Cluster", "ServiceName"),
    "AWS::KMS::Alias": ("AliasName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::SNS::Subscription": ("TopicArn", "Protocol", "Endpoint"),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::Scheduler::Schedule": ("GroupName", "Name"),
    "AWS::Scheduler::ScheduleGroup": ("Name",),
}
"""Type → the properties by which AWS tells one from another: there are no two with the same."""

SCHEMAS: Any = import_module("cfnlint.schema").PROVIDER_SCHEMA_MANAGER  # It has no types of its own.

ARN = "arn:aws:sns:eu-west-1:123456789012:"
TOPICS = st.dictionaries(
    st.sampled_from(["first", "second", "third"]), st.sampled_from(["orders", "payments", "returns"]), max_size=3
).filter(lambda topics: len(set(topics.values())) == len(topics))
SCHEDULES = st.lists(st.sampled_from(["a-1", "a1", "ab", "a-b", "role", "group"]), unique=True)
MAILS = st.lists(st.sampled_from(["a@example.com", "b@example.com", "c@example.com"]), unique=True)
SCALING = st.sampled_from([None, {"min": 0, "max": 5}, {"min": 2, "max": 5}])


@st.composite
def manifests(draw: st.DrawFn) -> Json:
    """Return what a manifest says; the network's addresses are always the same, since they cannot be changed."""
    said: Json = draw(SOUND)
    suffix = ".fifo" if said["queue"]["type"] == "fifo" else ""
    topics = {name: {"arn": f"{ARN}{topic}{suffix}"} for name, topic in draw(TOPICS).items()}
    schedules = {name: {"every": "1h", "group": "all"} for name in draw(SCHEDULES)}
    network = {**said["network"], **({"cidr": "10.0.0.0/20"} if said["network"]["type"] == "new" else {})}
    alarms = {**said["alarms"], "emails": draw(MAILS)}
    scaling = draw(SCALING)
    more: Json = {"scaling": scaling, "run": {**said["run"], "slots": 10}} if scaling else {}
    return {**said, "topics": topics, "schedules": schedules, "network": network, "alarms": alarms, **more}


@dataclass(frozen=True)
class Update:
    """What CloudFormation does from one template to another."""

    old: Json
    new: Json

    def made(self) -> list[str]:
        """The logical ids of what is made anew: what was not there, and what cannot be changed in place."""
        made: set[str] = set()
        waits_for = {name: set(referred_to(one["Properties"])) & self.new.keys() for name, one in self.new.items()}
        for name in TopologicalSorter(waits_for).static_order():
            if name not in self.old or self._is_replaced(name, made):
                made.add(name)
        return sorted(made)

    def _is_replaced(self, name: str, made: set[str]) -> bool:
        old, new = self.old[name], self.new[name]
        for key in fixed(new["Type"]):
            before, after = old["Properties"].get(key), new["Properties"].get(key)
            if before != after or made & set(referred_to(after)):
                return True
        return False

    def collisions(self) -> Iterator[tuple[str, str]]:
        """What is made, and what is still there in its place."""
        made = self.made()
        for name in made:
            for other in self.old:
                if self._is_same(name, other, set(made)):
                    yield name, other

    def _is_same(self, name: str, other: str, made: set[str]) -> bool:
        new, old = self.new[name], self.old[other]
        if new["Type"] != old["Type"]:
            return False
        if new["Type"] == "AWS::EC2::Subnet" and "Vpc" not in made:
            blocks = (IPv4Network(one["Properties"]["CidrBlock"]) for one in (new, old))
            return next(blocks).overlaps(next(blocks))
        keys = ONE_OF_A_KIND.get(new["Type"], ())
        identity = [new["Properties"].get(key) for key in keys]
        is_elsewhere = bool(made & set(referred_to(identity)))
        return bool(keys) and not is_elsewhere and identity == [old["Properties"].get(key) for key in keys]


@cache
def fixed(kind: str) -> tuple[str, ...]:
    """Return the properties that only a new resource can have, as CloudFormation's own schema says."""
    schema: Json = SCHEMAS.get_resource_schema("us-east-1", kind).schema
    return tuple(path.split("/")[2] for path in schema.get("createOnlyProperties", ()))


def resources(said: Json) -> Json:
    asked = manifest(**said)
    found: Json = build(asked, Names("shop", "test", is_fifo=asked.queue.type == "fifo"))["Resources"]
    return found


@given(manifests(), manifests())
def test_whatever_changes_nothing_is_made_in_the_place_of_what_is_still_there(before: Json, after: Json) -> None:
    assert list(Update(resources(before), resources(after)).collisions()) == []


def queue(name: str) -> Json:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, "FifoQueue": name.endswith(".fifo")}}


def test_a_queue_that_is_made_under_another_id_meets_its_own_name() -> None:
    assert list(Update({"Old": queue("shop")}, {"New": queue("shop")}).collisions()) == [("New", "Old")]


def test_a_gateway_that_is_replaced_meets_its_own_address() -> None:
    """Which is why the addresses of a network cannot be changed."""
    said: Any = [{"network": {"type": "new", "egress": "nat", "cidr": cidr}} for cidr in ("10.0.0.0/20", "10.1.0.0/20")]

    assert ("NatGateway1", "NatGateway1") in Update(resources(said[0]), resources(said[1])).collisions()
