"""What tests of protection share: every event loop that it must run on, and a local agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from forebay.cloud.background import InThread
from forebay.cloud.ecs_agent import EcsAgent


@pytest.fixture(
    params=[("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})], ids=["asyncio", "uvloop", "trio"]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Every loop that task protection promises to run on."""
    return request.param


@pytest.fixture
def agent() -> Iterator[InThread[EcsAgent]]:
    """A local ECS agent whose patience with ECS is a twentieth of a second."""
    with EcsAgent.in_thread(ecs_timeout_s=0.05) as running:
        yield running
