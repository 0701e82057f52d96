"""The page on retries is executed as it stands: its blocks are a project, and its tests pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.testing.projects import Project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "retries.md"

pytestmark = pytest.mark.slow


def test_the_project_of_the_page_passes(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", text, re.DOTALL)
    project = Project(tmp_path)
    for name, code in blocks:
        project.write(name, code)

    assert len(blocks) == text.count("```python") == 3
    project.passes(3)
