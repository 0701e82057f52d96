"""Asking AWS one thing after the other, where some of it may not be read.

Rules kept here and nowhere else:

1. What may not be read, or is not there, is noted with its reason and passed over: the rest is examined.
2. A local ECS stands alone: services that do not answer on this machine are not asked then.
3. What stops every question alike (no credentials, no Region, nobody answers, throttling) ends the reading in one
   sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from forebay.deploy.answers import NoAnswer
from forebay.deploy.live.asking import is_loopback
from forebay.deploy.trouble import (
    DENIED,
    EXPIRED,
    NOT_ACCEPTED,
    SKEWED,
    THROTTLED,
    code_of,
    explained,
    is_failure,
    told,
)

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients

FOR_ALL = (*EXPIRED, *NOT_ACCEPTED, *SKEWED, *THROTTLED)
"""Codes that the next question would meet as well."""

_MISSING = ("NonExistentQueue", "DoesNotExist", "NotFound", "NoSuchEntity", "NotFoundException")


Value = TypeVar("Value")


class Reading:
    """What could not be read so far, and how to read more."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.unread: dict[str, str] = {}
        """What could not be read → why."""

    def of(self, service: str, what: str, ask: Callable[[], Value]) -> Value | None:
        """Return what `ask` answers; None when that is refused or not there, with the reason noted.

        `service` is the client's name in `Clients`. Raises `DeployError` for what would stop every other question too.
        """
        if not self._is_beside_ecs(service):
            self.unread["what is beside ECS and SQS"] = "ECS is on this machine, and the rest is not asked for"
            return None
        with explained(f"reading {what}"):
            try:
                return ask()
            except ClientError as error:
                if code_of(error) in FOR_ALL or (service == "ecs" and is_failure(error)):
                    raise
                self.unread[what] = _reason(error)
            except (NoAnswer, ResponseParserError):
                if service == "ecs":
                    raise
                # A stand-in for AWS that does not know the service answers with what is no answer of it.
                self.unread[what] = "what answers there does not know this service"
        return None

    def _is_beside_ecs(self, service: str) -> bool:
        """Return False for AWS's own services when ECS is a local one: nobody who looks at that means those."""
        if not is_loopback(self.clients.ecs.meta.endpoint_url):
            return True
        client: Any = getattr(self.clients, service)
        return is_loopback(client.meta.endpoint_url)


def _reason(error: ClientError) -> str:
    code = code_of(error)
    if any(word in code for word in _MISSING):
        return "there is none"
    if code in DENIED or code.endswith(".AccessDenied"):
        return str(told(error, doing="")).removeprefix(": ")
    if code == "403":  # A gateway before the service said it.
        return f"access denied to {error.operation_name}"
    return f"AWS says {code}"
