"""Moto's server on loopback, as the AWS that the tests of deployments talk to.

Rules kept here and nowhere else:

1. One server serves a whole session on a port of its own; every test that asks for it finds it empty.
2. The environment is all that leads to it, as `AWS_ENDPOINT_URL` leads a user's commands to the local cloud.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from forebay.deploy.clients import Clients

REGION = "eu-central-1"
ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class MotoCloud:
    """A running moto."""

    endpoint: str

    @property
    def env(self) -> dict[str, str]:
        """What points a process at it, with credentials that it takes."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def clients(self) -> Clients:
        """Clients as a command makes them: from the environment, which the fixture has set."""
        return Clients()

    def reset(self) -> None:
        """Forget everything, and check permissions no more."""
        self._post("/moto-api/reset")
        self._post("/moto-api/reset-auth", b"inf")

    def check_permissions(self) -> None:
        """From now on every call needs credentials that moto's IAM knows, and a policy that allows it."""
        self._post("/moto-api/reset-auth", b"0")

    def _post(self, path: str, body: bytes = b"") -> None:
        asked = urllib.request.Request(
            self.endpoint + path, data=body, method="POST", headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.status == 200, path


@contextmanager
def running_moto() -> Iterator[MotoCloud]:
    """Run a server as long as the block lasts."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield MotoCloud(f"http://{host}:{port}")
    finally:
        server.stop()
