"""What the parts of a template say for whatever a manifest asks: references, network, capacity, settings, endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import TopologicalSorter
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.deploy.golden import NAMES as GOLDEN_NAMES
from tests.deploy.golden import loaded
from tests.deploy.golden import template as golden_template

from forebay.cli.machine import Machine
from forebay.cli.resolve import Given, resolve
from forebay.deploy.manifest.model import Manifest, Spot
from forebay.deploy.names import Names
from forebay.deploy.template import contract
from forebay.deploy.template.build import build
from forebay.deploy.template.endpoints import services
from forebay.deploy.template.intrinsics import Json, Piece, joined
from forebay.deploy.template.resolving import resolved
from forebay.deploy.template.service import strategy
from forebay.deploy.template.task import drain_s, variables

NAMES = Names("shop", "test")
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:b-AbCdEf"


def manifest(**given: Any) -> Manifest:
    return Manifest.model_validate({"name": "shop", **given})


def template(**given: Any) -> Json:
    return build(manifest(**given), NAMES)


def properties(whole: Json, logical_id: str) -> Json:
    found: Json = whole["Resources"][logical_id]["Properties"]
    return found


def referred_to(value: Any) -> Iterator[str]:
    """Every name that a value's functions refer to."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), _]}:
            yield name
        case {"Fn::Sub": text}:
            body, given = text if isinstance(text, list) else (text, {})
            names = [part.partition("}")[0].partition(".")[0] for part in body.split("${")[1:]]
            yield from (name for name in names if name not in given and not name.startswith("!"))
            yield from referred_to(given)
        case dict():
            for one in value.values():
                yield from referred_to(one)
        case list():
            for one in value:
                yield from referred_to(one)
        case _:
            pass


SOUND: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "queue": st.fixed_dictionaries(
            {
                "type": st.sampled_from(["standard", "fair", "fifo"]),
                "encryption": st.sampled_from(["sqs", "kms", "arn:aws:kms:eu-west-1:123456789012:key/k"]),
                "keep": st.booleans(),
                "producers": st.sampled_from([[], ["210987654321"]]),
            }
        ),
        "network": st.one_of(
            st.just({"type": "default"}),
            st.fixed_dictionaries(
                {
                    "type": st.just("new"),
                    "egress": st.sampled_from(["public_ip", "nat", "endpoints"]),
                    "zones": st.integers(1, 3),
                    "cidr": st.sampled_from(["10.0.0.0/16", "10.0.0.0/20", "192.168.7.0/24"]),
                }
            ),
            st.just({"type": "existing", "vpc": "vpc-1", "subnets": ["subnet-1"]}),
        ),
        "spot": st.one_of(
            st.just({}), st.fixed_dictionaries({"base": st.integers(0, 3), "percent": st.integers(1, 100)})
        ),
        "exec": st.booleans(),
        "cluster": st.sampled_from([None, "shared"]),
        "secrets": st.sampled_from(
            [{}, {"A": "/a/b"}, {"B": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:b-AbCdEf"}]
        ),
        "payload_bucket": st.booleans(),
        "alarms": st.fixed_dictionaries(
            {"enabled": st.booleans(), "emails": st.sampled_from([[], ["a@example.com"]]), "dashboard": st.booleans()}
        ),
        "run": st.fixed_dictionaries({"protect": st.sampled_from(["auto", "always", "never"])}),
    }
)


@given(SOUND)
def test_whatever_is_asked_for_every_reference_leads_somewhere_and_none_in_a_circle(given: dict[str, Any]) -> None:
    asked = manifest(**given)
    whole = build(asked, Names("shop", "test", is_fifo=asked.queue.type == "fifo"))

    resources, parameters = whole["Resources"], whole["Parameters"]
    waits_for = {name: {*referred_to(one["Properties"]), *one.get("DependsOn", ())} for name, one in resources.items()}
    known = resources.keys() | parameters.keys()
    mentioned = set().union(*waits_for.values(), set(referred_to(whole["Outputs"])))
    assert {name for name in mentioned if not name.startswith("AWS::")} <= known
    assert set(parameters) <= mentioned
    TopologicalSorter(waits_for).prepare()  # Raises CycleError.


@pytest.mark.parametrize(
    ("base", "percent", "on_demand", "on_spot"),
    [
        (0, 0, (None, 1), None),
        (0, 80, (0, 1), 4),
        (2, 50, (2, 1), 1),
        (2, 100, (2, 0), 1),
        (0, 100, None, 1),
        (1, 33, (1, 67), 33),
    ],
)
def test_spot_is_given_as_weights(
    base: int, percent: int, on_demand: tuple[int | None, int] | None, on_spot: int | None
) -> None:
    found = {one["CapacityProvider"]: one for one in strategy(Spot(base=base, percent=percent))}

    fargate, spot = found.get("FARGATE"), found.get("FARGATE_SPOT")
    assert (fargate and (fargate.get("Base"), fargate["Weight"])) == on_demand
    assert (spot and spot["Weight"]) == on_spot


@pytest.mark.parametrize(("stop_timeout", "drain"), [(120, 110), (60, 50), (30, 20), (15, 10), (10, 5), (3, 0)])
def test_the_drain_ends_before_ecs_kills(stop_timeout: float, drain: float) -> None:
    assert drain_s(manifest(stop_timeout=stop_timeout)) == drain


def test_the_container_has_the_settings_of_run_and_the_variables_as_people_write_them() -> None:
    asked = manifest(
        variables={"FLAG": True, "COUNT": 3, "RATIO": 0.5, "TEXT": "a b"},
        run={"slots": 20, "linger": 20.0, "margin": 0.25, "exit_when_empty": False, "drain": 99, "queue": "other"},
    )

    assert variables(asked, {"FOREBAY_QUEUE_URL": {"Ref": "Queue"}}) == {
        "FOREBAY_QUEUE_URL": {"Ref": "Queue"},
        "FOREBAY_LOG": "json",
        "FOREBAY_DRAIN": "99",
        "FOREBAY_HEALTH": "127.0.0.1:8080",
        "FOREBAY_ATTEMPTS": "5",
        "FOREBAY_SLOTS": "20",
        "FOREBAY_MARGIN": "0.25",
        "FOREBAY_LINGER": "20",
        "FOREBAY_EXIT_WHEN_EMPTY": "false",
        "FLAG": "true",
        "COUNT": "3",
        "RATIO": "0.5",
        "TEXT": "a b",
    }


def test_the_drain_of_the_template_is_one_that_the_worker_reads() -> None:
    assert float(variables(manifest(stop_timeout=20), {})["FOREBAY_DRAIN"]) == pytest.approx(13.3)


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_a_worker_takes_what_its_container_is_told(name: str) -> None:
    """The environment of each template, read as `forebay run` reads it in a container on ECS."""
    resources = resolved(golden_template(name))
    (container,) = resources[contract.TASK_DEFINITION].properties["ContainerDefinitions"]
    environment = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    on_ecs = {**environment, "ECS_AGENT_URI": "http://169.254.170.2/api/1"}

    options = resolve(Given({}, (), on_ecs, {}, {}), Machine(cores=1, memory_limit_bytes=None, any_blocking=False))

    asked, names = loaded(name).manifest, loaded(name).names
    assert [queue.rpartition("/")[2] for queue in options.queues] == [names.queue]
    assert (options.dead_letter or "").rpartition("/")[2] == names.dead_letter_queue
    assert options.health == ("127.0.0.1", 8080)
    assert options.settings.log == "json"
    assert options.settings.attempts == asked.queue.attempts
    assert options.settings.drain_s <= asked.stop_timeout - 10
    assert {name for name, place in options.sources.items() if place != "default"} == {
        "queue",
        "dead-letter",
        "health",
        "log",
        "drain",
        "attempts",
        *(key.replace("_", "-") for key in asked.run.model_dump(exclude_none=True)),
    }


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        ({}, set()),
        ({"secrets": {"A": "/a"}}, {"ssm"}),
        ({"secrets": {"A": "arn:aws:ssm:eu-west-1:123456789012:parameter/a"}}, {"ssm"}),
        ({"secrets": {"A": SECRET}}, {"secretsmanager"}),
        ({"exec": True}, {"ssmmessages"}),
    ],
)
def test_there_is_an_endpoint_for_what_is_used_and_no_other(asked: dict[str, Any], more: set[str]) -> None:
    assert set(services(manifest(**asked))) == {"ecr.api", "ecr.dkr", "logs", "sqs", "ecs"} | more


@pytest.mark.parametrize("egress", ["public_ip", "nat", "endpoints"])
@pytest.mark.parametrize("zones", [1, 2, 3])
@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "10.8.0.0/20", "192.168.7.0/24"])
def test_subnets_lie_in_the_network_beside_each_other(egress: str, zones: int, cidr: str) -> None:
    whole = template(network={"type": "new", "egress": egress, "zones": zones, "cidr": cidr})

    blocks = [
        IPv4Network(one["Properties"]["CidrBlock"])
        for one in whole["Resources"].values()
        if one["Type"] == "AWS::EC2::Subnet"
    ]
    assert len(blocks) == zones * (2 if egress == "nat" else 1)
    assert all(block.subnet_of(IPv4Network(cidr)) and block.prefixlen <= 28 for block in blocks)
    assert not any(one.overlaps(other) for one in blocks for other in blocks if one is not other)


def test_a_subnet_keeps_its_addresses_whatever_others_come_and_go() -> None:
    """CloudFormation makes the new ones first: one that moved to the addresses of another could not be made."""
    found: dict[str, set[str]] = {}
    for egress in ("public_ip", "nat", "endpoints"):
        for zones in (1, 2, 3):
            whole = template(network={"type": "new", "egress": egress, "zones": zones})
            for name, one in whole["Resources"].items():
                if one["Type"] == "AWS::EC2::Subnet":
                    found.setdefault(name, set()).add(one["Properties"]["CidrBlock"])

    assert len(found) == 6
    assert all(len(blocks) == 1 for blocks in found.values())
    assert len(set.union(*found.values())) == 6


@pytest.mark.parametrize(
    ("egress", "way_out", "public_ip"),
    [("public_ip", "GatewayId", "ENABLED"), ("nat", "NatGatewayId", "DISABLED"), ("endpoints", None, "DISABLED")],
)
def test_the_tasks_subnets_have_the_way_out_that_was_asked_for(
    egress: str, way_out: str | None, public_ip: str
) -> None:
    whole = template(network={"type": "new", "egress": egress})
    service = properties(whole, contract.SERVICE)["NetworkConfiguration"]["AwsvpcConfiguration"]
    resources = whole["Resources"].values()
    tables = {
        one["Properties"]["SubnetId"]["Ref"]: one["Properties"]["RouteTableId"]["Ref"]
        for one in resources
        if one["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
    }
    routes = {
        one["Properties"]["RouteTableId"]["Ref"]: one["Properties"]
        for one in resources
        if one["Type"] == "AWS::EC2::Route"
    }

    ways = [routes.get(tables[subnet["Ref"]]) for subnet in service["Subnets"]]

    assert service["AssignPublicIp"] == public_ip
    assert [way is not None and way_out in way for way in ways] == [way_out is not None] * 2


def test_each_zone_has_a_nat_gateway_of_its_own() -> None:
    whole = template(network={"type": "new", "egress": "nat", "zones": 3})

    for zone in (1, 2, 3):
        assert properties(whole, f"NatGateway{zone}")["SubnetId"] == {"Ref": f"PublicSubnet{zone}"}
        assert properties(whole, f"PrivateRoute{zone}")["NatGatewayId"] == {"Ref": f"NatGateway{zone}"}
        assert properties(whole, f"PrivateSubnetRoutes{zone}")["RouteTableId"] == {"Ref": f"PrivateRoutes{zone}"}


@pytest.mark.parametrize("egress", ["public_ip", "nat", "endpoints"])
def test_the_service_waits_for_its_way_out(egress: str) -> None:
    """Tasks that start before it cannot fetch their image, and the circuit breaker counts them."""
    whole = template(network={"type": "new", "egress": egress})
    kinds = ("AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPCEndpoint")
    reached: set[str] = set()
    todo = list(whole["Resources"][contract.SERVICE]["DependsOn"])
    while todo:
        name = todo.pop()
        if name not in reached and name in whole["Resources"]:
            reached.add(name)
            one = whole["Resources"][name]
            todo += [*one.get("DependsOn", ()), *referred_to(one["Properties"])]

    assert {name for name, one in whole["Resources"].items() if one["Type"] in kinds} <= reached


def test_who_scales_owns_the_number_of_tasks() -> None:
    scaled = template(scaling={"max": 5, "latency": "1m", "job": "1s"}, run={"slots": 10})

    assert "DesiredCount" not in properties(scaled, contract.SERVICE)
    assert properties(template(count=3), contract.SERVICE)["DesiredCount"] == 3
    assert properties(template(), contract.SERVICE)["DesiredCount"] == 1


def test_exec_gives_up_the_read_only_root_and_nothing_else() -> None:
    (closed,), (opened,) = (
        properties(template(exec=given), contract.TASK_DEFINITION)["ContainerDefinitions"] for given in (False, True)
    )

    assert (closed["ReadonlyRootFilesystem"], opened["ReadonlyRootFilesystem"]) == (True, False)
    assert {**closed, "ReadonlyRootFilesystem": False} == opened
    assert (opened["User"], opened["LinuxParameters"]["Capabilities"]) == ("10001:10001", {"Drop": ["ALL"]})


def test_a_deployment_ends_by_itself_also_where_it_does_not_go_back() -> None:
    deployment = properties(template(deployment={"rollback": False}), contract.SERVICE)["DeploymentConfiguration"]

    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": False}


def test_a_worker_that_never_protects_may_not_protect() -> None:
    (policy,) = properties(template(run={"protect": "never"}), contract.TASK_ROLE)["Policies"]

    assert "ecs:" not in str(policy)


def test_two_pieces_that_say_the_same_thing_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        joined([Piece(variables={"A": 1}), Piece(variables={"A": 2})])
