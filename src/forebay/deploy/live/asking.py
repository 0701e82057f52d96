"""How one thing is read of AWS so that a refusal is told in its place and the rest is read all the same.

Rules kept here and nowhere else:

1. A service that a local ECS stands alone without is not asked: `forebay local` leads ECS and SQS to this machine and
   leaves the others as they are, and nobody who looks at it means to ask AWS about it.
2. An obstacle before the first answer (no credentials, no Region, nobody there) is the error of the whole; so is the
   first refusal when everything is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from forebay.deploy.live.values import Unread
from forebay.deploy.trouble import told
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

Value = TypeVar("Value")


class Ask:
    """Asks for one thing after the other, and remembers whether anything was answered."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._first: DeployError | None = None
        self._answers = 0

    def __call__(self, service: str, doing: str, read: Callable[[], Value]) -> Value | Unread:
        """Return what `read` returns, or why it could not. `service`: the client's name in `Clients`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if not self._is_beside_ecs(service):
                return Unread(f"{doing}: ECS is on this machine, {service} is not", is_elsewhere=True)
            value = read()
        except (ClientError, BotoCoreError) as error:
            sentence = told(error, doing=doing)
            if isinstance(error, BotoCoreError) and self._answers == 0:
                raise sentence from error
            self._first = self._first or sentence
            return Unread(str(sentence))
        self._answers += 1
        return value

    def _is_beside_ecs(self, service: str) -> bool:
        if not is_loopback(self._clients.ecs.meta.endpoint_url):
            return True
        client: Any = getattr(self._clients, service)
        return is_loopback(client.meta.endpoint_url)

    def check(self) -> None:
        """Raise the first refusal when nothing at all could be read."""
        if self._first is not None and self._answers == 0:
            raise self._first


def is_loopback(url: str) -> bool:
    """Tell whether an address leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost" or host.endswith(".localhost")
