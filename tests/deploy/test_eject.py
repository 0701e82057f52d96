"""What `package --eject` leaves: complete, true to the template, and enough to deploy with."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from tests.deploy.golden import NAMES, loaded, template
from tests.deploy.moto_server import ACCOUNT, MotoCloud

from forebay.deploy.eject import UNKNOWN, files

VERBS = {"aws", "docker", "ACCOUNT", "REGISTRY"}


def _files(name: str) -> dict[str, str]:
    return files(loaded(name), template(name))


def _commands(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_lists_every_resource_and_the_parameters_file_every_parameter(name: str) -> None:
    left = _files(name)

    rows = re.findall(r"^\| `(\w+)` \| [\w:]+ \| .+ \|$", left["README.md"], flags=re.MULTILINE)
    given = [entry["ParameterKey"] for entry in json.loads(left["parameters.json"])]
    assert rows == list(template(name)["Resources"])
    assert given == list(template(name)["Parameters"])


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_the_page_is_one_that_a_shell_reads(name: str) -> None:
    commands = _commands(_files(name)["README.md"])

    assert {re.split(r"\W", shlex.split(command)[0])[0] for command in commands} <= VERBS
    assert any(
        command.startswith(f"aws cloudformation deploy --stack-name {loaded(name).names.stack} ")
        for command in commands
    )


def test_tags_and_build_arguments_are_quoted_for_the_shell() -> None:
    given = loaded("tiny")
    manifest = given.manifest.model_copy(
        update={
            "tags": {"cost centre": "a b"},
            "image": given.manifest.image.model_copy(
                update={"build": given.manifest.image.build.model_copy(update={"args": {"WHO": "you & me"}})}
            ),
        }
    )
    changed = type(given)(manifest, given.environment, given.environments, given.folder)

    page = files(changed, template("tiny"))["README.md"]

    assert "'cost centre=a b'" in page
    assert "--build-arg 'WHO=you & me'" in page


def test_an_image_that_exists_needs_no_build_and_is_filled_in() -> None:
    left = _files("existing")

    parameters = {entry["ParameterKey"]: entry["ParameterValue"] for entry in json.loads(left["parameters.json"])}
    assert parameters == {"Image": loaded("existing").manifest.image.location}
    assert "docker" not in left["README.md"]


def test_what_stays_when_the_stack_goes_is_said() -> None:
    assert "`Queue`, `DeadLetterQueue`, `QueueKey`." in _files("fifo_kms")["README.md"]
    assert "Everything goes, with all messages that wait." in _files("spot")["README.md"]


def test_a_template_that_is_too_large_for_one_call_goes_through_a_bucket() -> None:
    whole = template("tiny")
    whole["Resources"] |= {f"Queue{number}": whole["Resources"]["Queue"] for number in range(200)}

    page = files(loaded("tiny"), whole)["README.md"]

    assert "--s3-bucket BUCKET" in page
    assert "--s3-bucket" not in _files("tiny")["README.md"]


def _filled(entries: list[dict[str, str]], known: dict[str, str]) -> list[dict[str, str]]:
    return [{**entry, "ParameterValue": known.get(entry["ParameterKey"], entry["ParameterValue"])} for entry in entries]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Tried to parse AWS.*not supported by moto:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_moto_makes_a_stack_of_the_ejected_files(moto_cloud: MotoCloud, name: str) -> None:
    left, clients = _files(name), moto_cloud.clients()
    vpc = clients.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    subnets = clients.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    known = {
        "Image": f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/thumbnails@sha256:{'0' * 64}",
        "VpcId": vpc,
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets),
    }
    parameters: Any = _filled(json.loads(left["parameters.json"]), known)
    names = loaded(name).names
    if loaded(name).manifest.cluster:
        clients.ecs.create_cluster(clusterName=str(loaded(name).manifest.cluster))

    clients.cloudformation.create_stack(
        StackName=names.stack,
        TemplateBody=left["template.yml"],
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM"],
    )

    (stack,) = clients.cloudformation.describe_stacks(StackName=names.stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert outputs["QueueUrl"].endswith(f"/{names.queue}")
    redrive = clients.sqs.get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["RedrivePolicy"])
    assert json.loads(redrive["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"].endswith(names.dead_letter_queue)
    assert not set(UNKNOWN.values()) & {entry["ParameterValue"] for entry in parameters}


@pytest.mark.filterwarnings("ignore:Tried to parse AWS.*not supported by moto:UserWarning")
def test_what_moto_makes_is_what_the_template_says(moto_cloud: MotoCloud) -> None:
    """Names and types of properties that AWS would not know are dropped without a word on the way here."""
    clients, names, manifest = moto_cloud.clients(), loaded("fifo_kms").names, loaded("fifo_kms").manifest
    values = {"Image": f"image@sha256:{'0' * 64}", "VpcId": "vpc-1", "SubnetIds": "subnet-1"}

    clients.cloudformation.create_stack(
        StackName=names.stack,
        TemplateBody=_files("fifo_kms")["template.yml"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )

    url = clients.sqs.get_queue_url(QueueName=names.queue)["QueueUrl"]
    dead = clients.sqs.get_queue_url(QueueName=names.dead_letter_queue)["QueueUrl"]
    queue = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    dead_letters = clients.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    assert {name: queue[name] for name in ("FifoQueue", "ContentBasedDeduplication")} == {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "true",
    }
    assert (queue["MessageRetentionPeriod"], dead_letters["MessageRetentionPeriod"]) == ("1209600", "1209600")
    assert (queue["VisibilityTimeout"], queue["ReceiveMessageWaitTimeSeconds"]) == ("60", "20")
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": dead_letters["QueueArn"],
        "maxReceiveCount": manifest.queue.max_receive_count,
    }
    (service,) = clients.ecs.describe_services(cluster=names.cluster, services=[names.service])["services"]
    assert service["desiredCount"] == 1
