"""The queues, task definition and service of each template as the calls that CloudFormation makes of them.

Moto makes stacks without most of these properties, and says nothing. The SDK's own model of each operation knows every
name, type, bound and word that AWS takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from tests.deploy.golden import NAMES, loaded, template
from tests.deploy.moto_server import ACCOUNT, REGION, MotoCloud

from forebay.deploy.template import contract
from forebay.deploy.template.resolving import Account, resolved

WITH_KEYS_OF_THEIR_OWN = ("Options",)
"""Properties whose keys are data."""

ECS = boto3.client("ecs", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test").meta.service_model
SQS = boto3.client("sqs", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test").meta.service_model

NO_ATTRIBUTES = {"QueueName"}


def as_called(written: Any) -> Any:
    """Return what CloudFormation calls ECS with: the same names, beginning with a small letter."""
    match written:
        case dict():
            return {
                key[0].lower() + key[1:]: value if key in WITH_KEYS_OF_THEIR_OWN else as_called(value)
                for key, value in written.items()
            }
        case list():
            return [as_called(item) for item in written]
        case _:
            return written


def properties(name: str, logical_id: str) -> dict[str, Any]:
    parameters = {"Image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/a@sha256:{'0' * 64}"}
    found = dict(resolved(template(name), Account(REGION, ACCOUNT), parameters)[logical_id].properties)
    configuration = found.get("NetworkConfiguration", {}).get("AwsvpcConfiguration", {})
    if isinstance(configuration.get("Subnets"), str):  # The list that is a parameter.
        configuration["Subnets"] = ["subnet-1"]
    return found


def unknown_words(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Every text that is none of the words that its shape allows."""
    if shape.type_name == "structure":
        for key, one in value.items():
            yield from unknown_words(shape.members[key], one, f"{path}.{key}")
    elif shape.type_name == "list":
        for one in value:
            yield from unknown_words(shape.member, one, path)
    elif shape.type_name == "map":
        for key, one in value.items():
            yield from unknown_words(shape.key, key, path)
            yield from unknown_words(shape.value, one, f"{path}.{key}")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}={value}"


def complaints(operation: Any, called: dict[str, Any]) -> str:
    """Return what the SDK has against a call; empty when nothing."""
    report = ParamValidator().validate(called, operation.input_shape)
    return report.generate_report() or ", ".join(unknown_words(operation.input_shape, called))


@pytest.mark.parametrize("name", NAMES)
def test_the_task_definition_is_one_that_ecs_knows(name: str) -> None:
    called = as_called(properties(name, contract.TASK_DEFINITION))

    assert complaints(ECS.operation_model("RegisterTaskDefinition"), called) == ""


@pytest.mark.parametrize("name", NAMES)
def test_the_service_is_one_that_ecs_knows(name: str) -> None:
    called = as_called(properties(name, contract.SERVICE))

    assert complaints(ECS.operation_model("CreateService"), called) == ""


@pytest.mark.parametrize("queue", [contract.QUEUE, contract.DEAD_LETTER_QUEUE])
@pytest.mark.parametrize("name", NAMES)
def test_the_queues_attributes_are_ones_that_sqs_knows(name: str, queue: str) -> None:
    asked = properties(name, queue)
    attributes = {key: str(value) for key, value in asked.items() if key not in NO_ATTRIBUTES}

    called = {"QueueName": asked["QueueName"], "Attributes": attributes}

    assert complaints(SQS.operation_model("CreateQueue"), called) == ""


def test_a_property_a_type_and_a_word_that_are_none_are_found() -> None:
    operation = ECS.operation_model("CreateService")
    called = as_called(properties("tiny", contract.SERVICE))

    assert "stopTimeout" in complaints(operation, {**called, "stopTimeout": 3})
    assert "desiredCount" in complaints(operation, {**called, "desiredCount": "3"})
    assert complaints(operation, {**called, "propagateTags": "SOMEWHERE"}) == ".propagateTags=SOMEWHERE"


@pytest.mark.parametrize("name", NAMES)
def test_ecs_gives_the_task_definition_back_as_it_was_given(moto_cloud: MotoCloud, name: str) -> None:
    called = as_called(properties(name, contract.TASK_DEFINITION))

    taken = moto_cloud.clients().ecs.register_task_definition(**called)["taskDefinition"]

    (container,), asked = taken["containerDefinitions"], loaded(name).manifest
    assert (taken["cpu"], taken["memory"]) == (str(asked.cpu), str(asked.memory))
    assert taken["requiresCompatibilities"] == ["FARGATE"]
    assert (container["user"], container["stopTimeout"]) == ("10001:10001", int(asked.stop_timeout))
    assert container["readonlyRootFilesystem"] is not asked.exec
    assert container["linuxParameters"] == {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
    assert container["logConfiguration"]["options"]["mode"] == asked.logs.mode
    assert {secret["name"] for secret in container.get("secrets", ())} == set(asked.secrets)
