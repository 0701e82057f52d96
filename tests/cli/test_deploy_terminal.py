"""Deploying at a terminal: questions are answered at the keyboard, and the picture is drawn in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_S, forebay
from tests.cli.test_terminal import Terminal
from tests.deploy.moto_server import MotoCloud

pytestmark = pytest.mark.processes

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/thumbnails@sha256:" + "0" * 64


@pytest.fixture
def cloud(moto_server: MotoCloud) -> MotoCloud:
    moto_server.reset()
    return moto_server


@pytest.fixture
def terminal(tmp_path: Path, cloud: MotoCloud) -> Iterator[TerminalMaker]:
    maker = TerminalMaker(tmp_path, cloud)
    yield maker
    for one in maker.opened:
        one.close()


class TerminalMaker:
    """Opens terminals in the folder of a manifest."""

    def __init__(self, folder: Path, cloud: MotoCloud) -> None:
        (folder / "forebay.yml").write_text("name: thumbnails\n")
        self._folder = folder
        self._env = {**cloud.env, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
        self.opened: list[Terminal] = []

    def run(self, *arguments: str) -> Terminal:
        terminal = Terminal([*forebay(), *arguments], self._folder, self._env)
        self.opened.append(terminal)
        return terminal


def test_a_deployment_is_agreed_to_at_the_keyboard_and_drawn_in_place(terminal: TerminalMaker) -> None:
    deploy = terminal.run("deploy", "--image", IMAGE, "--diff")
    deploy.read_until("Deploy these changes? (y/N) ")
    deploy.type("y\n")
    deploy.read_until("  forebay logs --follow")

    assert deploy.process.wait(PATIENCE_S) == 0
    assert "\x1b[" in deploy.shown
    assert "Creating the infrastructure for stack thumbnails-test" in deploy.shown


def test_anything_but_yes_changes_nothing(terminal: TerminalMaker) -> None:
    deploy = terminal.run("deploy", "--image", IMAGE, "--diff")
    deploy.read_until("Deploy these changes? (y/N) ")
    deploy.type("\n")
    deploy.read_until("Nothing was changed.")

    assert deploy.process.wait(PATIENCE_S) == 1
    again = terminal.run("env", "ls")
    again.read_until("not deployed")


def test_a_deletion_wants_the_stacks_name(terminal: TerminalMaker) -> None:
    terminal.run("deploy", "--image", IMAGE).read_until("  forebay logs --follow")
    wrong = terminal.run("delete")
    wrong.read_until("Type thumbnails-test to go on: ")
    wrong.type("yes\n")
    wrong.read_until("Nothing was deleted.")
    right = terminal.run("delete")
    right.read_until("Type thumbnails-test to go on: ")
    right.type("thumbnails-test\n")
    right.read_until("✔ Stack thumbnails-test is deleted")

    assert (wrong.process.wait(PATIENCE_S), right.process.wait(PATIENCE_S)) == (1, 0)
