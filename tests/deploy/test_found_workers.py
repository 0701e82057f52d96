"""Workers are found by reading a project's files, never by importing them."""

from __future__ import annotations

from pathlib import Path

import pytest

from forebay.deploy.found_workers import targets


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "from forebay import Worker\nworker = Worker('x')",
        "from forebay import Context, Worker as W\nworker = W('x')",
        "import forebay\nworker = forebay.Worker('x')",
        "import forebay as f\nworker: f.Worker = f.Worker('x')",
        "from forebay.api.worker import Worker\nworker = Worker('x', slots=3)",
    ],
)
def test_a_worker_is_found_however_the_class_was_imported(tmp_path: Path, text: str) -> None:
    assert targets(project(tmp_path, {"jobs.py": text})) == ("jobs:worker",)


@pytest.mark.parametrize(
    "text",
    [
        "from elsewhere import Worker\nworker = Worker('x')",
        "class Worker: ...\nworker = Worker()",
        "from forebay import Worker\ndef make():\n    worker = Worker('x')",
        "from forebay import Worker\nworker = Worker",
        "from forebay import Worker\nworker = (",
        "raise SystemExit('nobody may import me')",
        "\0",
    ],
)
def test_what_is_no_worker_of_the_module_is_not_found(tmp_path: Path, text: str) -> None:
    assert targets(project(tmp_path, {"jobs.py": text})) == ()


def test_packages_are_searched_and_what_holds_no_code_of_the_service_is_not(tmp_path: Path) -> None:
    text = "from forebay import Worker\nworker = Worker('x')"
    files = ["top.py", "shop/jobs.py", "shop/deep/__init__.py", "tests/a.py", ".venv/a.py", "env/a.py", "not-one/a.py"]
    project(tmp_path, dict.fromkeys(files, text) | {"env/pyvenv.cfg": ""})

    assert targets(tmp_path) == ("top:worker", "shop.jobs:worker", "shop.deep:worker")


def test_several_workers_of_a_module_come_in_its_order(tmp_path: Path) -> None:
    text = "from forebay import Worker\nslow = Worker('s')\nfast = Worker('f')"

    assert targets(project(tmp_path, {"jobs.py": text})) == ("jobs:slow", "jobs:fast")
