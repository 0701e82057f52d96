"""A service's whole life by the command line against moto's server: deploy, change, compare, list, delete.

The commands run in this process, through the same door as the installed ones; tests/cli/test_pages.py runs those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.command import Ran, run
from tests.deploy.moto_server import MotoCloud

from forebay.cli.main import carry_out

pytestmark = pytest.mark.slow

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/thumbnails@sha256:" + "0" * 64
MANIFEST = """\
name: thumbnails
count: 1
environments:
  test:
  prod:
    count: 3
"""


Forebay = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "forebay.yml").write_text(MANIFEST)
    return tmp_path


@pytest.fixture
def forebay(
    folder: Path, moto_cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Forebay:
    """Run a verb in the folder of the manifest."""
    monkeypatch.chdir(folder)

    def run(verb: str, *arguments: str) -> Ran:
        status = carry_out(verb, list(arguments))
        said = capsys.readouterr()
        return Ran(status, said.out, said.err)

    return run


def deploy(forebay: Forebay, *more: str) -> Ran:
    ran = forebay("deploy", "--env", "test", "--image", IMAGE, *more)
    assert ran.status == 0, ran.err
    return ran


def test_a_first_deployment_makes_queue_cluster_and_service(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    ran = deploy(forebay)

    assert "✔ Deployed service thumbnails in environment test" in ran.out
    assert "USD a month" in ran.out
    clients = moto_cloud.clients()
    service = clients.ecs.describe_services(cluster="thumbnails-test", services=["thumbnails"])["services"][0]
    assert service.get("desiredCount") == 1
    assert clients.sqs.get_queue_url(QueueName="thumbnails-test")["QueueUrl"]
    task = clients.ecs.describe_task_definition(taskDefinition="thumbnails-test")["taskDefinition"]
    assert task["containerDefinitions"][0]["image"] == IMAGE


def test_deploying_the_same_again_changes_nothing(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    deploy(forebay)

    again = deploy(forebay)

    assert "✔ service thumbnails in environment test is up to date: nothing to change" in again.out


def test_a_change_is_shown_by_diff_and_made_by_deploy(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    deploy(forebay)
    same = forebay("diff", "--env", "test", "--exit-code")
    (folder / "forebay.yml").write_text(MANIFEST.replace("count: 1", "count: 2\nqueue:\n  retention: 1d"))

    different = forebay("diff", "--env", "test", "--exit-code")
    deploy(forebay)
    done = forebay("diff", "--env", "test", "--exit-code")

    assert (same.status, different.status, done.status) == (0, 3, 0), different.err
    assert "✔ Stack thumbnails-test is as the manifest says" in same.out
    assert re.search(r"^  ~ The queue that your jobs wait in", different.out, flags=re.M)
    assert "-      MessageRetentionPeriod: 345600" in different.out
    assert "+      MessageRetentionPeriod: 86400" in different.out


def test_diff_tells_programs_the_same(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    ran = forebay("diff", "--env", "prod", "--json")

    told = json.loads(ran.out)
    assert (told["stack"], told["exists"]) == ("thumbnails-prod", False)
    assert {change["act"] for change in told["changes"]} == {"add"}
    assert moto_cloud.clients().cloudformation.list_stacks()["StackSummaries"] == []


def test_diff_leaves_no_change_set_behind(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    deploy(forebay)
    client = moto_cloud.clients().cloudformation
    before = client.list_change_sets(StackName="thumbnails-test")["Summaries"]
    (folder / "forebay.yml").write_text(MANIFEST.replace("count: 1", "count: 2"))

    forebay("diff", "--env", "test")

    assert client.list_change_sets(StackName="thumbnails-test")["Summaries"] == before


def test_a_deployment_for_programs_is_json_line_by_line(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    ran = deploy(forebay, "--json")

    events = [json.loads(line)["event"] for line in ran.out.splitlines()]
    assert events[:3] == ["image", "changes", "started"]
    assert events[-1] == "ended"


def test_the_environments_are_listed_with_what_runs_in_each(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    deploy(forebay)
    clients = moto_cloud.clients()
    url = clients.sqs.get_queue_url(QueueName="thumbnails-test")["QueueUrl"]
    clients.sqs.send_message(QueueUrl=url, MessageBody="1")

    lines = forebay("env", "ls").out.splitlines()
    facts = [json.loads(line) for line in forebay("env", "ls", "--json").out.splitlines()]

    assert [line.split()[0] for line in lines] == ["Environment", "test", "prod"]
    assert "not deployed" in lines[2]
    assert (facts[0]["status"], facts[0]["desired"], facts[0]["waiting"], facts[0]["dead"]) == (
        "create complete", 1, 1, 0,
    )  # fmt: skip
    assert facts[1]["running"] is None


def test_deleting_says_what_goes_and_what_stays(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    deploy(forebay)

    ran = forebay("delete", "--env", "test", "--yes")

    assert ran.status == 0, ran.err
    assert "  - The service: keeps your tasks running" in ran.out
    assert "  o The queue that your jobs wait in: https://" in ran.out
    assert "✔ Stack thumbnails-test is deleted" in ran.out
    assert forebay("env", "ls").out.splitlines()[1].split()[:4] == ["test", "thumbnails-test", "not", "deployed"]


def test_without_a_terminal_nothing_is_deleted_unless_it_was_said(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    deploy(forebay)

    ran = forebay("delete", "--env", "test")

    assert ran.status == 2
    assert "Type thumbnails-test to go on: There is no terminal to ask at: pass --yes" in ran.err
    assert moto_cloud.clients().cloudformation.describe_stacks(StackName="thumbnails-test")["Stacks"]


def test_queues_that_a_deleted_stack_has_left_stay_until_they_are_told_to_go(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    sqs = moto_cloud.clients().sqs
    url = sqs.create_queue(QueueName="thumbnails-test")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="1")

    kept = forebay("delete", "--env", "test", "--yes")
    left = sqs.list_queues().get("QueueUrls", [])
    gone = forebay("delete", "--env", "test", "--yes", "--queues")

    assert "Queue thumbnails-test stays (1 message)" in kept.out
    assert left == [url]
    assert "✔ Queue thumbnails-test is deleted" in gone.out
    assert sqs.list_queues().get("QueueUrls", []) == []


def test_a_queue_that_would_go_with_its_messages_stops_the_deletion(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    (folder / "forebay.yml").write_text(MANIFEST.replace("count: 1", "count: 1\nqueue:\n  keep: false"))
    deploy(forebay)
    sqs = moto_cloud.clients().sqs
    url = sqs.get_queue_url(QueueName="thumbnails-test")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="1")

    refused = forebay("delete", "--env", "test", "--yes")
    agreed = forebay("delete", "--env", "test", "--yes", "--queues")

    assert refused.status == 1
    assert "queue thumbnails-test holds 1 message, and the deployed stack deletes its queues" in refused.err
    assert agreed.status == 0, agreed.err


def test_images_go_with_the_last_environment_only(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    clients = moto_cloud.clients()
    clients.ecr.create_repository(repositoryName="thumbnails")
    deploy(forebay)
    forebay("deploy", "--env", "prod", "--image", IMAGE)

    first = forebay("delete", "--env", "test", "--yes", "--images")
    last = forebay("delete", "--env", "prod", "--yes", "--images")

    assert "repository thumbnails stays: prod runs images of it" in first.out
    assert "repository thumbnails is deleted with its images" in last.out


def test_a_stack_of_somebody_else_is_refused_in_a_sentence(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    theirs = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    moto_cloud.clients().cloudformation.create_stack(StackName="thumbnails-test", TemplateBody=theirs)

    for verb in (["deploy", "--image", IMAGE], ["diff"], ["delete", "--yes"]):
        ran = forebay(*verb, "--env", "test")

        assert ran.status == 1
        assert "there is a stack thumbnails-test already, and it is not Forebay's" in ran.err


def test_an_account_without_a_default_vpc_is_told_the_remedy(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    ec2 = moto_cloud.clients().ec2
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        for subnet in ec2.describe_subnets()["Subnets"]:
            ec2.delete_subnet(SubnetId=str(subnet.get("SubnetId")))
        ec2.delete_vpc(VpcId=str(vpc.get("VpcId")))

    ran = forebay("deploy", "--env", "test", "--image", IMAGE)

    assert ran.status == 1
    assert "this account has no default VPC in this Region. Write `network: {type: new}`" in ran.err


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("Not An Image", "--image 'Not An Image' is no image"),
        (IMAGE.split("@")[0] + ":1.4", "there is no repository thumbnails in account 123456789012"),
    ],
)
def test_an_image_that_cannot_be_is_refused_with_its_place(forebay: Forebay, image: str, said: str) -> None:
    ran = forebay("deploy", "--env", "test", "--image", image)

    assert ran.status == 1
    assert said in ran.err


def test_a_tag_outside_of_ecr_goes_on_as_it_is_and_is_said(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    ran = forebay("deploy", "--env", "test", "--image", "ghcr.io/shop/thumbnails:1.4")

    assert ran.status == 0, ran.err
    assert "ghcr.io/shop/thumbnails:1.4 is named by a tag: ECS looks up its digest once" in ran.out


def test_a_tag_in_ecr_of_another_region_goes_on_as_it_is_and_is_said(
    forebay: Forebay, folder: Path, moto_cloud: MotoCloud
) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/thumbnails:1.4"

    ran = forebay("deploy", "--env", "test", "--image", image)

    assert ran.status == 0, ran.err
    assert f"{image} is in another Region: ECS looks up its digest once" in ran.out
    assert "Stack thumbnails-test in account 123456789012, eu-central-1" in ran.out


def test_a_letter_that_the_terminals_encoding_has_not_ends_no_deployment(folder: Path, moto_cloud: MotoCloud) -> None:
    ran = run(
        "deploy", "--env", "test", "--image", IMAGE, cwd=folder, env={**moto_cloud.env, "PYTHONIOENCODING": "ascii"}
    )

    assert ran.status == 0, ran.err
    assert "\\u2714 Deployed service thumbnails in environment test" in ran.out


def test_contradictions_stop_a_deployment_before_aws_is_asked(
    forebay: Forebay, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "forebay.yml").write_text("name: thumbnails\nqueue:\n  dead_letter_retention: 60\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    ran = forebay("deploy", "--env", "test", "--image", IMAGE)

    assert ran.status == 2
    assert "set queue.dead_letter_retention to 14d" in ran.err


def test_an_error_of_doctor_can_be_overruled(forebay: Forebay, folder: Path, moto_cloud: MotoCloud) -> None:
    (folder / "forebay.yml").write_text("name: thumbnails\nqueue:\n  dead_letter_retention: 60\n")

    assert forebay("deploy", "--image", IMAGE, "--no-doctor").status == 0
