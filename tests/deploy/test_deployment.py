"""`forebay deploy` against scripted clouds: what it asks, what it starts, what it leaves, and how it says so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from tests.deploy.scenes import DEPLOYED_BEFORE, FAILED, FIRST, ROLLING, UPDATE, failing_logs
from tests.deploy.scripted_aws import (
    STACK_ID,
    ScriptedKeys,
    ScriptedQueues,
    ScriptedService,
    ScriptedStack,
    Told,
    of_stack,
)

from forebay.cli.deployment import Deployment
from forebay.cli.screen import PlainScreen
from forebay.cli.wanted_image import WantedImage
from forebay.clock import VirtualClock
from forebay.deploy.deploying import Deployments
from forebay.deploy.manifest.loading import Loaded, load
from forebay.deploy.template.reading import read
from forebay.errors import DeployError

IMAGE = "repo/thumbnails@sha256:" + "0" * 64
MANIFEST = """\
name: thumbnails
network:
  type: existing
  vpc: vpc-1
  subnets: [subnet-1]
"""

ADDED = {
    "Changes": [{"ResourceChange": {"LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue", "Action": "Add"}}]
}
REPLACED = {
    "Changes": [
        {
            "ResourceChange": {
                "LogicalResourceId": "Queue",
                "ResourceType": "AWS::SQS::Queue",
                "Action": "Modify",
                "Replacement": "True",
                "Details": [
                    {"Target": {"Attribute": "Properties", "Name": "QueueName", "RequiresRecreation": "Always"}}
                ],
            }
        }
    ]
}
CHANGED = {
    "Changes": [
        {
            "ResourceChange": {
                "LogicalResourceId": "Queue",
                "ResourceType": "AWS::SQS::Queue",
                "Action": "Modify",
                "Replacement": "False",
                "Details": [{"Target": {"Attribute": "Properties", "Name": "KmsMasterKeyId"}}],
            }
        }
    ]
}
OUR_KEY = "Encrypts the queues of thumbnails-test"
IMPORTED = (
    of_stack(0.1, "IMPORT_IN_PROGRESS", "User Initiated"),
    Told(1.0, "Queue", "IMPORT_IN_PROGRESS"),
    Told(2.0, "Queue", "IMPORT_COMPLETE"),
    of_stack(3.0, "IMPORT_COMPLETE"),
)
DELETED = (
    of_stack(0.1, "DELETE_IN_PROGRESS", "User Initiated"),
    of_stack(3.0, "DELETE_COMPLETE"),
)


class Answers:
    """Somebody who has made up their mind."""

    def __init__(self, *answers: bool) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    @property
    def can_answer(self) -> bool:
        return bool(self._answers)

    def confirmed(self, question: str) -> bool:
        self.asked.append(question)
        return self._answers.pop(0)

    def typed(self, question: str, word: str) -> bool:
        return self.confirmed(f"{question} {word}")


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "forebay.yml").write_text(MANIFEST)
    return load(tmp_path / "forebay.yml")


def deploy(
    loaded: Loaded, stack: ScriptedStack, answers: Answers | None = None, *, service: ScriptedService | None = None,
    queues: ScriptedQueues | None = None, keys: ScriptedKeys | None = None, shows_difference: bool = False,
    waits: bool = True,
) -> None:  # fmt: skip
    service = service or ScriptedService(stack.clock)
    sqs, kms = queues or ScriptedQueues(), keys or ScriptedKeys()
    logs = failing_logs(stack.clock)
    clients = cast("Any", SimpleNamespace(cloudformation=stack, ecs=service, ecr=None, sqs=sqs, kms=kms, logs=logs))
    deployments = Deployments(loaded, clients, clock=stack.clock, pause=stack.pause)
    run = Deployment(loaded, clients, deployments, PlainScreen(), answers or Answers())
    run.run(image=WantedImage(named=IMAGE), shows_difference=shows_difference, waits=waits)


def cloud(
    script: tuple[Told, ...], *pages: dict[str, Any], past: list[Told] | None = None, **more: Any
) -> ScriptedStack:
    return ScriptedStack(
        VirtualClock(), past=list(past or []), script=script, exists=bool(past), change_set_pages=list(pages), **more
    )


def test_a_first_deployment_ends_with_outputs_and_what_to_do_next(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = cloud(FIRST, ADDED, outputs={"QueueUrl": "https://sqs/thumbnails-test"})

    deploy(loaded, stack)

    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Stack thumbnails-test in account 123456789012, eu-central-1"
    assert told[-6:] == [
        "✔ Deployed service thumbnails in environment test",
        "  QueueUrl             https://sqs/thumbnails-test",
        "Next:",
        "  forebay send 10000 --queue https://sqs/thumbnails-test",
        "  forebay status",
        "  forebay logs --follow",
    ]
    assert stack.created[0]["ChangeSetType"] == "CREATE"
    assert {"ParameterKey": "Image", "ParameterValue": IMAGE} in stack.created[0]["Parameters"]
    assert {"Key": "forebay:service", "Value": "thumbnails"} in stack.created[0]["Tags"]


def test_an_update_shows_the_rolling_deployment(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    stack = cloud(UPDATE, ADDED, past=DEPLOYED_BEFORE)

    deploy(loaded, stack, service=ScriptedService(stack.clock, ROLLING))

    assert "      ACTIVE   1         [completed]    2        2        0       0" in capsys.readouterr().out.splitlines()
    assert stack.created[0]["ChangeSetType"] == "UPDATE"


def test_no_change_is_a_success_and_nothing_is_started(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    stack = cloud(UPDATE, nothing, past=DEPLOYED_BEFORE)

    deploy(loaded, stack)

    assert "nothing to change" in capsys.readouterr().out
    assert "ExecuteChangeSet" not in stack.calls


def test_replacing_a_queue_is_shown_and_asked_for_and_no_leaves_everything_as_it_was(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = cloud(UPDATE, REPLACED, past=DEPLOYED_BEFORE)
    answers = Answers(False)

    with pytest.raises(typer.Exit) as left:
        deploy(loaded, stack, answers)

    told = capsys.readouterr().out
    assert left.value.exit_code == 1
    assert answers.asked == ["Go on, and lose what is named above?"]
    assert "REPLACED: The queue that your jobs wait in [QueueName]" in told
    assert "messages in it do not move to the new one" in told
    assert "Nothing was changed." in told
    assert stack.deleted == ["arn:change-set"]
    assert "ExecuteChangeSet" not in stack.calls


def test_replacing_a_queue_is_done_when_it_was_agreed_to(loaded: Loaded) -> None:
    stack = cloud(UPDATE, REPLACED, past=DEPLOYED_BEFORE)

    deploy(loaded, stack, Answers(True))

    assert "ExecuteChangeSet" in stack.calls


def test_the_difference_is_shown_and_asked_for(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    stack = cloud(FIRST, ADDED)
    answers = Answers(False)

    with pytest.raises(typer.Exit):
        deploy(loaded, stack, answers, shows_difference=True)

    told = capsys.readouterr().out
    assert answers.asked == ["Deploy these changes?"]
    assert "  + The queue that your jobs wait in" in told
    assert "+++ manifest" in told
    assert stack.deleted == ["arn:change-set", STACK_ID]


def test_who_does_not_wait_is_told_how_to_come_back(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    stack = cloud(FIRST, ADDED)

    deploy(loaded, stack, waits=False)

    assert "has begun; `forebay deploy --env test` follows it" in capsys.readouterr().out
    assert "ExecuteChangeSet" in stack.calls
    assert stack.clock.now() == 0.0


def test_ctrl_c_leaves_a_deployment_that_has_begun_and_says_how_to_come_back(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = cloud(FIRST, ADDED, interrupted_at_s=20.0)

    with pytest.raises(typer.Exit) as left:
        deploy(loaded, stack)

    assert left.value.exit_code == 130
    assert "The deployment goes on in AWS. `forebay deploy --env test` comes back to it" in capsys.readouterr().out
    assert stack.deleted == []


def test_ctrl_c_before_anything_has_begun_leaves_no_trace(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    stack = cloud(FIRST, ADDED, change_set_looks=5, interrupted_at_s=2.0)

    with pytest.raises(typer.Exit) as left:
        deploy(loaded, stack)

    assert left.value.exit_code == 130
    assert "Nothing was changed." in capsys.readouterr().out
    assert stack.deleted == ["arn:change-set", STACK_ID]


def test_a_failed_first_deployment_is_a_failure_with_its_reason(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = cloud(FAILED, ADDED)

    with pytest.raises(DeployError, match=r"failed \(rollback complete\), and what it had made is gone again"):
        deploy(loaded, stack)

    assert "ECS Deployment Circuit Breaker was triggered" in capsys.readouterr().out
    assert stack.deleted == []  # There was nobody to ask.


def test_what_a_failed_first_deployment_left_is_deleted_when_somebody_says_so(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    left_over = [of_stack(-9.0, "CREATE_IN_PROGRESS", "User Initiated"), of_stack(-1.0, "ROLLBACK_COMPLETE")]
    stack = cloud(DELETED, ADDED, past=left_over, later=[FIRST])
    answers = Answers(True)

    deploy(loaded, stack, answers)

    assert answers.asked == [
        "Stack thumbnails-test holds nothing but the record of a failed first deployment. Delete it?"
    ]
    assert stack.deleted == [STACK_ID]
    assert stack.created[0]["ChangeSetType"] == "CREATE"
    assert "✔ Deployed service thumbnails" in capsys.readouterr().out


def test_a_failed_first_deployment_is_cleaned_up_at_once_when_somebody_says_so(loaded: Loaded) -> None:
    stack = cloud(FAILED, ADDED, later=[DELETED])

    with pytest.raises(DeployError, match="what it had made is gone again"):
        deploy(loaded, stack, Answers(True))

    assert stack.deleted == [STACK_ID]


def test_a_left_over_that_nobody_wants_deleted_stands_in_the_way(loaded: Loaded) -> None:
    stack = cloud((), past=[of_stack(-1.0, "ROLLBACK_COMPLETE")])

    with pytest.raises(DeployError, match="must be deleted before the next deployment"):
        deploy(loaded, stack, Answers(False))

    assert stack.deleted == []


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("UPDATE_ROLLBACK_COMPLETE", "what ran before runs again"),
        ("UPDATE_ROLLBACK_FAILED", "`forebay deploy --env test` says what to do"),
    ],
)
def test_a_failed_update_says_what_runs_now(loaded: Loaded, end: str, words: str) -> None:
    script = (
        of_stack(0.5, "UPDATE_IN_PROGRESS", "User Initiated"),
        of_stack(9.0, "UPDATE_ROLLBACK_IN_PROGRESS"),
        of_stack(20.0, end),
    )
    stack = cloud(script, ADDED, past=DEPLOYED_BEFORE)

    with pytest.raises(DeployError, match=words):
        deploy(loaded, stack)


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_broken_stack_is_refused_before_an_image_is_looked_at(loaded: Loaded, status: str) -> None:
    stack = cloud((), past=[of_stack(-1.0, status, "role gone")])

    with pytest.raises(DeployError, match="role gone"):
        deploy(loaded, stack)

    assert "CreateChangeSet" not in stack.calls


def test_a_stack_of_somebody_else_is_never_touched(loaded: Loaded) -> None:
    stack = cloud((), past=[of_stack(-1.0, "CREATE_COMPLETE")], tags={"team": "other"})

    with pytest.raises(DeployError, match="there is a stack thumbnails-test already, and it is not Forebay's"):
        deploy(loaded, stack)

    assert set(stack.calls) == {"DescribeStacks", "GetTemplateSummary"}


def test_a_stack_that_was_ejected_and_deployed_by_other_means_can_be_taken_back(loaded: Loaded) -> None:
    metadata = '{"forebay":{"service":"thumbnails","environment":"test"}}'
    stack = cloud(UPDATE, ADDED, past=DEPLOYED_BEFORE, tags={}, template_metadata=metadata)

    deploy(loaded, stack)

    assert "ExecuteChangeSet" in stack.calls


def test_an_empty_stack_of_an_earlier_attempt_is_started_from(loaded: Loaded) -> None:
    stack = cloud(FIRST, ADDED, past=[of_stack(-9.0, "REVIEW_IN_PROGRESS")], tags={})

    deploy(loaded, stack)

    assert stack.created[0]["ChangeSetType"] == "CREATE"


def test_queues_that_an_earlier_deployment_left_are_taken_into_the_new_stack_with_their_messages(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = cloud(IMPORTED, ADDED, later=[UPDATE])
    answers = Answers(True)

    deploy(loaded, stack, answers, queues=ScriptedQueues({"thumbnails-test": [7]}))

    assert answers.asked == [
        "An earlier deployment has left thumbnails-test (7 messages). Take that into the new stack?"
    ]
    of_import, of_update = stack.created
    assert of_import["ChangeSetType"] == "IMPORT"
    assert of_import["ResourcesToImport"] == [
        {
            "LogicalResourceId": "Queue",
            "ResourceType": "AWS::SQS::Queue",
            "ResourceIdentifier": {"QueueUrl": "https://sqs/thumbnails-test"},
        }
    ]
    assert read(of_import["TemplateBody"])["Resources"] == {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Metadata": {"forebay:description": "The queue that your jobs wait in"},
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"QueueName": "thumbnails-test"},
        }
    }
    assert of_update["ChangeSetType"] == "UPDATE"
    assert set(read(of_update["TemplateBody"])["Resources"]) > {"Queue", "DeadLetterQueue", "Service"}
    assert "✔ Deployed service thumbnails" in capsys.readouterr().out


def test_a_key_comes_with_the_queues_that_it_encrypts(tmp_path: Path) -> None:
    (tmp_path / "forebay.yml").write_text(MANIFEST + "queue:\n  encryption: kms\n")
    stack = cloud(IMPORTED, ADDED, later=[UPDATE])
    queues = ScriptedQueues({"thumbnails-test": [0], "thumbnails-test-dead": [1]}, key="arn:aws:kms:eu:1:key/abc-1")

    deploy(load(tmp_path / "forebay.yml"), stack, Answers(True), queues=queues, keys=ScriptedKeys(description=OUR_KEY))

    taken = stack.created[0]["ResourcesToImport"]
    assert [one["LogicalResourceId"] for one in taken] == ["Queue", "DeadLetterQueue", "QueueKey"]
    assert taken[2]["ResourceIdentifier"] == {"KeyId": "abc-1"}
    imported = read(stack.created[0]["TemplateBody"])["Resources"]["Queue"]["Properties"]
    assert "KmsMasterKeyId" not in imported, "it stays the same"


@pytest.mark.parametrize("key", ["arn:aws:kms:eu:1:key/abc-1", "alias/aws/sqs", "arn:aws:kms:eu:1:alias/theirs"])
def test_a_key_of_somebody_else_is_left_alone(tmp_path: Path, key: str) -> None:
    """An import would put our policy in the place of theirs."""
    (tmp_path / "forebay.yml").write_text(MANIFEST + "queue:\n  encryption: kms\n")
    stack = cloud(IMPORTED, ADDED, later=[UPDATE])
    queues = ScriptedQueues({"thumbnails-test": [1]}, key=key)

    deploy(
        load(tmp_path / "forebay.yml"), stack, Answers(True), queues=queues, keys=ScriptedKeys(description="Payments")
    )

    assert [one["LogicalResourceId"] for one in stack.created[0]["ResourcesToImport"]] == ["Queue"]
    imported = read(stack.created[0]["TemplateBody"])["Resources"]["Queue"]["Properties"]
    assert imported["KmsMasterKeyId"] == key, "so that the update after it is seen to take the key away"


def test_a_key_that_is_to_be_deleted_is_called_back_first(tmp_path: Path) -> None:
    (tmp_path / "forebay.yml").write_text(MANIFEST + "queue:\n  encryption: kms\n")
    stack = cloud(IMPORTED, ADDED)
    queues = ScriptedQueues({"thumbnails-test": [1]}, key="arn:aws:kms:eu:1:key/abc-1")

    with pytest.raises(DeployError, match="aws kms cancel-key-deletion --key-id abc-1"):
        deploy(
            load(tmp_path / "forebay.yml"), stack, Answers(True), queues=queues,
            keys=ScriptedKeys(description=OUR_KEY, state="PendingDeletion"),
        )  # fmt: skip

    assert stack.created == []


def test_messages_that_stay_encrypted_with_a_key_that_goes_are_asked_about(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"KmsMasterKeyId": "arn:old"}}}}
    stack = cloud(UPDATE, CHANGED, past=DEPLOYED_BEFORE, template=before)
    answers = Answers(False)

    with pytest.raises(typer.Exit):
        deploy(loaded, stack, answers)

    assert answers.asked == ["Go on, and lose what is named above?"]
    assert "what waits in it stays encrypted with the old key" in capsys.readouterr().out


def test_a_key_for_a_queue_that_had_none_locks_nothing_away(loaded: Loaded) -> None:
    before = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"SqsManagedSseEnabled": True}}}}
    answers = Answers()

    deploy(loaded, cloud(UPDATE, CHANGED, past=DEPLOYED_BEFORE, template=before), answers)

    assert answers.asked == []


def test_left_over_queues_that_nobody_wants_to_take_in_stand_in_the_way(loaded: Loaded) -> None:
    stack = cloud(IMPORTED)

    with pytest.raises(DeployError, match=r"the names are taken by thumbnails-test \(7 messages\): `forebay delete"):
        deploy(loaded, stack, Answers(False), queues=ScriptedQueues({"thumbnails-test": [7]}))

    assert stack.created == []
