"""The page on testing is executed as it stands: its blocks are a project, and its project passes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.testing.projects import Project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"


def test_the_project_of_the_page_passes(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"`(\w+\.py)`[^`\n]*:\n\n```python\n(.*?)```", text, re.DOTALL)
    project = Project(tmp_path)
    for name, code in blocks:
        project.write(name, code)

    assert len(blocks) == text.count("```python")
    project.passes(14)
