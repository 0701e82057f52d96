"""The article's deployment as docs/walkthrough.md tells it: its commands typed in its order, its screens looked for.

Rules kept here and nowhere else:

1. Commands, answers and expected screens come from the page. Only the length of the job is made shorter.
2. Moto stands for AWS, a program on PATH for the container engine, and this file for ECS and its log driver, since moto
   runs no tasks. The worker is real, with the command and the variables of the task definition that was deployed.
3. Ids, times and counts of tasks are not compared; everything else of a screen is.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import PATIENCE_S, forebay
from tests.cli.test_terminal import Terminal
from tests.deploy.moto_server import MotoCloud
from tests.deploy.stand_in_engines import StandIns
from tests.processes.harness import clean_environment, free_port

from forebay.cloud.ecs_agent import EcsAgent
from forebay.deploy.image.dockerfile import dockerfile, dockerignore
from forebay.deploy.image.requirements import found
from forebay.deploy.manifest.loading import load
from forebay.deploy.template.build import build

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "queue-consumer"
LONG, SHORT = "10000", "300"
PAGE = (ROOT / "docs" / "walkthrough.md").read_text(encoding="utf-8").replace(LONG, SHORT)
README = (EXAMPLE / "README.md").read_text(encoding="utf-8").replace(LONG, SHORT)
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
STACK = "queue-consumer-test"


def commands(document: str) -> list[str]:
    found = [text for language, text in BLOCK.findall(document) if language == "sh"]
    return [line.strip() for text in found for line in text.splitlines()]


def screens(command: str) -> list[str]:
    """The lines of the screens between this command and the next one."""
    after = PAGE.split(f"\n{command}\n", 1)[1].split("\n```sh\n", 1)[0]
    return [line for language, text in BLOCK.findall(after) if language == "text" for line in text.splitlines() if line]


def told(line: str) -> str:
    """A line without what is different each time, and without a terminal's codes and echo."""
    line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)
    line = re.sub(r"\[y/N\]: ?[yn]$", "[y/N]:", line.strip())
    line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", line.strip())
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", line)
    return re.sub(r"[█░]+ +\d/\d", "BAR", line)


def assert_shown(command: str, output: str) -> None:
    """Every line of the page's screens is in the output, in their order."""
    shown = iter([told(line) for line in output.replace("\r", "").splitlines()])
    for line in screens(command):
        assert told(line) in shown, f"{line!r} is missing after {command!r}:\n{output}"


class Reader:
    """Somebody who follows the page, and the AWS that moto is not."""

    def __init__(self, folder: Path, cloud: MotoCloud) -> None:
        self.folder, self.cloud = folder / "queue-consumer", cloud
        self.engines = StandIns(folder / "engines")
        self.engines.folder.mkdir()
        self.engines.add("docker")
        programs = [str(self.engines.folder), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environment = {**clean_environment(), **cloud.env, "PATH": os.pathsep.join(programs), "COLUMNS": "200"}

    def type(self, command: str) -> str:
        """Type a command that asks nothing; return what it shows."""
        done = subprocess.run(
            command.split(), cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}:\n{done.stdout}"
        return done.stdout

    def deploy_by_init(self) -> str:
        """Answer as the page does: `n` to a new manifest, `y` to the test environment."""
        terminal = Terminal([*forebay(), "init"], self.folder, self.environment)
        try:
            for line in (line for line in screens("forebay init") if line.endswith((" n", " y"))):
                question, _, answer = line.rpartition(" ")
                terminal.read_until(question)
                terminal.type(f"{answer}\n")
            terminal.read_until("forebay logs")  # The last of what it names to do next.
            assert terminal.process.wait(PATIENCE_S) == 0, terminal.shown
        finally:
            terminal.close()
        return terminal.shown

    def container(self) -> dict[str, Any]:
        answer = self.cloud.clients().ecs.describe_task_definition(taskDefinition=STACK)
        (container,) = answer["taskDefinition"]["containerDefinitions"]
        return dict(container)

    def work(self) -> None:
        """Be ECS: run the task until its job is done, stop it, and bring its lines to the log."""
        container = self.container()
        with EcsAgent.in_thread() as agent:
            environment = {
                **self.environment,
                **{one["name"]: one["value"] for one in container["environment"]},
                "FOREBAY_HEALTH": f"127.0.0.1:{free_port()}",
                "ECS_AGENT_URI": agent.service.agent_uri(),
            }
            lines: list[str] = []
            with subprocess.Popen(
                ["forebay", *container["command"]], cwd=self.folder, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as task:  # fmt: skip
                assert task.stdout is not None
                for line in task.stdout:
                    lines.append(line.rstrip("\n"))
                    if "Task protection released" in line:
                        task.send_signal(signal.SIGTERM)
            assert task.returncode == 0, lines
        self.log(lines, container["logConfiguration"]["options"])

    def log(self, lines: list[str], options: dict[str, str]) -> None:
        logs = self.cloud.clients().logs
        stream = f"{options['awslogs-stream-prefix']}/worker/{'0506b170' * 4}"
        logs.create_log_stream(logGroupName=options["awslogs-group"], logStreamName=stream)
        now_ms = int(time.time() * 1_000) - len(lines)
        for number, line in enumerate(lines):
            event: Any = {"timestamp": now_ms + number, "message": line}
            logs.put_log_events(logGroupName=options["awslogs-group"], logStreamName=stream, logEvents=[event])

    def stack_is_there(self) -> bool:
        stacks = self.cloud.clients().cloudformation.describe_stacks()["Stacks"]
        return any(stack["StackName"] == STACK and "DELETE" not in stack["StackStatus"] for stack in stacks)


@pytest.fixture
def reader(tmp_path: Path, moto_cloud: MotoCloud) -> Reader:
    return Reader(tmp_path, moto_cloud)


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Tried to parse")  # what moto's CloudFormation leaves out
def test_the_articles_steps_lead_from_the_code_to_the_seven_lines_and_back(reader: Reader) -> None:
    for command in commands(PAGE):
        match command:
            case "cd examples/queue-consumer":
                shutil.copytree(EXAMPLE, reader.folder, ignore=shutil.ignore_patterns("__pycache__"))
                output = ""
            case "forebay init":
                output = reader.deploy_by_init()
                assert reader.stack_is_there()
                assert reader.engines.verbs.count("push") == 1
            case "forebay logs":
                reader.work()
                output = reader.type(command)
            case "forebay delete":
                output = reader.type(f"{command} --yes")
                assert not reader.stack_is_there()
            case _:
                output = reader.type(command)
        assert_shown(command, output)


def test_the_readme_of_the_example_has_the_steps_of_the_page() -> None:
    assert [command for command in commands(README) if command in commands(PAGE)] == commands(PAGE)
    assert set(commands(README)) - set(commands(PAGE)) == {"forebay local consumer --spike 20:500"}


def test_the_picture_of_the_deployment_has_the_resources_of_the_template_and_their_words() -> None:
    (picture,) = [text for language, text in BLOCK.findall(PAGE) if language == "console" and "[create" in text]
    loaded = load(EXAMPLE / "forebay.yml")
    resources = build(loaded.manifest, loaded.names)["Resources"].values()
    words = {resource["Metadata"]["forebay:description"] for resource in resources}

    in_picture = re.findall(r"^  - (.*?)  +\[", picture, re.MULTILINE)

    assert len(in_picture) == 8
    assert set(in_picture) <= words


def test_the_image_of_the_example_is_as_init_writes_it() -> None:
    assert (EXAMPLE / "Dockerfile").read_text(encoding="utf-8") == dockerfile("queue-consumer", found(EXAMPLE))
    assert (EXAMPLE / ".dockerignore").read_text(encoding="utf-8") == dockerignore()


@pytest.mark.processes
def test_the_example_runs_on_a_laptop_as_its_readme_says() -> None:
    (command,) = [line for line in commands(README) if line.startswith("forebay local")]
    words = command.replace("20:500", "3:20").split()

    done = subprocess.run(
        [*forebay(), *words[1:], "--no-page", "--port", "0"], cwd=EXAMPLE, stdin=subprocess.DEVNULL,
        env={**clean_environment(), "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(" - Working for 20 milliseconds") == 3


@pytest.mark.processes
def test_the_examples_own_test_passes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull, "."],
        cwd=EXAMPLE, env={**clean_environment(), "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
