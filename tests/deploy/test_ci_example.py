"""The workflow of the example and its role: no keys, no rights that are not needed, and enough of them to deploy."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.command import PATIENCE_S
from tests.deploy.enforced import actions_of, credentials
from tests.deploy.moto_server import MotoCloud
from tests.deploy.stand_in_engines import StandIns
from tests.processes.harness import clean_environment

from forebay.cli.main import VERBS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "queue-consumer"
WORKFLOW = EXAMPLE / ".github" / "workflows" / "deploy.yml"
ROLE_FILE = EXAMPLE / "deploy-role.yml"
INLINE_POLICY_CHARACTERS_MAX = 10_240


class Template(yaml.SafeLoader):
    """Reads CloudFormation's short tags as what they hold."""


def _held(loader: Template, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    assert isinstance(node, yaml.SequenceNode), suffix
    return loader.construct_sequence(node, deep=True)


Template.add_multi_constructor("!", _held)


def commands(workflow: dict[str, Any], *jobs: str) -> list[str]:
    steps = [step for name, job in workflow["jobs"].items() if name in jobs or not jobs for step in job["steps"]]
    return [line for step in steps for line in step.get("run", "").splitlines()]


# BaseLoader: for YAML 1.1 the key `on` is true.
TOLD: dict[str, Any] = yaml.load(WORKFLOW.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
CHECKS = [command for command in commands(TOLD, "check") if not command.startswith("pip install")]


@pytest.fixture(scope="module")
def role() -> dict[str, Any]:
    template = yaml.load(ROLE_FILE.read_text(encoding="utf-8"), Loader=Template)
    found: dict[str, Any] = template["Resources"]["DeployRole"]
    return found


@pytest.fixture
def workflow() -> dict[str, Any]:
    return TOLD


def test_the_workflow_has_no_rights_but_those_that_a_job_asks_for(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["check"]["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}


def test_the_workflow_stores_no_keys_and_deploys_only_what_was_pushed_and_checked(workflow: dict[str, Any]) -> None:
    deploy = workflow["jobs"]["deploy"]

    assert "secrets." not in WORKFLOW.read_text(encoding="utf-8")
    assert not re.search(r"aws-(access|secret)|AWS_(ACCESS|SECRET)", WORKFLOW.read_text(encoding="utf-8"))
    assert (deploy["needs"], deploy["if"], deploy["environment"]) == ("check", "github.event_name == 'push'", "test")
    assert set(workflow["on"]) == {"pull_request", "push"}


def test_text_from_a_pull_request_stands_in_no_command(workflow: dict[str, Any]) -> None:
    assert [line for line in commands(workflow) if "${{" in line] == []


def test_the_workflows_commands_are_ours(workflow: dict[str, Any]) -> None:
    verbs = re.findall(r"(?<![\w-])forebay ([a-z]+)", "\n".join(commands(workflow)))

    assert verbs == ["doctor", "package", "deploy", "send", "logs"]
    assert set(verbs) <= set(VERBS)


def test_the_role_trusts_one_environment_of_one_repository_and_only_tokens_made_for_aws(role: dict[str, Any]) -> None:
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:${Repository}:environment:${GitHubEnvironment}",
        }
    }


def test_the_role_names_each_action_and_passes_roles_only_to_tasks_and_schedules(role: dict[str, Any]) -> None:
    (policy,) = role["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]

    assert [action for action in actions_of(role) if "*" in action] == []
    wide = {statement["Sid"] for statement in statements if statement["Resource"] == "*"}
    assert wide == {"ScaleTheService", "LookAround"}
    (passing,) = [statement for statement in statements if statement["Action"] == "iam:PassRole"]
    assert passing["Condition"]["StringEquals"]["iam:PassedToService"] == [
        "ecs-tasks.amazonaws.com",
        "scheduler.amazonaws.com",
    ]
    assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) < INLINE_POLICY_CHARACTERS_MAX


@pytest.mark.processes
@pytest.mark.parametrize("command", CHECKS)
def test_what_the_workflow_checks_is_so(tmp_path: Path, command: str) -> None:
    """In a copy, which has no project around it, as a repository of its own."""
    folder = tmp_path / "queue-consumer"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env={**clean_environment(), "PATH": path},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.processes
def test_the_roles_template_is_clean() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", str(ROLE_FILE)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Tried to parse")  # what moto's CloudFormation leaves out
def test_with_the_actions_of_the_role_the_workflows_commands_lack_nothing(
    moto_cloud: MotoCloud, tmp_path: Path, role: dict[str, Any], workflow: dict[str, Any]
) -> None:
    engines = StandIns(tmp_path)
    engines.add("docker")
    actions = actions_of(role)
    # IAM calls the service `cloudwatch`; moto goes by the name of its endpoint.
    of_moto = {action.replace("cloudwatch:", "monitoring:") for action in actions}
    given = credentials(moto_cloud, "ci", actions | of_moto)
    programs = [str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**clean_environment(), **moto_cloud.env, **given, "PATH": os.pathsep.join(programs)}
    moto_cloud.check_permissions()

    (deploy,) = [line for line in commands(workflow) if line.startswith("forebay deploy")]
    (smoke,) = [line for line in commands(workflow) if "forebay send" in line]
    for command in (deploy, deploy, smoke.removeprefix("id=$(").removesuffix(")"), "forebay status --env test"):
        done = subprocess.run(
            shlex.split(command), cwd=EXAMPLE, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip

        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        assert "lacks the permission" not in done.stdout + done.stderr
