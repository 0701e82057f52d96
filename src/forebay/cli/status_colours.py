"""Colour for the lines of `forebay status` on a terminal: it adds to the words and never replaces one."""

from __future__ import annotations

import re

from rich.text import Text

STYLES = (
    (re.compile(r"\b(RUNNING|OK)\b|\[completed\]|█+"), "green"),
    (re.compile(r"\b(PROVISIONING|PENDING|ACTIVATING|DEACTIVATING|STOPPING)\b|, stopping|\[in progress\]"), "yellow"),
    (re.compile(r"\b(ALARM|UNHEALTHY)\b|\[failed\]|^  not read: .*| [1-9][\d,]* dead letters?"), "red"),
    (re.compile(r"^\S.*"), "bold"),
    (re.compile(r"^      → .*|\buntil \d\d:.*?\)"), "cyan"),
)


def coloured(line: str) -> Text:
    """Return the line with its colours."""
    text = Text(line)
    for pattern, style in STYLES:
        text.highlight_regex(pattern, style)
    return text
