"""`forebay local` where the user's variables, files and workers know other queues, ports and proxies."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.command import Ran, run

from forebay.api.project_file import parse
from forebay.cli.local_options import drain_of, surroundings_of, without_log
from forebay.errors import SettingsError

ELSEWHERE = "https://sqs.eu-west-1.amazonaws.com/123456789012"

JOBS = f"""\
from forebay import Reject, Worker

worker = Worker("shop", queue="{ELSEWHERE}/jobs", dead_letter="{ELSEWHERE}/dead")

@worker.default
def work(body: str) -> None:
    raise Reject("unlucky")
"""

FILE = f"""\
run:
  queue: {ELSEWHERE}/jobs
  dead-letter: {ELSEWHERE}/dead
  health: 127.0.0.1:1
  log: json
"""


def local(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Ran:
    return run("local", "--port", "0", *arguments, cwd=folder, env=env)


@pytest.mark.processes
def test_variables_that_name_aws_queues_proxies_and_profiles_do_not_lead_tasks_away(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:1"
    env = {
        "FOREBAY_QUEUE_URL": f"{ELSEWHERE}/jobs",
        "FOREBAY_DEAD_LETTER": f"{ELSEWHERE}/dead",
        "FOREBAY_HEALTH": "127.0.0.1:1",
        "AWS_PROFILE": "nobody",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": nowhere,
        "HTTP_PROXY": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "internal",
    }

    ran = local(tmp_path, "--tasks", "2", "--spike", "3:1", env=env)

    exports = next(line for line in ran.out.splitlines() if "export" in line and "AWS_ENDPOINT_URL_SQS" in line)
    assert "no_proxy=internal,127.0.0.1 NO_PROXY=internal,127.0.0.1" in exports
    assert "3 messages sent, 3 deleted" in ran.out
    assert ran.status == 0


@pytest.mark.processes
def test_a_worker_and_a_file_that_name_aws_queues_bury_into_the_local_one_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(JOBS)
    (tmp_path / "forebay.yml").write_text(FILE)

    ran = local(tmp_path, "shop", "--tasks", "2", "--spike", "2:1")

    assert "moved to the dead-letter queue: unlucky" in ran.out
    assert "cannot be listened on" not in ran.out
    assert "2 in the dead-letter queue" in ran.out.splitlines()[-1]


@pytest.mark.parametrize("option", ["--queue", "--health", "--dead-letter=x"])
def test_an_option_that_leads_tasks_away_is_refused(tmp_path: Path, option: str) -> None:
    ran = local(tmp_path, "--", option, "127.0.0.1:8080")

    assert f"{option.partition('=')[0]} is for `forebay run`: " in ran.err
    assert (ran.out, ran.status) == ("", 2)


def test_health_pages_are_served_by_every_task_at_a_port_of_its_own() -> None:
    assert surroundings_of({"FOREBAY_HEALTH": "127.0.0.1:8080", "A": "b"}, {}) == {
        "FOREBAY_HEALTH": "127.0.0.1:0",
        "A": "b",
    }
    assert surroundings_of({}, parse(FILE)) == {"FOREBAY_HEALTH": "127.0.0.1:0"}
    assert surroundings_of({"A": "b"}, {}) == {"A": "b"}


def test_the_drain_that_tasks_will_take_is_found_wherever_it_is_named() -> None:
    file = parse("run:\n  drain: 60\n")

    assert drain_of(["--drain=90"], {"FOREBAY_DRAIN": "80"}, file, {"drain": 50.0}) == 90
    assert drain_of([], {"FOREBAY_DRAIN": "80"}, file, {"drain": 50.0}) == 80
    assert drain_of([], {"FOREBAY_DRAIN": ""}, file, {"drain": 50.0}) == 60
    assert drain_of([], {}, {}, {"drain": 50.0}) == 50
    assert drain_of([], {}, {}, {}) is None
    assert drain_of(["--drain", "soon"], {}, {}, {}) is None


def test_a_log_variable_that_is_empty_is_not_set_and_a_wrong_one_is_named() -> None:
    assert without_log([], {"FOREBAY_LOG": ""}) == ("text", [])
    with pytest.raises(SettingsError, match="FOREBAY_LOG 'xml' is neither text nor json"):
        without_log([], {"FOREBAY_LOG": "xml"})
