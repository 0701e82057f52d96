"""Whatever a file holds, it becomes a manifest or a complaint with a place; and a worker reads it as everybody else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from forebay.api import project_file
from forebay.cli.resolve import SETTINGS
from forebay.deploy.manifest.complaints import keys_at
from forebay.deploy.manifest.loading import Loaded, parsed
from forebay.errors import ManifestError, SettingsError

PLACE = re.compile(r"^forebay\.yml:[1-9][0-9]*:[1-9][0-9]*: .", re.DOTALL)
LAST_LINE = re.compile(r"^forebay\.yml: and [0-9]+ more$")

KEYS = sorted(
    {*keys_at(()), *keys_at(("queue",)), *keys_at(("run",)), *keys_at(("network",)), *keys_at(("schedules", "x1"))}
)

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["1h", "fifo"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=25,
)


def told(content: bytes) -> Loaded | None:
    """The manifest, or None when each line of what is said instead begins with a place."""
    try:
        return parsed(content, file="forebay.yml", folder=Path())
    except ManifestError as error:
        lines = str(error).splitlines()
        if "several environments" not in lines[0]:
            assert all(PLACE.match(line) or (line is lines[-1] and LAST_LINE.match(line)) for line in lines), lines
        return None


@given(st.dictionaries(st.sampled_from(KEYS), junk, max_size=8))
def test_any_values_under_any_keys_give_a_manifest_or_complaints_with_places(values: dict[str, Any]) -> None:
    content = yaml.safe_dump({"name": "shop", **values}, allow_unicode=True).encode()

    loaded = told(content)

    assert loaded is None or loaded.manifest.name


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_manifest_or_complaints_with_places(content: bytes) -> None:
    told(content)


PIECES = [
    *(
        "name: shop",
        "run:",
        "queue:",
        "  ",
        "- ",
        "slots: 5",
        "  slots: 5",
        "handler: a:b",
        "&a ",
        "*a",
        "!x ",
        "{",
        "}",
    ),
    *(
        "[",
        "]",
        ": ",
        "? ",
        "'",
        '"',
        ">",
        "# x",
        "---\n",
        "environments:",
        "  test:",
        "<<: *a",
        "|",
        "\t",
        "\n",
        "\n",
        "\n",
    ),
]

yaml_like = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


MARK = "hunter2"
hidden = st.recursive(
    st.sampled_from([MARK, f"x{MARK}", f"{MARK}: a", f"*{MARK}", f"{{{MARK}"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.sampled_from(["A", "B C"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.sampled_from(["variables", "secrets", "args", "body"]), hidden, st.booleans())
def test_no_complaint_shows_what_may_be_secret(section: str, value: Any, is_override: bool) -> None:
    said: Any = {
        "args": {"image": {"build": {"args": value}}},
        "body": {"schedules": {"nightly": {"every": "5m", "jitter": "soon", "body": value}}},
    }.get(section, {section: value})
    rest: Any = {"environments": {"test": said}} if is_override else said

    with pytest.raises(ManifestError) as raised:  # For the count, at least.
        parsed(yaml.safe_dump({"name": "shop", "count": -1, **rest}).encode(), file="forebay.yml", folder=Path())

    assert MARK not in str(raised.value)


@given(yaml_like)
def test_any_pieces_of_yaml_give_a_manifest_or_complaints_with_places(text: str) -> None:
    told(text.encode())


def _key(line: str) -> str:
    return line.partition(":")[0].replace("_", "-")


numbers = st.integers(-5, 200_000).map(str) | st.floats(0, 1e5).map(str)
WORDS = [
    *(
        "json",
        "text",
        "auto",
        "never",
        "full",
        "true",
        "yes",
        "off",
        "64MiB",
        "127.0.0.1:8080",
        "010",
        "1_0",
        "0x10",
        "1e3",
    ),
    *(
        "~",
        "null",
        "Null",
        "''",
        "'5'",
        '"7"',
        "[a,b]",
        "['a', 'b c']",
        "[]",
        "{}",
        "it's",
        "'it''s'",
        "12:30",
        "inf",
        "nan",
    ),
    *("https://sqs.eu-west-1.amazonaws.com/1/a#b", "*a", "&a 5", "|", "é", "5 # five", "a b", "- 5", "\n    5", "5 \t"),
    *("\n    - a\n    - b", "\n  - a\n  - 'b'", "\n    # c", "5\n    6"),
]
words = st.sampled_from(WORDS)
keys = st.sampled_from([*SETTINGS, *(name.replace("-", "_") for name in SETTINGS), "queue"])
fine = st.sampled_from(
    ["slots: 5", "visibility: '90'", "drain: 50.5", "log: json  # lines", "exit_when_empty: yes", "slots: 1_0",
     "exit-when-empty: False", "buffer-bytes: 64MiB", "queue: [a, 'b']", "queue:\n    - a\n    - b", "linger:",
     "health: 127.0.0.1:80", "margin: ~", 'protect: "auto"', "processes: 010",
     "dead-letter: https://sqs.eu-west-1.amazonaws.com/1/a#b"]
)  # fmt: skip
run_lines = st.lists(
    fine | st.tuples(keys, st.just(": ") | st.just(":  "), numbers | words).map("".join), max_size=4, unique_by=_key
)
handlers = st.sampled_from(
    ["", "handler:\n", "handler: shop.jobs:worker\n", "handler: 'a'  # b\n", 'handler: "a:b"\n', "handler:\n  a:b\n",
     "handler: a\n  b\n", "'handler': a\n", "handler: ~\n", "handler: |\n  a\n"]
)  # fmt: skip
others = st.sampled_from(
    ["", "queue: {delay: 5}\n", "variables:\n  A: |\n    run:\n      slots: 5\n", "tags: {a: 'run:'}\n", "# run:\n"]
)


@given(st.tuples(handlers, others, run_lines, others))
def test_a_worker_reads_the_same_settings_as_a_deployment(parts: tuple[str, str, list[str], str]) -> None:
    """A manifest that loads says the same to both; one that says something else to a worker does not load."""
    handler, before, lines, after = parts
    text = f"name: shop\n{handler}{before}run:\n" + "".join(f"  {line}\n" for line in lines) + after
    loaded = told(text.encode())
    if loaded is None:
        return

    settings = project_file.parse(text)
    named = project_file.handler_in(text)

    assert loaded.manifest.handler == (named.values[0] if named else None)
    run = loaded.manifest.run
    assert run.queue == (settings["queue"].values if "queue" in settings else ())
    for name, setting in SETTINGS.items():
        value = getattr(run, name.replace("-", "_"))
        if name not in settings:
            assert value is None, name
        elif setting.field is not None:
            (written,) = settings[name].values
            assert value == setting.read(written), name


@given(numbers | words, keys)
def test_a_setting_that_a_worker_refuses_is_refused_before(value: str, key: str) -> None:
    text = f"name: shop\nrun:\n  {key}: {value}\n"
    try:
        settings = project_file.parse(text)
        for name, written in settings.items():
            setting = SETTINGS.get(name)
            if setting is not None and setting.field is not None:
                (one,) = written.values
                setting.read(one)
    except (SettingsError, ValueError):
        assert told(text.encode()) is None
