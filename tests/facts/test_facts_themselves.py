"""The suite's own rules: each fact cites its source, there are enough of them, and no exception is stale."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.facts.differences import MOTO_DIFFERS, as_table

FACTS_MIN = 130
CITATION = re.compile(r"facts/sqs\.md section [1-8]: \S")


def _facts() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(Path(__file__).parent.glob("test_*_facts.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path.name, node


def test_every_fact_cites_the_section_it_stands_in() -> None:
    uncited = [
        f"{name}:{fact.lineno} {fact.name}"
        for name, fact in _facts()
        if not CITATION.match(ast.get_docstring(fact) or "")
    ]

    assert not uncited, "\n".join(uncited)


def test_there_are_enough_facts_and_no_two_of_a_name() -> None:
    names = [fact.name for _, fact in _facts()]

    assert len(names) >= FACTS_MIN
    assert len(set(names)) == len(names)


def test_every_difference_is_of_a_fact_that_moto_is_asked() -> None:
    asked = {fact.name for _, fact in _facts() if any(argument.arg == "sqs" for argument in fact.args.args)}

    assert {name.partition("[")[0] for name in MOTO_DIFFERS} <= asked
    assert all(difference.supports == "ours" for difference in MOTO_DIFFERS.values())


def test_the_documentation_shows_the_differences_as_they_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "local-sqs.md").read_text(encoding="utf-8")

    shown = page.partition("<!-- differences: begin -->\n")[2].partition("\n<!-- differences: end -->")[0]

    assert shown == as_table(), "run `python -m tests.facts.differences` and put its output between the two comments"


def test_the_documentations_program_runs_as_it_stands() -> None:
    page = (Path(__file__).parents[2] / "docs" / "local-sqs.md").read_text(encoding="utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]

    shown: dict[str, object] = {}
    exec(compile(program, "docs/local-sqs.md", "exec"), shown)

    assert str(shown["url"]).endswith("/000000000000/jobs")
