"""`forebay delete` against scripted clouds: messages are never lost without a word, and what stays is named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from tests.deploy.scenes import DEPLOYED_BEFORE
from tests.deploy.scripted_aws import STACK_ID, ScriptedKeys, ScriptedQueues, ScriptedStack, Told, of_stack, refused
from tests.deploy.test_deployment import DELETED, MANIFEST, Answers

from forebay.cli.delete import Deletion
from forebay.cli.screen import PlainScreen
from forebay.clock import VirtualClock
from forebay.deploy.deploying import Deployments
from forebay.deploy.manifest.loading import load
from forebay.deploy.template.build import build
from forebay.errors import DeployError

QUEUE, DEAD = "thumbnails-test", "thumbnails-test-dead"
KMS = MANIFEST + "queue:\n  encryption: kms\n"


class Account:
    """An account with the deployed service, its queues and keys."""

    def __init__(
        self, folder: Path, queues: dict[str, list[int]], *, manifest: str = MANIFEST,
        script: tuple[Told, ...] = DELETED, past: list[Told] | None = None, interrupted_at_s: float | None = None,
    ) -> None:  # fmt: skip
        (folder / "forebay.yml").write_text(manifest)
        self.loaded = load(folder / "forebay.yml")
        past = list(DEPLOYED_BEFORE if past is None else past)
        template = build(self.loaded.manifest, self.loaded.names)
        self.stack = ScriptedStack(
            VirtualClock(), past=past, script=script, template=template, exists=bool(past),
            interrupted_at_s=interrupted_at_s,
        )  # fmt: skip
        self.sqs = ScriptedQueues(queues)
        self.kms = ScriptedKeys()

    def delete(self, answers: Answers | None = None, *, with_queues: bool = False) -> None:
        clients = cast("Any", SimpleNamespace(cloudformation=self.stack, sqs=self.sqs, kms=self.kms))
        deployments = Deployments(self.loaded, clients, clock=self.stack.clock, pause=self.stack.pause)
        deletion = Deletion(self.loaded, clients, deployments, PlainScreen(), answers or Answers(True))
        deletion.run(with_queues=with_queues, with_images=False)


def test_queues_that_were_empty_before_and_after_go_with_the_stack(tmp_path: Path) -> None:
    account = Account(tmp_path, {QUEUE: [0], DEAD: [0]})

    account.delete()

    assert account.stack.deleted == [STACK_ID]
    assert account.sqs.messages == {}


def test_a_queue_that_holds_messages_stays_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(tmp_path, {QUEUE: [0], DEAD: [3]})

    account.delete()

    told = capsys.readouterr().out
    assert account.sqs.messages == {DEAD: [3]}
    assert "  ! queue thumbnails-test-dead holds 3 messages: it stays" in told
    assert "Queue thumbnails-test-dead stays (3 messages): https://sqs/thumbnails-test-dead" in told
    assert "`forebay delete --env test --queues` deletes queues that stay" in told


def test_messages_that_came_while_the_stack_was_deleted_keep_their_queue(tmp_path: Path) -> None:
    account = Account(tmp_path, {QUEUE: [0, 2], DEAD: [0]})

    account.delete()

    assert account.sqs.messages == {QUEUE: [2]}


def test_messages_that_were_there_before_keep_their_queue_even_if_it_looks_empty_after(tmp_path: Path) -> None:
    """The counts are approximate: only two empty looks are believed."""
    account = Account(tmp_path, {QUEUE: [2, 0], DEAD: [0]})

    account.delete()

    assert account.sqs.messages == {QUEUE: [0]}


def test_queues_go_with_their_messages_when_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(tmp_path, {QUEUE: [5], DEAD: [1]})

    account.delete(with_queues=True)

    assert account.sqs.messages == {}
    assert "  ! queue thumbnails-test holds 5 messages: they are lost" in capsys.readouterr().out


def test_a_key_goes_in_thirty_days_after_the_last_queue_that_it_encrypts(tmp_path: Path) -> None:
    account = Account(tmp_path, {QUEUE: [0], DEAD: [0]}, manifest=KMS)

    account.delete()

    assert account.kms.going == [("QueueKey-1", 30)]


def test_a_key_stays_as_long_as_a_queue_does(tmp_path: Path) -> None:
    account = Account(tmp_path, {QUEUE: [0], DEAD: [1]}, manifest=KMS)

    account.delete()

    assert account.kms.going == []


def test_nothing_goes_unless_the_name_is_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(tmp_path, {QUEUE: [0], DEAD: [0]})
    answers = Answers(False)

    with pytest.raises(typer.Exit) as left:
        account.delete(answers)

    assert left.value.exit_code == 1
    assert answers.asked == ["Type thumbnails-test to go on: thumbnails-test"]
    assert "Nothing was deleted." in capsys.readouterr().out
    assert (account.stack.deleted, len(account.sqs.messages)) == ([], 2)


def test_a_deletion_that_fails_is_told_with_its_reason_and_the_queues_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        of_stack(0.1, "DELETE_IN_PROGRESS", "User Initiated"),
        Told(1.0, "SecurityGroup", "DELETE_IN_PROGRESS", kind="AWS::EC2::SecurityGroup"),
        Told(9.0, "SecurityGroup", "DELETE_FAILED", "has a dependent object", kind="AWS::EC2::SecurityGroup"),
        of_stack(10.0, "DELETE_FAILED", "The following resource(s) failed to delete: [SecurityGroup]."),
    )
    account = Account(tmp_path, {QUEUE: [0], DEAD: [0]}, script=script)

    with pytest.raises(DeployError, match=r"could not be deleted.*mend what stands above, and run the command again"):
        account.delete()

    assert "delete failed: has a dependent object" in capsys.readouterr().out
    assert len(account.sqs.messages) == 2


def test_ctrl_c_leaves_the_deletion_to_aws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(tmp_path, {QUEUE: [0], DEAD: [0]}, interrupted_at_s=1.0)

    with pytest.raises(typer.Exit) as left:
        account.delete()

    assert left.value.exit_code == 130
    assert "The deletion goes on in AWS. `forebay delete --env test` comes back to it" in capsys.readouterr().out


def test_a_deletion_that_goes_on_is_followed(tmp_path: Path) -> None:
    account = Account(tmp_path, {QUEUE: [0], DEAD: [0]})
    account.stack.start()
    account.stack.clock.advance(1.0)

    account.delete()

    assert account.stack.deleted == []
    assert account.sqs.messages == {}


def test_a_stack_that_is_being_deployed_is_not_deleted(tmp_path: Path) -> None:
    account = Account(tmp_path, {}, past=[of_stack(-1.0, "UPDATE_IN_PROGRESS")])
    answers = Answers(True)

    with pytest.raises(DeployError, match=r"is being worked on \(UPDATE_IN_PROGRESS\): delete it when .* has ended"):
        account.delete(answers)

    assert answers.asked == []
    assert account.stack.deleted == []


def test_a_deletion_that_cannot_be_followed_any_more_says_how_to_come_back(tmp_path: Path) -> None:
    account = Account(tmp_path, {})
    expired = refused("ExpiredToken", "DescribeStacks", "The security token has expired")
    account.stack.planned["DescribeStacks"] = [None, expired]

    with pytest.raises(DeployError, match=r"have expired.*`forebay delete --env test` comes back to it"):
        account.delete()


def test_where_nothing_is_nothing_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(tmp_path, {}, past=[])
    answers = Answers()

    account.delete(answers)

    assert answers.asked == []
    assert "There is no stack thumbnails-test" in capsys.readouterr().out


def test_an_empty_queue_without_a_stack_goes_only_when_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account = Account(tmp_path, {QUEUE: [0]}, past=[])

    account.delete()
    kept = dict(account.sqs.messages)
    account.delete(with_queues=True)

    assert kept == {QUEUE: [0]}
    assert account.sqs.messages == {}
    assert "  ! queue thumbnails-test holds no messages: it stays" in capsys.readouterr().out
