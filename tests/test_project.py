"""The files around the code: what they promise about each other and about the code must be so.

Rules kept here and nowhere else:

1. A command, link, layer or package that a document names exists.
2. Set-up is tried on copies in a temporary folder; the tree that the tests run from is never changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests import suite

from forebay.queue.grants import ACTION_OF

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def _run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as if typed by hand: without what a `make` around this test run has put into the environment."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


# ── versions ───────────────────────────────────────────────────────────────────────────────────────────────


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "constraints.txt holds name==version and comments, nothing else"
    return {canonicalize_name(name): version for name, version in pairs}


def _needed() -> set[str]:
    """Every package that Forebay, its extras or its development needs on this interpreter, and what those need."""
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        texts += extra
    found: set[str] = set()
    waiting = [Requirement(text) for text in texts]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found.add(canonicalize_name(requirement.name))
        for text in metadata.requires(requirement.name) or ():
            inner = Requirement(text)
            extras = ("", *requirement.extras)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(inner)
    return found


def test_every_package_that_development_needs_is_pinned_at_the_version_in_use() -> None:
    pins = _pins()

    differing = {name: (metadata.version(name), pins.get(name)) for name in _needed()}

    assert {name: pair for name, pair in differing.items() if pair[0] != pair[1]} == {}


def test_the_installed_version_is_the_one_in_pyproject() -> None:
    assert metadata.version("forebay") == PROJECT["project"]["version"]


def test_the_command_line_starts_where_the_package_says() -> None:
    module, _, name = PROJECT["project"]["scripts"]["forebay"].partition(":")

    assert callable(getattr(import_module(module), name))


def test_the_changelog_begins_with_what_is_not_released_yet() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] == "Unreleased"


# ── make ───────────────────────────────────────────────────────────────────────────────────────────────────


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    answer = _run("make", cwd=ROOT)

    listed = dict(re.findall(r"^  make (\S+)\s+(\S.*)$", answer.stdout, re.MULTILINE))
    assert set(listed) == _targets()
    assert {"setup", "run", "test", "check", "quick", "soak", "bench", "bench-peers", "mutants", "clean"} <= set(listed)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")

    named = set(re.findall(r"(?:`|^|&& )make ([a-z][a-z-]*)", text, re.MULTILINE))

    assert named <= _targets()


def test_ci_ends_with_the_command_that_the_readme_gives() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert _run("bash", "-n", ".ci/run", cwd=ROOT).returncode == 0
    assert [line for line in script.splitlines() if re.match(r"make |exit ", line)][-2:] == [
        "make test",
        'exit "$others"',
    ]
    assert "set -euo pipefail" in script
    assert "\nmake test " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_hooks_before_a_commit_use_the_tools_of_the_virtual_environment() -> None:
    """So that a hook can never disagree with `make check` for having another version."""
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")

    entries = re.findall(r"^ +entry: (\S+)", text, re.MULTILINE)

    assert re.findall(r"^ +- repo: (\S+)", text, re.MULTILINE) == ["local"]
    assert entries
    assert all(entry.startswith(".venv/bin/") for entry in entries)


def test_the_last_line_of_all_tests_adds_the_passes_up(tmp_path: Path) -> None:
    """An error of a fixture is a failure, and a pass that could write no report counts as one."""
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="1" skipped="2"/></testsuites>', encoding="utf-8"
    )

    total = suite.added([suite.count(report), suite.count(tmp_path / "missing.xml")])

    assert str(total) == "5 passed, 3 failed, 2 skipped"


def test_all_tests_are_in_one_of_the_passes() -> None:
    """What has the mark `images` has `processes` as well."""
    assert set(suite.PASSES) == {"images", "processes and not images", "not processes"}
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.images" in path.read_text(encoding="utf-8")]
    assert [path.name for path in marked if path != Path(__file__)] == ["test_image.py"]


# ── set-up, on copies ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files that set-up needs, in a folder of their own."""
    folder = tmp_path / "forebay"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    return folder


def _pretend_set_up(folder: Path) -> None:
    environment = folder / ".venv"
    environment.mkdir()
    (environment / ".installed").write_text(f"{environment.resolve()}\n", encoding="utf-8")


def test_a_second_set_up_does_nothing(copy: Path) -> None:
    _pretend_set_up(copy)

    answer = _run("make", "setup", cwd=copy)

    assert (answer.returncode, answer.stdout.strip()) == (0, "setup: .venv is ready")


def test_a_change_of_the_pins_sets_up_again(copy: Path) -> None:
    _pretend_set_up(copy)
    later_s = (copy / ".venv" / ".installed").stat().st_mtime + 10
    os.utime(copy / "constraints.txt", (later_s, later_s))

    answer = _run("make", "--dry-run", "setup", cwd=copy)

    assert "scripts/venv .venv" in answer.stdout


def test_an_environment_that_has_been_moved_is_made_anew(copy: Path) -> None:
    """Scripts in it hold the path at which it was made, so a moved one would quietly run the old tree."""
    _pretend_set_up(copy)
    moved = copy.rename(copy.with_name("elsewhere"))

    answer = _run("make", "--dry-run", "setup", cwd=moved)

    assert "scripts/venv .venv" in answer.stdout


def test_set_up_names_the_debian_package_where_python_lacks_venv(copy: Path) -> None:
    python = _fake_python(copy, on_ensurepip=1)

    answer = _run("make", "setup", f"PYTHON={python}", cwd=copy)

    assert answer.returncode != 0
    assert "apt-get install python3.12-venv" in answer.stderr
    assert not (copy / ".venv").exists()


def test_set_up_refuses_a_python_that_is_too_old_by_name(copy: Path) -> None:
    answer = _run("make", "setup", "PYTHON=false", cwd=copy)

    assert answer.returncode != 0
    assert "false is not a Python 3.11 or newer" in answer.stderr


def _fake_python(folder: Path, *, on_ensurepip: int) -> Path:
    """A Python 3.12 that has no ensurepip, as Debian's has none without its package python3.12-venv."""
    path = folder / "python"
    path.write_text(
        f'#!/bin/sh\ncase "$2" in\n    *ensurepip*) exit {on_ensurepip} ;;\n    *"%d.%d"*) echo 3.12 ;;\nesac\n',
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_clean_removes_what_was_generated_and_keeps_the_environment(copy: Path) -> None:
    _pretend_set_up(copy)
    for name in ("src/forebay/__pycache__", "tests", "benchmarks", "examples", ".mypy_cache", ".ruff_cache", "dist"):
        (copy / name).mkdir(parents=True)

    answer = _run("make", "clean", cwd=copy)

    assert answer.returncode == 0, answer.stderr
    assert {path.name for path in copy.iterdir() if path.name.startswith(".") or path.name == "dist"} == {".venv"}
    assert list((copy / "src" / "forebay").iterdir()) == []


# ── documents ──────────────────────────────────────────────────────────────────────────────────────────────


def _anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, made as they are shown on code hosting sites."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    broken: list[str] = []
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(target)

    assert broken == []


def test_every_page_of_the_documentation_can_be_reached_from_its_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")

    unlisted = [
        path.name for path in (ROOT / "docs").glob("*.md") if path.name != "index.md" and path.name not in index
    ]

    assert unlisted == []


def test_the_architecture_shows_the_layers_that_are_enforced() -> None:
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    enforced = [re.sub(r"[()]", "", layer) for layer in contract["layers"]]

    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = re.search(r"```\n(cli →.+?)\n```", text, re.DOTALL)

    assert shown is not None
    assert [layer.strip() for layer in shown[1].split("→")] == enforced


def test_the_architecture_shows_every_folder_of_the_package() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = [path.name for path in (ROOT / "src" / "forebay").iterdir() if (path / "__init__.py").is_file()]

    assert [name for name in folders if f"├── {name}/" not in text and f"└── {name}/" not in text] == []


def _statements() -> list[dict[str, Any]]:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    block = re.search(r"```json\n(.+?)```", text, re.DOTALL)
    assert block is not None
    statements: list[dict[str, Any]] = json.loads(block[1])["Statement"]
    return statements


def _actions(statement: dict[str, Any]) -> list[str]:
    found = statement["Action"]
    return found if isinstance(found, list) else [found]


def test_the_security_page_grants_exactly_what_a_worker_calls() -> None:
    """GetQueueUrl is for queues that are given by name, and stands in the text below the statement."""
    granted = {action for statement in _statements() for action in _actions(statement)}

    assert {action for action in granted if action.startswith("sqs:")} == {*ACTION_OF.values()} - {"sqs:GetQueueUrl"}
    assert {action for action in granted if not action.startswith("sqs:")} == {
        "ecs:GetTaskProtection",
        "ecs:UpdateTaskProtection",
    }


def test_the_security_page_grants_on_named_resources_only() -> None:
    resources = [statement["Resource"] for statement in _statements()]

    assert all(resource.startswith(("arn:aws:sqs:", "arn:aws:ecs:")) for resource in resources)
    assert [resource for resource in resources if "*" in resource and not resource.endswith(":task/my-cluster/*")] == []


def test_the_tests_run_on_the_python_of_a_virtual_environment() -> None:
    """Otherwise the versions that were tested would be anybody's guess."""
    assert sys.prefix != sys.base_prefix
