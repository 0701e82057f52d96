"""Each setting of `forebay run` with its value and where that comes from: what `forebay doctor --settings` shows."""

from __future__ import annotations

import json

from forebay.api.options import RunOptions
from forebay.cli.console import tell
from forebay.cli.resolve import SETTINGS
from forebay.cli.run import options_for
from forebay.cli.target import load_chosen


def show(target: str | None, *, as_json: bool) -> None:
    """Print the settings. Raises what `forebay run` would raise for them. Touches nothing but this machine."""
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
