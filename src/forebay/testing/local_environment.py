"""The variables by which boto3, the AWS CLI and Forebay find a test's local cloud instead of AWS.

Rules kept here and nowhere else:

1. Credentials are made up and always set: a call that misses the local cloud cannot be anybody's.
2. Only SQS is redirected: other services' endpoints are the test's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

REGION = "us-east-1"


class Patch(Protocol):
    """The part of pytest's `monkeypatch` that is needed here."""

    def setenv(self, name: str, value: str) -> None: ...


def environment_of(endpoint_url: str, *, agent_uri: str | None, outside: Mapping[str, str]) -> dict[str, str]:
    """Return the variables. `outside` is the environment as it is: what no proxy is asked for stays so."""
    exempt = ",".join(filter(None, (outside.get("NO_PROXY") or outside.get("no_proxy"), "127.0.0.1")))
    return {
        "AWS_ENDPOINT_URL_SQS": endpoint_url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": exempt,
        "no_proxy": exempt,
        **({"ECS_AGENT_URI": agent_uri} if agent_uri is not None else {}),
    }
