"""`forebay health`: asks a running worker whether it is well; for the health check of a container."""

from __future__ import annotations

import http.client
import json
import os
from typing import Annotated, Any, cast

import typer

from forebay.cli.console import complain, tell
from forebay.cli.values import address
from forebay.errors import SettingsError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

DEFAULT = "127.0.0.1:8080"
ANSWER_MAX_S = 4.0
"""Under the 5 s that ECS gives a health check unless told otherwise."""

EPILOG = """\b
Examples:
  forebay health                         (where FOREBAY_HEALTH says, else 127.0.0.1:8080)
  forebay health --ready 127.0.0.1:9090

\b
In a task definition: "healthCheck": {"command": ["CMD", "forebay", "health"]}
Leave --ready out there: ECS replaces unhealthy tasks even when they are protected, and an outage of SQS must not
kill running jobs."""


@app.command(epilog=EPILOG)
def health(
    where: Annotated[
        str | None, typer.Argument(metavar="HOST:PORT", show_default=False, help="What the worker's --health says.")
    ] = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask whether work can arrive, not only whether it lives.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the worker's whole answer.")] = False,
) -> None:
    """Ask a running worker whether it is alive. Exits 0 if so, 1 if not or if nobody answers."""
    host, port = _address(where)
    status, page = ask(host, port, "/ready" if ready else "/live")
    is_well = status == 200
    if as_json:
        tell(json.dumps(page, ensure_ascii=False))
    elif is_well:
        tell(" ".join(("ready" if ready else "alive", *(f"({note})" for note in page.get("notes", ())))))
    else:
        for reason in page.get("reasons") or (f"status {status}",):
            complain(reason)
    raise typer.Exit(0 if is_well else 1)


def _address(where: str | None) -> tuple[str, int]:
    text = where or os.environ.get("FOREBAY_HEALTH") or DEFAULT
    try:
        host, port = address(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} must be {error}") from None
    # A worker that listens on every address is asked on this machine's own.
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104  (compared, not listened on)


def ask(host: str, port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and page of the worker's answer; status 0 and the reason when there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_MAX_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        page: object = json.loads(response.read(65_536))
        return response.status, cast("dict[str, Any]", page) if isinstance(page, dict) else {}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, {"ok": False, "reasons": [f"no worker answers at {host}:{port}: {error or type(error).__name__}"]}
    finally:
        connection.close()
