"""The verbs status, logs and scale as commands, against moto, and what they say when something is missing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Ran
from tests.cli.live_shop import a_live_shop
from tests.deploy.moto_server import MotoCloud, running_moto

from forebay.cli.main import carry_out
from forebay.deploy.clients import Clients

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "status.md").read_text(encoding="utf-8")
GROUP = "/forebay/shop-test"


@pytest.fixture(scope="module")
def server() -> Iterator[MotoCloud]:
    with running_moto() as cloud:
        yield cloud


class Shop:
    """The service `shop` of environment `test` on moto, and a folder with its manifest, which we are in."""

    def __init__(self, cloud: MotoCloud, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.clients: Clients = cloud.clients()
        self._capture = capture

    def run(self, verb: str, *arguments: str) -> Ran:
        """Run a verb in this process, which costs a tenth of one of its own."""
        status = carry_out(verb, list(arguments))
        said = self._capture.readouterr()
        return Ran(status, said.out, said.err)

    def deploy(self, *, count: int = 1) -> None:
        ecs: Any = self.clients.ecs
        ecs.create_cluster(clusterName="shop-test")
        container = {"name": "worker", "image": "shop", "memory": 512}
        ecs.register_task_definition(family="shop-test", containerDefinitions=[container])
        ecs.create_service(
            cluster="shop-test", serviceName="shop", taskDefinition="shop-test", desiredCount=0, launchType="FARGATE"
        )
        ecs.update_service(cluster="shop-test", service="shop", desiredCount=count)
        self.clients.sqs.create_queue(QueueName="shop-test")

    def scaled(self, least: int, most: int) -> None:
        self.clients.application_autoscaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId="service/shop-test/shop",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=least,
            MaxCapacity=most,
        )

    def suspended(self) -> list[bool]:
        answer: Any = self.clients.application_autoscaling.describe_scalable_targets(ServiceNamespace="ecs")
        return list(answer["ScalableTargets"][0]["SuspendedState"].values())

    def says(self, task_id: str, *messages: str) -> None:
        logs: Any = self.clients.logs
        if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
            logs.create_log_group(logGroupName=GROUP)
        stream = f"forebay/worker/{task_id}"
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        now = int(time.time() * 1000) - 1_000
        events = [{"timestamp": now + place, "message": message} for place, message in enumerate(messages)]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)

    def desired(self) -> int:
        answer: Any = self.clients.ecs.describe_services(cluster="shop-test", services=["shop"])
        return int(answer["services"][0]["desiredCount"])


@pytest.fixture
def shop(
    server: MotoCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shop:
    server.reset()
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "forebay.yml").write_text("name: shop\n")
    monkeypatch.chdir(tmp_path)
    return Shop(server, tmp_path, capsys)


def test_status_shows_what_is_deployed(shop: Shop) -> None:
    shop.deploy(count=2)

    ran = shop.run("status")

    assert ran.status == 0, ran.err
    assert ran.out.startswith(
        "Found service shop in environment test\nTask Summary\n\n  Running   ██████████  2/2 desired"
    )
    assert "shop-test  0 visible, 0 in flight, 0 delayed" in ran.out
    assert "Cost a month, USD" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")  # What moto passes over in a template.
def test_what_deploy_makes_is_what_status_scale_and_logs_look_for(shop: Shop) -> None:
    (shop.folder / "forebay.yml").write_text("name: shop\ncount: 2\nvariables:\n  A: b\n")
    image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:{'0' * 64}"

    deployed = shop.run("deploy", "--yes", "--image", image)
    status = shop.run("status")
    scaled = shop.run("scale", "3")
    logs = shop.run("logs")

    assert deployed.status == 0, deployed.err
    assert "2 desired tasks are running" in status.out
    assert "shop-test       0 visible" in status.out
    assert "shop-test-dead  0 dead letters" in status.out
    assert "The next `forebay deploy` sets the 2 of forebay.yml again." in scaled.err
    assert (logs.status, logs.err) == (0, "forebay: no lines in the last 7 days\n")


def test_status_in_json_is_one_object(shop: Shop) -> None:
    shop.deploy()

    found = json.loads(shop.run("status", "--json").out)

    assert found["where"]["cluster"] == "shop-test"
    assert found["service"]["running"] == 1
    assert {line["what"] for line in found["cost"]} > {"Fargate, x86_64"}


def test_status_before_the_first_deployment_is_a_sentence(shop: Shop) -> None:
    ran = shop.run("status")

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("forebay: there is no cluster shop-test: `forebay deploy --env test` makes it")


def test_a_service_is_found_by_cluster_and_name_without_a_manifest(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.deploy()
    (shop.folder / "forebay.yml").unlink()

    named = shop.run("status", "--cluster", "shop-test", "--service", "shop", "--queue", "shop-test")
    monkeypatch.setenv("FOREBAY_CLUSTER", "shop-test")
    monkeypatch.setenv("FOREBAY_SERVICE", "shop")
    by_variables = shop.run("status")

    assert named.out.startswith("Found service shop in cluster shop-test\n")
    assert "shop-test  0 visible" in named.out
    assert "no queue is named: give --queue" in by_variables.out


def test_logs_are_the_article_s_lines(shop: Shop) -> None:
    shop.says("aaaa1111bbbb", "2026-11-28T12:00:00.000Z Acquiring task protection", "second")

    assert shop.run("logs").out == "2026-11-28T12:00:00.000Z Acquiring task protection\nsecond\n"


def test_logs_of_several_tasks_carry_their_names_and_one_can_be_chosen(shop: Shop) -> None:
    shop.says("aaaa1111bbbb", "of a")
    shop.says("cccc1111dddd", "of c")

    assert sorted(shop.run("logs", "--since", "1h").out.splitlines()) == ["aaaa1111 of a", "cccc1111 of c"]
    assert shop.run("logs", "--task", "cccc").out == "of c\n"
    assert shop.run("logs", "--filter", "of a").out == "of a\n"
    assert shop.run("logs", "--limit", "1", "--task", "aaaa").out == "of a\n"
    assert len(shop.run("logs", "--previous").out.splitlines()) == 1  # The service has gone.
    assert shop.run("logs", "--task", "none").err == "forebay: no lines in the last 7 days\n"


def test_logs_without_a_log_group_are_a_sentence(shop: Shop) -> None:
    ran = shop.run("logs", "--env", "test")

    assert ran.status == 1
    assert ran.err.startswith(
        "forebay: there is no log group /forebay/shop-test: the stack makes it, and a first deployment"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--raw", "--json"), "--raw and --json exclude each other"),
        (("--previous", "--follow"), "--previous is one task that has stopped"),
        (("--since", "yesterday"), "--since='yesterday' is no duration"),
        (("--since", "99999d"), "--since 99999d: CloudWatch keeps nothing longer than 3,653 days"),
    ],
)
def test_options_of_logs_that_make_no_sense_are_refused(shop: Shop, options: tuple[str, ...], sentence: str) -> None:
    ran = shop.run("logs", *options)

    assert ran.status == 2
    assert sentence in ran.err


def test_scale_sets_the_count_waits_and_says_what_the_next_deployment_does(shop: Shop) -> None:
    shop.deploy()

    ran = shop.run("scale", "3")

    assert ran.status == 0, ran.err
    assert shop.desired() == 3
    assert ran.out == (
        "shop in environment test: 1 → 3 desired tasks\n  Running   ██████████  3/3 desired tasks are running\n"
    )
    assert "The next `forebay deploy` sets the 1 of forebay.yml again." in ran.err


def test_scale_keeps_to_the_bounds_of_a_scaled_service(shop: Shop) -> None:
    shop.deploy()
    shop.scaled(1, 4)

    refused = shop.run("scale", "9")
    taken = shop.run("scale", "4", "--no-wait")

    assert refused.status == 2
    assert "9 is outside of the service's 1 to 4 tasks" in refused.err
    assert taken.status == 0
    assert "Scaling goes on from there" in taken.err
    assert shop.desired() == 4


def test_scaling_is_paused_for_a_fixed_count_and_resumed(shop: Shop) -> None:
    shop.deploy()
    shop.scaled(1, 4)

    paused = shop.run("scale", "9", "--pause")
    suspended = shop.suspended()
    status = shop.run("status").out
    resumed = shop.run("scale", "--resume")

    assert paused.status == 0, paused.err
    assert shop.desired() == 9
    assert suspended == [True, True, True]
    assert "1 to 4 tasks; suspended (in, out, scheduled): `forebay scale --resume` lets it go on" in status
    assert resumed.status == 0
    assert shop.suspended() == [False, False, False]


def test_a_service_with_a_fixed_count_has_no_scaling_to_pause(shop: Shop) -> None:
    shop.deploy()

    ran = shop.run("scale", "--pause")

    assert ran.status == 2
    assert "is not scaled, so there is nothing to pause" in ran.err


def test_scale_of_a_service_that_is_not_there_is_a_sentence(shop: Shop) -> None:
    ran = shop.run("scale", "9", "--pause")

    assert ran.status == 1
    assert ran.err.startswith("forebay: there is no cluster shop-test")


def test_scale_without_a_count_says_what_it_needs(shop: Shop) -> None:
    ran = shop.run("scale")

    assert ran.status == 2
    assert "say how many tasks, such as `forebay scale 3`" in ran.err


def actions_of(cell: str) -> set[str]:
    """Return the operations that a cell of the page's table names: `ecs:A`, `B`; `sqs:C`."""
    return {action.rpartition(":")[2] for action in re.findall(r"`(?!--)([\w:-]+)`", cell)}


@pytest.mark.parametrize(
    ("verb", "commands"),
    [
        ("status", [("status",)]),
        ("logs", [("logs",), ("logs", "--previous")]),
        ("scale", [("scale", "0"), ("scale", "--pause"), ("scale", "--resume")]),
        ("exec", [("exec",)]),
    ],
)
def test_the_page_lists_exactly_the_actions_that_a_verb_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, commands: list[tuple[str, ...]]
) -> None:
    """`exec` stops where it finds no plugin, before its last call, which other tests see."""
    (tmp_path / "forebay.yml").write_text("name: shop\n")
    monkeypatch.chdir(tmp_path)
    with a_live_shop() as aws:
        for name, value in aws.env.items():
            monkeypatch.setenv(name, value)
        aws.on("DescribeScalableTargets", {"ScalableTargets": [{"MinCapacity": 0, "MaxCapacity": 4}]})
        aws.on("DescribeScalingActivities", {"ScalingActivities": []})
        aws.on("RegisterScalableTarget", {})
        aws.on("DescribeLogStreams", {"logStreams": [{"logStreamName": "forebay/worker/gone"}]})
        for command in commands:
            carry_out(command[0], list(command[1:]))
        called = {operation for operation, _ in aws.calls}

    [cell] = re.findall(rf"^\| `{verb}` \| (.*) \|$", PAGE.split("## Permissions")[1], flags=re.M)
    assert called | ({"ExecuteCommand"} if verb == "exec" else set()) == actions_of(cell)
