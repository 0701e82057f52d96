"""A manifest as text for people: values with remarks above their keys. Pure.

Rules kept here and nowhere else:

1. What `reading` reads of the text is what was given: texts that look like something else stand in quotes.
2. The section `run:` has plain values only, because it is read without a YAML library in the worker's container.
3. Remarks are wrapped, and belong to the key below them.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import yaml

SCHEMA_FILE = "forebay.schema.json"
SCHEMA_LINE = f"# yaml-language-server: $schema=./{SCHEMA_FILE}"
"""What editors look for. The file stands beside the manifest, so that it is of the Forebay that reads it."""

WIDTH = 110
_LIKE_A_NUMBER = re.compile(r"[-+.]*[0-9][-+.0-9eE]*")


def text(values: Mapping[str, Any], remarks: Mapping[str, str] | None = None) -> str:
    """Return the manifest. `remarks` has words for keys, by their place (`image.build`)."""
    return "\n".join(_mapping(values, remarks or {}, "", 0)) + "\n"


def comment(words: str, *, indent: int = 0, hanging: str = "") -> list[str]:
    """Return `words` as comment lines; all but the first begin with `hanging`."""
    edge = " " * indent + "# "
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=edge,
        subsequent_indent=edge + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _mapping(values: Mapping[str, Any], remarks: Mapping[str, str], place: str, indent: int) -> Iterator[str]:
    for key, value in values.items():
        here = f"{place}.{key}" if place else str(key)
        if here in remarks:
            yield from comment(remarks[here], indent=indent)
        yield from _entry(f"{' ' * indent}{scalar(str(key))}:", value, remarks, here, indent)


def _entry(head: str, value: Any, remarks: Mapping[str, str], place: str, indent: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        section = cast("Mapping[str, Any]", value)
        yield head if section else f"{head} {{}}"
        yield from _mapping(section, remarks, place, indent + 2)
    elif isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        if all(not isinstance(item, Mapping | list | tuple) for item in items):
            yield f"{head} [{', '.join(scalar(item, in_list=True) for item in items)}]"
            return
        yield head
        for item in items:
            yield from _item(item, remarks, place, indent + 2)
    else:
        yield f"{head} {scalar(value)}"


def _item(item: Any, remarks: Mapping[str, str], place: str, indent: int) -> Iterator[str]:
    edge = " " * indent
    if not isinstance(item, Mapping) or not item:
        yield f"{edge}- {_in_a_line(item)}"
        return
    lines = _mapping(cast("Mapping[str, Any]", item), remarks, place, indent + 2)
    yield f"{edge}- {next(lines).lstrip()}"
    yield from lines


def scalar(value: Any, *, in_list: bool = False) -> str:
    """Return one value as it is written."""
    if not isinstance(value, str):
        return json.dumps(value)
    # PyYAML knows the older numbers only, and wraps what has lines.
    if not value.isprintable() or _LIKE_A_NUMBER.fullmatch(value):
        return _quoted(value)
    # Inside of brackets fewer texts may go without quotes.
    shown: str = yaml.safe_dump(  # pyright: ignore[reportUnknownMemberType]  (its stubs leave the stream's type open)
        [value] if in_list else value, width=2**20, allow_unicode=True, default_flow_style=in_list
    )
    shown = shown.removesuffix("\n").removesuffix("\n...")
    return shown[1:-1] if in_list else shown


def _in_a_line(value: Any) -> str:
    """Return a list or an empty section of a list, which stand in one line with their contents."""
    if isinstance(value, Mapping):
        section = cast("Mapping[str, Any]", value)
        return f"{{{', '.join(f'{_quoted(key)}: {_in_a_line(item)}' for key, item in section.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_in_a_line(item) for item in cast('Sequence[Any]', value))}]"
    return scalar(value, in_list=True)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def _quoted(text: str) -> str:
    """Return the text in double quotes, in which every character can be written."""
    return f'"{"".join(_ESCAPES.get(character) or _escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
