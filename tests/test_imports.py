"""What an import loads, and whether the layers' contracts would really catch a breach.

Rules kept here and nowhere else:

1. `import forebay` is cheap: a producer in a web application must not pay for a worker's machinery.
2. A new module of `rules/` or `worker/` is pure unless it is named here as one that is not.
3. A contract that a planted breach does not break proves nothing; so each is tried with one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "forebay"

HEAVY = (
    "aiohttp",
    "anyio",
    "boto3",
    "botocore",
    "click",
    "django",
    "django_tasks",
    "httpx",
    "orjson",
    "pydantic",
    "rich",
    "trio",
    "typer",
    "uvloop",
    "watchfiles",
)
"""Libraries that `import forebay` must leave alone, whether installed or not."""

NOT_PURE: dict[str, str] = {
    "forebay.worker.driver": "carries the engine's commands out",
    "forebay.worker.burial_note": "adds the time and the versions, which the engine does not know",
    "forebay.worker.calls": "makes the engine's calls to queues and to the ECS agent",
    "forebay.worker.crew": "the driver's tasks",
    "forebay.worker.describing": "asks queues what they say of themselves",
    "forebay.worker.inbox": "facts from other threads come in here",
    "forebay.worker.lookout": "looks at executors and writes the health for other threads",
    "forebay.worker.polls": "the driver's long polls",
}

PURE_FOLDERS = ("rules", "worker")


def _loaded_by(statement: str) -> set[str]:
    """The names of all modules in a fresh interpreter that has run `statement`."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(  # Fixed words, no shell.
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_importing_forebay_loads_no_transport_no_sdk_and_no_command_line() -> None:
    before = _loaded_by("pass")

    after = _loaded_by("import forebay")

    assert {name for name in after - before if name.split(".")[0] in HEAVY} == set()
    assert {name for name in after if name.startswith(("forebay.cli", "forebay.local", "forebay.cloud"))} == set()


def test_every_public_name_can_be_had_from_the_package_itself() -> None:
    """`forebay.Worker` and the others are loaded when first asked for; `dir` and `import *` know them before."""
    program = "import forebay; assert forebay.__all__; [getattr(forebay, name) for name in forebay.__all__]"

    loaded = _loaded_by(f"{program}; assert set(forebay.__all__) <= set(dir(forebay))")

    assert "forebay.api" in loaded


def _contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return contracts


def _contract(beginning: str) -> dict[str, Any]:
    return next(contract for contract in _contracts() if contract["name"].startswith(beginning))


def test_every_module_of_the_rules_and_the_engine_is_listed_as_pure() -> None:
    pure = tuple(_contract("Pure modules")["source_modules"])
    modules = [
        ".".join(("forebay", *path.relative_to(SOURCE).with_suffix("").parts))
        for folder in PURE_FOLDERS
        for path in (SOURCE / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]

    unlisted = [
        name
        for name in sorted(modules)
        if name not in NOT_PURE and not any(name == one or name.startswith(f"{one}.") for one in pure)
    ]

    assert unlisted == [], "add to the contract 'Pure modules' in pyproject.toml"


def _lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a tree with the project's own contracts."""
    command = Path(sys.executable).parent / "lint-imports"
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "COLUMNS": "200"}
    return subprocess.run(
        [str(command), "--no-logo", "--no-cache", "--config", "pyproject.toml"],
        cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tree's code and contracts, to be spoiled."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(SOURCE, tmp_path / "src" / "forebay", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_the_contracts_hold_for_the_tree_as_it_is(copy: Path) -> None:
    answer = _lint(copy)

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("module", "breach", "contract"),
    [
        ("worker/leases.py", "import time", "Pure modules"),
        ("worker/retry.py", "import random", "Pure modules"),
        ("rules/queue_errors.py", "import logging", "Pure modules"),
        ("settings.py", "import os", "Pure modules"),
        ("worker/polling.py", "from forebay.clock import SystemClock", "Pure modules"),
        ("rules/queue_errors.py", "import forebay.queue.port", "The tree is layered"),
        ("model.py", "import forebay.settings", "The tree is layered"),
        ("observability/events.py", "import forebay.cli", "The tree is layered"),
        ("queue/port.py", "import boto3", "boto3 stays out"),
        ("handlers/registry.py", "import typer", "The command-line library"),
    ],
)
def test_a_planted_breach_of_the_layers_is_caught(copy: Path, module: str, breach: str, contract: str) -> None:
    spoiled = copy / "src" / "forebay" / module
    spoiled.write_text(f"{spoiled.read_text(encoding='utf-8')}\n{breach}\n", encoding="utf-8")

    answer = _lint(copy)

    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert [line for line in answer.stdout.splitlines() if line.startswith(contract) and line.endswith("BROKEN")]
