"""An AWS for the tests of deployments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.deploy.moto_server import MotoCloud, running_moto
from tests.deploy.scripted_endpoint import ScriptedAws, scripted


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoCloud]:
    """One server for the session. Tests ask for `moto_cloud`, which is empty."""
    with running_moto() as cloud:
        yield cloud


@pytest.fixture
def moto_cloud(moto_server: MotoCloud, monkeypatch: pytest.MonkeyPatch) -> MotoCloud:
    """An empty account, with the environment of this process leading to it."""
    moto_server.reset()
    for name, value in moto_server.env.items():
        monkeypatch.setenv(name, value)
    return moto_server


@pytest.fixture
def scripted_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedAws]:
    """An AWS that answers what the test writes down, with the environment of this process leading to it."""
    with scripted() as aws:
        for name, value in aws.env.items():
            monkeypatch.setenv(name, value)
        yield aws
