"""`forebay version`: says what is installed."""

from __future__ import annotations

import importlib.util
import json
import platform
from importlib import metadata
from typing import Annotated

import typer

from forebay.cli.console import tell

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Example:
  forebay version --json"""


@app.command(epilog=EPILOG)
def version(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Print the version of Forebay, of Python, and whether the extra [fast] is there."""
    forebay = metadata.version("forebay")
    is_fast = all(importlib.util.find_spec(name) is not None for name in ("uvloop", "orjson"))
    if as_json:
        tell(json.dumps({"forebay": forebay, "python": platform.python_version(), "fast": is_fast}))
        return
    tell(f"forebay {forebay} (Python {platform.python_version()}, {'with' if is_fast else 'without'} [fast])")
