"""How the text of an option or a variable becomes a value.

Each function raises `ValueError` whose text says what would do, such as "a whole number".
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_QUEUE_NAME = re.compile(r"(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?")
"""facts/sqs.md section 2: letters, digits, hyphens and underscores, 80 at most, `.fifo` included."""


def plain(text: str) -> str:
    return text


def queue_url(text: str) -> str:
    address = text.strip()
    if not _is_queue_url(address):
        raise ValueError(f"a queue's URL, such as {_EXAMPLE}")
    return address


def _is_queue_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
        has_server = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or a bracket that does not close
        return False
    name = parts.path.rstrip("/").rpartition("/")[2]
    return has_server and not parts.query and not parts.fragment and _QUEUE_NAME.fullmatch(name) is not None


def queue_address(text: str) -> str:
    address = text.strip()
    if "://" in address:
        return queue_url(address)
    if not _QUEUE_NAME.fullmatch(address):
        raise ValueError(f"a queue's URL, such as {_EXAMPLE}, or its name: letters, digits, - and _")
    return address


_EXAMPLE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"


def address(text: str) -> tuple[str, int]:
    """Return (host, port) of `HOST:PORT`; `:PORT` and `PORT` alone mean loopback."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("HOST:PORT, such as 127.0.0.1:8080")
    return host or "127.0.0.1", int(port)
