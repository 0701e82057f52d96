"""The pages about the command line and the settings: every command is tried, every option and default compared."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import nullcontext
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path

import pytest
import typer
from tests.cli.command import PATIENCE_S, forebay, surroundings
from tests.cli.conftest import Cloud
from tests.cli.live_shop import a_live_shop, a_plugin
from tests.deploy.moto_server import MotoCloud
from typer.main import get_command

from forebay import Worker
from forebay.api.job_options import DefaultSettings, JobSettings
from forebay.api.project_file import parse
from forebay.cli.machine import Machine
from forebay.cli.main import MODULES, VERBS
from forebay.cli.resolve import SETTINGS, Given, resolve
from forebay.clock import SystemClock
from forebay.observability.health import HealthState
from forebay.observability.health_server import HealthServer

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = (DOCS / "command-line.md").read_text(encoding="utf-8")
SETTINGS_PAGE = (DOCS / "settings.md").read_text(encoding="utf-8")

SHOP = """\
from forebay import Worker

worker = Worker("shop")

@worker.default
async def work(body: str) -> None: ...

@worker.job
async def thumbnail(key: str) -> None: ...
"""

MANIFEST = "name: shop\nhandler: shop:worker\n"
COPILOT = "name: shop\ntype: Worker Service\nimage: {build: Dockerfile}\n"
OF_A_CLOUD = ("deploy", "diff", "delete", "env")
"""Verbs that look at AWS: moto's, which is empty for each command."""
OF_A_LIVE_SERVICE = ("status", "logs", "scale", "exec")
"""Verbs that ask AWS about a service that runs."""
OF_A_MANIFEST = ("doctor", "package", *OF_A_CLOUD, *OF_A_LIVE_SERVICE)
"""Verbs that need one."""


def section(verb: str) -> str:
    return re.split(r"^## ", COMMANDS.split(f"\n## {verb}\n")[1], flags=re.M)[0]


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", COMMANDS, flags=re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def rows(page: str) -> dict[str, list[str]]:
    """The first column's code of every table row → its other columns."""
    found = re.findall(r"^\| `([^`|]+(?:\\\|[^`|]+)*)`.*$", page, flags=re.M)
    lines = re.findall(r"^\| `.*$", page, flags=re.M)
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]
    return dict(zip(found, (columns[1:] for columns in cells), strict=True))


@pytest.mark.processes
@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_page_does_what_it_says(
    cloud: Cloud, moto_server: MotoCloud, tmp_path: Path, command: str
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    verb = command.split("forebay ")[1].split()[0]
    if verb in OF_A_MANIFEST:
        (tmp_path / "forebay.yml").write_text(MANIFEST)
    if verb in OF_A_CLOUD:
        moto_server.reset()
    (tmp_path / "copilot" / "shop").mkdir(parents=True)
    (tmp_path / "copilot" / "shop" / "manifest.yml").write_text(COPILOT)
    clock = SystemClock()
    health = HealthServer(HealthState(clock.now() + 3_600.0), clock, "127.0.0.1", 0, look_s=0.01)
    line = command.replace("127.0.0.1:8080", "{}:{}".format(*health.address))

    with a_live_shop() if verb in OF_A_LIVE_SERVICE else nullcontext() as shop:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}"],
            cwd=tmp_path,
            env=surroundings(
                {
                    **(shop.env if shop else moto_server.env if verb in OF_A_CLOUD else cloud.env),
                    "QUEUE_URL": cloud.queue_url,
                    "PATH": f"{a_plugin(tmp_path)}:{Path(forebay()[0]).parent}:{surroundings()['PATH']}",
                }
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    health.close(wait_s=10.0)

    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


def test_the_page_has_a_section_and_a_command_for_each_verb() -> None:
    assert re.findall(r"^## (\w+)$", COMMANDS, flags=re.M) == list(VERBS)
    assert {command.split("forebay ")[1].split()[0] for command in commands()} == set(VERBS)
    assert re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\)", COMMANDS, flags=re.M) == [(verb, verb) for verb in VERBS]


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_lists_exactly_the_options_of_a_verb(verb: str) -> None:
    app: typer.Typer = import_module(f"forebay.cli.{MODULES.get(verb, verb)}").app
    command = get_command(app)
    commands = [command, *getattr(command, "commands", {}).values()]
    options = {
        name
        for parameter in [parameter for one in commands for parameter in one.params]
        if parameter.param_type_name == "option"
        for name in parameter.opts
        if name.startswith("--") and name != "--help"
    }

    listed = {
        name
        for row in re.findall(r"^\| (`--[^|]*)", section(verb), flags=re.M)
        for name in re.findall(r"--[\w-]+", row)
    }
    assert listed - {"--stay", "--no-deploy"} == options


def test_the_settings_page_lists_exactly_the_settings_with_their_variables() -> None:
    table = rows(SETTINGS_PAGE.split("## Of each job")[0])

    assert set(table) == {"queue", *SETTINGS}
    for name, setting in SETTINGS.items():
        assert f"`{setting.variable}`" in table[name][0]


def test_the_settings_page_names_the_arguments_of_worker() -> None:
    table = rows(SETTINGS_PAGE.split("## Of each job")[0])
    of_worker = {
        name for name, parameter in signature(Worker).parameters.items() if parameter.kind is Parameter.KEYWORD_ONLY
    }

    in_table = {columns[1].strip("`= ") for columns in table.values() if columns[1] != "—"}
    assert in_table | {"job_field"} == of_worker
    assert "`Worker(…, job_field=" in SETTINGS_PAGE
    assert "job_field" not in in_table


def test_the_settings_page_tells_the_true_defaults() -> None:
    table = rows(SETTINGS_PAGE.split("## Of each job")[0])
    machine = Machine(cores=2, memory_limit_bytes=None, any_blocking=False)
    settings = resolve(Given({}, ("q",), {}, {}, {}), machine).settings

    for name, shown in (
        ("slots", f"{settings.slots} if every job"),
        ("visibility", f"{settings.visibility_s} s"),
        ("margin", f"min({settings.trust_margin_s:g} s"),
        ("drain", f"{settings.drain_s:g} s"),
        ("protect", settings.protect),
        ("linger", f"{settings.protection_linger_s:g} s"),
        ("log", settings.log),
        ("exit-when-empty", json.dumps(settings.exit_when_empty)),
        ("error-detail", settings.error_detail),
        ("dead-letter-detail", settings.dead_letter_detail),
    ):
        assert table[name][2].startswith(shown), name
    assert settings.buffer_bytes == 256 * 1024 * 1024


def test_the_settings_pages_file_is_one_that_we_read() -> None:
    text = re.findall(r"```yaml\n(.*?)```", SETTINGS_PAGE, flags=re.S)[0]

    found = parse(text)

    assert set(found) <= {"queue", *SETTINGS}
    assert found["slots"].values == ("200",)


def test_the_settings_page_lists_exactly_the_settings_of_a_job() -> None:
    table = rows(SETTINGS_PAGE.split("## Of each job")[1])

    of_batches = {name for name, columns in table.items() if columns[0] == "`@worker.batch` only"}
    of_defaults = {name for name, columns in table.items() if columns[0].startswith("yes")}
    assert set(table) - of_batches == JobSettings.__optional_keys__
    parameters = signature(Worker.batch).parameters.values()
    assert of_batches == {one.name for one in parameters if one.kind is Parameter.KEYWORD_ONLY}
    assert of_defaults == DefaultSettings.__optional_keys__
