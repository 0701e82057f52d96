"""The loops that the loop executor is tried on."""

from __future__ import annotations

import asyncio

import pytest
from tests.handlers.collecting import CoroutineFunction, Make, registry_of

from forebay.handlers.on_loop import LoopExecutor


@pytest.fixture(params=["uvloop", "asyncio"])
def executor_of(request: pytest.FixtureRequest) -> Make:
    """Make a loop executor for these handlers; a test that asks for it runs on both kinds of loop."""
    make_loop = asyncio.new_event_loop
    if request.param == "uvloop":
        make_loop = pytest.importorskip("uvloop").new_event_loop

    def make(**handlers: CoroutineFunction) -> LoopExecutor:
        return LoopExecutor(registry_of("loop", **handlers), make_loop=make_loop)

    return make
