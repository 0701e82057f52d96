"""`forebay deploy` while somebody else deploys, and what a deployment leaves that is refused before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.deploy.scenes import DEPLOYED_BEFORE, FIRST, UPDATE
from tests.deploy.scripted_aws import STACK_ID, of_stack, refused
from tests.deploy.test_deployment import ADDED, CHANGED, MANIFEST, cloud, deploy

from forebay.deploy.manifest.loading import Loaded, load
from forebay.errors import DeployError

NOTHING = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "forebay.yml").write_text(MANIFEST)
    return load(tmp_path / "forebay.yml")


def test_a_deployment_that_goes_on_is_followed_to_its_end(loaded: Loaded, capsys: pytest.CaptureFixture[str]) -> None:
    """Coming back after Ctrl-C: the whole operation is told again, nothing before it, and nothing else is started."""
    stack = cloud(UPDATE, NOTHING, past=DEPLOYED_BEFORE)
    stack.start()
    stack.clock.advance(50.0)

    deploy(loaded, stack)

    told = capsys.readouterr().out
    assert told.startswith("Stack thumbnails-test is being worked on; this follows it, and deploys what is here then.")
    assert "[update complete]" in told
    assert "[create complete]" not in told
    assert "✔ service thumbnails in environment test is up to date: nothing to change" in told
    assert "ExecuteChangeSet" not in stack.calls


def test_what_is_here_is_deployed_after_what_somebody_else_had_begun(
    loaded: Loaded, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two commits right after one another: the second pipeline is green only when its own image is deployed."""
    stack = cloud(UPDATE, CHANGED, past=DEPLOYED_BEFORE, later=[UPDATE])
    stack.start()
    stack.clock.advance(50.0)

    deploy(loaded, stack)

    assert stack.calls.count("ExecuteChangeSet") == 1
    assert "✔ Deployed service thumbnails in environment test" in capsys.readouterr().out


def test_what_somebody_else_had_begun_and_failed_is_a_failure(loaded: Loaded) -> None:
    failed = (of_stack(0.1, "UPDATE_IN_PROGRESS", "User Initiated"), of_stack(9.0, "UPDATE_ROLLBACK_COMPLETE"))
    stack = cloud(failed, past=DEPLOYED_BEFORE)
    stack.start()
    stack.clock.advance(1.0)

    with pytest.raises(DeployError, match="what ran before runs again"):
        deploy(loaded, stack)

    assert "CreateChangeSet" not in stack.calls


def test_who_does_not_wait_is_refused_while_somebody_works_on_the_stack(loaded: Loaded) -> None:
    stack = cloud(UPDATE, past=DEPLOYED_BEFORE)
    stack.start()
    stack.clock.advance(50.0)

    with pytest.raises(DeployError, match=r"is being worked on .*: `forebay deploy --env test` waits for it"):
        deploy(loaded, stack, waits=False)

    assert stack.clock.now() == 50.0


@pytest.mark.parametrize("call", ["DescribeChangeSet", "ExecuteChangeSet"])
def test_a_first_deployment_that_is_refused_leaves_no_trace(loaded: Loaded, call: str) -> None:
    stack = cloud(FIRST, ADDED)
    message = f"User: arn:ci is not authorized to perform: cloudformation:{call} on resource: arn:x"
    stack.planned[call] = [refused("AccessDenied", call, message)]

    with pytest.raises(DeployError, match=f"arn:ci lacks the permission cloudformation:{call}"):
        deploy(loaded, stack)

    assert stack.deleted == ["arn:change-set", STACK_ID]


def test_a_proposal_that_cannot_be_discarded_does_not_hide_why_it_had_to_be(loaded: Loaded) -> None:
    stack = cloud(FIRST, {"Status": "FAILED", "StatusReason": "Transform failed"})
    stack.planned["DeleteChangeSet"] = [refused("AccessDenied", "DeleteChangeSet", "no")]

    with pytest.raises(DeployError, match=r"CloudFormation refuses the template .*: Transform failed"):
        deploy(loaded, stack)


def test_a_call_that_changes_something_may_be_repeated_when_its_answer_is_lost(loaded: Loaded) -> None:
    stack = cloud(FIRST, ADDED)

    deploy(loaded, stack)

    assert stack.created[0]["ClientToken"] == stack.created[0]["ChangeSetName"]
    assert stack.executed[0]["ClientRequestToken"] == "arn:change-set"
