"""Fixtures for tests of programs that use Forebay: workers in memory, a local cloud, a queue on it.

Registered with pytest as `forebay`. `docs/testing.md` explains it.

Rules kept here and nowhere else:

1. A suite that uses none of it pays for one small module: everything else is imported by a fixture.
2. Each test has a cloud of its own, and the environment is put back afterwards.
3. The closest `@pytest.mark.forebay(…)` says how; what it leaves open, the ini options say; else the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forebay.api.worker import Worker
    from forebay.testing.client import WorkerClient
    from forebay.testing.local_cloud import LocalCloud
    from forebay.testing.local_queue import LocalQueue

_MARK = "forebay"
_CLOUD_OPTIONS = ("time", "account", "visibility_s", "patience_s")
_QUEUE_OPTIONS = ("queue", "attempts", "dead_letter")
QUEUE_VARIABLE = "FOREBAY_QUEUE_URL"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "forebay_time",
        "time of forebay_client and forebay_cloud: virtual (waiting is skipped) or real",
        default="virtual",
    )
    parser.addini("forebay_patience_s", "real seconds that a worker may take in a test", default="30")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "forebay(time='virtual'|'real', visibility_s=…, attempts=…, queue=NAME, dead_letter=True|False, account=…, "
        "patience_s=…): how the fixtures forebay_client, forebay_cloud and forebay_queue are made",
    )


@pytest.fixture
def forebay_client(request: pytest.FixtureRequest) -> Iterator[Callable[..., WorkerClient]]:
    """Makes a client of a worker, `client = forebay_client(worker)`, which lives until the test has ended."""
    from forebay.testing.client import WorkerClient

    said: dict[str, Any] = {"time": request.config.getini("forebay_time"), "patience_s": _patience_s(request)}
    said |= {name: value for name, value in _marked(request).items() if name in ("time", "visibility_s", "patience_s")}

    with ExitStack() as opened:

        def client_of(worker: Worker, /, **options: Any) -> WorkerClient:
            return opened.enter_context(WorkerClient(worker, **{**said, **options}))

        yield client_of


@pytest.fixture
def forebay_cloud(request: pytest.FixtureRequest) -> Iterator[LocalCloud]:
    """A local cloud for this test. boto3 and Forebay find it: the environment is set until the test has ended."""
    from forebay.testing.local_cloud import LocalCloud

    options: dict[str, Any] = {
        "time": request.config.getini("forebay_time"),
        "patience_s": _patience_s(request),
    }
    options |= {name: value for name, value in _marked(request).items() if name in _CLOUD_OPTIONS}
    with LocalCloud(**options) as cloud, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv(QUEUE_VARIABLE, raising=False)
        cloud.use(monkeypatch)
        yield cloud


@pytest.fixture
def forebay_queue(request: pytest.FixtureRequest, forebay_cloud: LocalCloud) -> Iterator[LocalQueue]:
    """A queue for this test, with a dead-letter queue. `FOREBAY_QUEUE_URL` names it until the test has ended."""
    marked = _marked(request)
    queue = forebay_cloud.create_queue(
        marked.get("queue", "forebay-test"),
        dead_letter=marked.get("dead_letter", True),
        receives_max=marked.get("attempts", 10),
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(QUEUE_VARIABLE, queue.url)
        yield queue


def _patience_s(request: pytest.FixtureRequest) -> float:
    return float(request.config.getini("forebay_patience_s"))


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the marks of the test say, the closest last. Raises `pytest.UsageError` for unknown words."""
    said: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(_MARK))):
        said |= mark.kwargs
        known = (*_CLOUD_OPTIONS, *_QUEUE_OPTIONS)
        unknown = [*map(repr, mark.args), *(name for name in mark.kwargs if name not in known)]
        if unknown:
            raise pytest.UsageError(
                f"@pytest.mark.forebay of {request.node.nodeid} does not take {', '.join(unknown)}, "
                f"only {', '.join(f'{name}=…' for name in known)}"
            )
    return said
