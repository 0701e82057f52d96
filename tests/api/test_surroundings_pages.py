"""The pages on batches and on hooks are executed as they stand: each is a project, and its project passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.testing.projects import Project

DOCS = Path(__file__).resolve().parents[2] / "docs"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("page", "tests"), [("batches.md", 3), ("hooks.md", 4)])
def test_the_project_of_the_page_passes(tmp_path: Path, page: str, tests: int) -> None:
    """A block without a file's name goes on where the one before it ended."""
    text = (DOCS / page).read_text(encoding="utf-8")
    files: dict[str, str] = {}
    name = ""
    for named, code in re.findall(r"(?:`(\w+\.py)`:\n\n)?```python\n(.*?)```", text, re.DOTALL):
        name = named or name
        files[name] = f"{files[name]}\n\n{code}" if name in files else code
    project = Project(tmp_path)
    for file, code in files.items():
        project.write(file, code)

    assert len(files) == 2
    project.passes(tests)
