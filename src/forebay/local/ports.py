"""Which ports the page and the AWS endpoint get.

Rules kept here and nowhere else:

1. The endpoint is at the port after the page's, so that one number names both.
2. A port that was asked for and is taken is an error that says by whom, if it is one of us. The usual ones are given up
   for free ones instead, with a remark: a second copy is nothing wrong.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import cast
from urllib.request import ProxyHandler, build_opener

from forebay.errors import SettingsError
from forebay.local.plan import PAGE_PORT

LOOPBACK = "127.0.0.1"
WHO_PATH = "/_forebay/who"
PATIENCE_S = 1.0
ANSWER_MAX_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class BoundPorts:
    """The ports to listen on; 0: the system chooses."""

    page_port: int
    endpoint_port: int
    remark: str = ""
    """What the user should know about the choice."""


def bind(port: int | None, *, has_page: bool) -> BoundPorts:
    """Choose the ports. Raises SettingsError when `port` or the next one is taken, or not for everybody."""
    if port == 0:
        return BoundPorts(0, 0)
    first = PAGE_PORT if port is None else port
    taken = [number for number in ((first, first + 1) if has_page else (first + 1,)) if not _is_free(number)]
    if not taken:
        return BoundPorts(first, first + 1)
    holder = _holder(first)
    if port is None:
        return BoundPorts(0, 0, f"{holder or f'port {taken[0]} is taken'}: this one takes other ports")
    raise SettingsError(
        f"port {taken[0]} is taken{f' ({holder})' if holder else ''}; choose another --port, or 0 for any free ones"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As asyncio's servers do: a port whose last connections are only fading away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            raise SettingsError(f"port {port} is not for everybody: choose a --port of 1024 or above") from None
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """Say which `forebay local` has the port; empty when it is something else."""
    who = who_is_at(port)
    return (
        "" if who is None else f"another `forebay local` (process {who['process_id']}) is at http://{LOOPBACK}:{port}"
    )


def who_is_at(port: int) -> dict[str, object] | None:
    """Ask who has a port: `process_id` and `page` of a page of ours. None: it is something else. This waits."""
    opener = build_opener(ProxyHandler({}))  # A proxy knows nothing of this machine's ports.
    try:
        with opener.open(f"http://{LOOPBACK}:{port}{WHO_PATH}", timeout=PATIENCE_S) as answer:
            said: object = json.loads(answer.read(ANSWER_MAX_BYTES))
    except (OSError, ValueError):
        return None
    if not isinstance(said, dict) or "process_id" not in said:
        return None
    return cast("dict[str, object]", said)
