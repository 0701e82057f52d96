"""The services under the facts: `sqs` is ours and then moto's, `ours` is ours alone, for what moto cannot be asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from tests.facts.differences import MOTO_DIFFERS
from tests.facts.services import Ours, Sqs, moto_service, our_service


@pytest.fixture(scope="session")
def ours() -> Iterator[Ours]:
    with our_service() as opened:
        yield opened


@pytest.fixture(scope="session")
def moto() -> Iterator[Sqs]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # A line for every request is of no use here.
    with moto_service() as opened:
        yield opened


@pytest.fixture(params=["ours", "moto"])
def sqs(request: pytest.FixtureRequest) -> Sqs:
    opened: Sqs = request.getfixturevalue(request.param)
    return opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where moto is known to differ, the fact must fail on it: a needless entry is an error (xfail is strict)."""
    for item in items:
        if not isinstance(item, pytest.Function) or "tests/facts" not in item.path.as_posix():
            continue
        callspec = getattr(item, "callspec", None)
        on_moto = callspec is not None and callspec.params.get("sqs") == "moto"
        difference = MOTO_DIFFERS.get(item.originalname) or MOTO_DIFFERS.get(_variant(item))
        if on_moto and difference is not None:
            expected = (AssertionError, ClientError, KeyError, ValueError)
            item.add_marker(pytest.mark.xfail(raises=expected, strict=True, reason=f"moto differs: {difference}"))


def _variant(item: pytest.Function) -> str:
    """A fact's name with its own parameters, without the service's: `test_a_fact[-1]`."""
    return item.name.replace("[moto-", "[").replace("-moto]", "]")
