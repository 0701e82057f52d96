"""The page on protection says what is true: its Python runs, and its tables name what exists."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import anyio
import pytest

from forebay.cloud.background import InThread
from forebay.cloud.chaos import Effect
from forebay.cloud.ecs_agent import EcsAgent
from forebay.protection import ArticleSettings
from forebay.protection.telling import EVENT_NAMES

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "protection.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_every_python_block_of_the_page_runs(
    block: str, agent: InThread[EcsAgent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECS_AGENT_URI", agent.service.agent_uri())
    names: dict[str, Any] = {}

    exec(compile(block, "docs/protection.md", "exec"), names)
    if "main" in names:
        anyio.run(names["main"])

    holds = agent.call(lambda service: [call.outcome for call in service.calls if call.enabled])
    assert holds == (["held"] if "hold(" in block else [])


def test_the_page_names_every_setting_event_and_effect() -> None:
    settings = [field.name for field in fields(ArticleSettings)]
    effects = {effect.value for effect in Effect} - {"fail_entries", "lose_entries", "duplicate"}

    missing = [name for name in [*settings, *EVENT_NAMES.values(), *effects] if f"`{name}`" not in PAGE]
    missing = [name for name in missing if f'("{name}"' not in PAGE]

    assert missing == []


def test_the_links_within_the_page_lead_somewhere() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}

    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) == anchors
