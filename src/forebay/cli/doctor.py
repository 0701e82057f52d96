"""`forebay doctor`: shows what a worker would run with, and where each value comes from."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from forebay.api.options import RunOptions
from forebay.cli.console import tell
from forebay.cli.resolve import SETTINGS
from forebay.cli.run import Target, options_for
from forebay.cli.target import load_chosen

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Examples:
  forebay doctor --settings
  FOREBAY_SLOTS=200 forebay doctor --settings shop.jobs:worker --json

\b
Exits 0 when `forebay run` would accept these settings, 2 with the reason when not."""


@app.command(epilog=EPILOG)
def doctor(
    target: Target = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Each setting with its value and source (the default).")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show each setting of `forebay run` with its value and where that comes from. Touches nothing but this machine."""
    del settings  # The one examination there is so far, so that naming it changes nothing.
    options = options_for(load_chosen(target)[0], (), {}, needs_queue=False)
    rows = settings_with_sources(options)
    if as_json:
        tell(json.dumps({name: {"value": value, "source": source} for name, value, source in rows}, ensure_ascii=False))
        return
    for name, value, source in rows:
        tell(f"{name:<20} {shown(value):<44} {source}")


def settings_with_sources(options: RunOptions) -> list[tuple[str, object, str]]:
    """Return (setting, value, source) for every setting of a run."""
    rows: list[tuple[str, object, str]] = [("queue", list(options.queues), options.sources["queue"])]
    for setting in SETTINGS.values():
        if setting.field is not None:
            value = getattr(options.settings, setting.field)
            value = options.settings.trust_margin_s if setting.name == "margin" else value
        elif setting.name == "health":
            value = f"{options.health[0]}:{options.health[1]}" if options.health else None
        else:
            value = options.dead_letter
        rows.append((setting.name, value, options.sources[setting.name]))
    rows.append(("region", options.region, options.sources["region"]))
    rows.append(("endpoint", options.endpoint, options.sources["endpoint"]))
    return rows


def shown(value: object) -> str:
    """Return a value as people write it."""
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case list():
            return " ".join(map(str, value)) or "-"  # pyright: ignore[reportUnknownArgumentType]
        case float():
            return f"{value:g}"
        case _:
            return str(value)
