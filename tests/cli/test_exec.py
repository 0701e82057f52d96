"""`forebay exec`: what must be there, and what AWS's plugin is given. The plugin is a program of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import Ran, run
from tests.cli.live_shop import TASK_ID, TOKEN, a_live_shop, a_plugin, serve_shop
from tests.deploy.scripted_endpoint import ScriptedAws, a_task, serve_tasks

pytestmark = pytest.mark.processes

OTHER = "1ba654fcccf76c1635d7c5cc04328bed"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[ScriptedAws]:
    (tmp_path / "forebay.yml").write_text("name: shop\nexec: true\n")
    with a_live_shop() as aws:
        yield aws


def execute(aws: ScriptedAws, folder: Path, *arguments: str, plugin: Path | None = None) -> Ran:
    path = "/usr/bin:/bin" if plugin is None else f"{plugin}:/usr/bin:/bin"
    return run("exec", *arguments, cwd=folder, env={**aws.env, "PATH": path})


def test_the_plugin_gets_the_session_by_its_environment_where_nobody_else_can_read_it(
    aws: ScriptedAws, tmp_path: Path
) -> None:
    ran = execute(aws, tmp_path, plugin=a_plugin(tmp_path))

    assert ran.status == 0, ran.err
    *arguments, environment = ran.out.splitlines()
    assert arguments == [
        "argument AWS_SSM_START_SESSION_RESPONSE",
        "argument eu-central-1",
        "argument StartSession",
        "argument ",
        f'argument {{"Target": "ecs:shop-test_{TASK_ID}_{TASK_ID}-1"}}',
        f"argument {aws.endpoint}",
    ]
    assert json.loads(environment.removeprefix("environment "))["tokenValue"] == TOKEN
    assert TOKEN not in ran.err


def test_an_old_plugin_gets_the_session_as_the_aws_cli_gives_it(aws: ScriptedAws, tmp_path: Path) -> None:
    ran = execute(aws, tmp_path, plugin=a_plugin(tmp_path, version="1.2.463.0"))

    first, *_, environment = ran.out.splitlines()
    assert json.loads(first.removeprefix("argument "))["tokenValue"] == TOKEN
    assert environment == "environment "


def test_each_word_of_the_command_arrives_as_given(aws: ScriptedAws, tmp_path: Path) -> None:
    execute(aws, tmp_path, "--", "python", "-c", "print('a b'); exit()", plugin=a_plugin(tmp_path))

    [asked] = aws.asked("ExecuteCommand")
    assert asked == {
        "cluster": "shop-test",
        "task": TASK_ID,
        "container": "worker",
        "interactive": True,
        "command": """python -c 'print('"'"'a b'"'"'); exit()'""",
    }


def test_a_shell_is_what_one_gets_without_a_command(aws: ScriptedAws, tmp_path: Path) -> None:
    execute(aws, tmp_path, plugin=a_plugin(tmp_path))

    assert aws.asked("ExecuteCommand")[0]["command"] == "/bin/sh"


def test_the_exit_status_is_the_plugin_s(aws: ScriptedAws, tmp_path: Path) -> None:
    assert execute(aws, tmp_path, plugin=a_plugin(tmp_path, status=7)).status == 7


def test_without_the_plugin_no_session_is_opened_and_its_page_is_named(aws: ScriptedAws, tmp_path: Path) -> None:
    ran = execute(aws, tmp_path)

    assert ran.status == 1
    assert "session-manager-plugin is not on the PATH" in ran.err
    assert "https://docs.aws.amazon.com/" in ran.err
    assert not aws.asked("ExecuteCommand")


def test_where_exec_is_off_the_way_to_it_and_its_price_are_told(aws: ScriptedAws, tmp_path: Path) -> None:
    serve_shop(aws, has_exec=False)

    ran = execute(aws, tmp_path, plugin=a_plugin(tmp_path))

    assert ran.status == 1
    assert "set `exec: true` in forebay.yml and deploy" in ran.err
    assert "writable" in ran.err
    assert "four permissions" in ran.err


def test_a_task_that_is_older_than_exec_is_told_from_a_service_without_it(aws: ScriptedAws, tmp_path: Path) -> None:
    serve_tasks(aws, a_task(TASK_ID))

    ran = execute(aws, tmp_path, plugin=a_plugin(tmp_path))

    assert ran.status == 1
    assert "task 0506b170 was started before ECS Exec was on" in ran.err


def test_the_newest_task_is_taken_unless_one_is_named(aws: ScriptedAws, tmp_path: Path) -> None:
    newest = a_task(OTHER, enableExecuteCommand=True, startedAt=1_795_000_500)
    serve_tasks(aws, a_task(TASK_ID, enableExecuteCommand=True), newest)

    execute(aws, tmp_path, plugin=a_plugin(tmp_path))
    execute(aws, tmp_path, "--task", TASK_ID[:4], plugin=a_plugin(tmp_path))
    unknown = execute(aws, tmp_path, "--task", "ffff", plugin=a_plugin(tmp_path))

    assert [asked["task"] for asked in aws.asked("ExecuteCommand")] == [OTHER, TASK_ID]
    assert unknown.status == 2
    assert "no running task's id begins so; there are 0506b170, 1ba654fc" in unknown.err


def test_an_agent_that_is_not_ready_is_told_before_a_session_fails(aws: ScriptedAws, tmp_path: Path) -> None:
    agent = {"name": "ExecuteCommandAgent", "lastStatus": "PENDING"}
    container = {"name": "worker", "runtimeId": "r", "managedAgents": [agent]}
    serve_tasks(aws, a_task(TASK_ID, enableExecuteCommand=True, containers=[container]))

    ran = execute(aws, tmp_path, plugin=a_plugin(tmp_path))

    assert ran.status == 1
    assert "the agent of ECS Exec in task 0506b170 is PENDING" in ran.err


def test_a_service_without_tasks_says_how_to_get_one(aws: ScriptedAws, tmp_path: Path) -> None:
    serve_tasks(aws)

    ran = execute(aws, tmp_path, plugin=a_plugin(tmp_path))

    assert ran.status == 1
    assert "`forebay scale 1` asks for one" in ran.err


def test_a_service_without_tasks_and_exec_is_not_scaled_in_vain(aws: ScriptedAws, tmp_path: Path) -> None:
    serve_shop(aws, has_exec=False)
    serve_tasks(aws)

    ran = execute(aws, tmp_path, plugin=a_plugin(tmp_path))

    assert "set `exec: true` in forebay.yml and deploy" in ran.err
    assert "forebay scale" not in ran.err
