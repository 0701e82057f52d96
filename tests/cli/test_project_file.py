"""The section `run:` of forebay.yml."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.api.project_file import Written, parse, read
from forebay.errors import SettingsError


def test_the_sections_values_are_found_with_their_lines() -> None:
    found = parse(
        "# how we run\n"
        "name: shop\n"
        "run:\n"
        "  slots: 200   # plenty\n"
        "  protect: 'never'\n"
        "  exit_when_empty: false\n"
        "  health: 127.0.0.1:8080\n"
        "  queue:\n"
        "    - https://sqs.eu-west-1.amazonaws.com/1/a\n"
        '    - "https://sqs.eu-west-1.amazonaws.com/1/b#c"\n'
        "  log: json\n"
        "  drain: null\n"
        "deploy: {anything: [goes, here]}\n"
        "  slots: &not-ours 3\n"
    )

    assert found == {
        "slots": Written(("200",), "forebay.yml line 4"),
        "protect": Written(("never",), "forebay.yml line 5"),
        "exit-when-empty": Written(("false",), "forebay.yml line 6"),
        "health": Written(("127.0.0.1:8080",), "forebay.yml line 7"),
        "queue": Written(
            ("https://sqs.eu-west-1.amazonaws.com/1/a", "https://sqs.eu-west-1.amazonaws.com/1/b#c"),
            "forebay.yml line 8",
        ),
        "log": Written(("json",), "forebay.yml line 11"),
    }


def test_a_list_in_brackets_is_read_too() -> None:
    assert parse("run:\n  queue: [a, 'b']\n")["queue"].values == ("a", "b")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("run: 5\n", "line 1: `run:` holds settings"),
        ("run:\n\tslots: 5\n", "line 2: indented with a tab"),
        ("run:\n  slots 5\n", "line 2: expected `key: value`"),
        ("run:\n  slots: 5\n    deeper: 6\n", "line 3: expected `key: value`"),
        ("run:\n  slots: 5\n  slots: 6\n", "line 3: slots is set twice"),
        ("run:\n  - 5\n", "line 2: a list item that belongs to no key"),
        ("run:\n  slots: {a: 1}\n", "line 2: '{a: 1}' is not a plain value"),
        ("run:\n  slots: *anchor\n", "is not a plain value"),
        ("run:\n  slots: |\n", "is not a plain value"),
        ("run:\n  queue: [a,\n", "line 2: a list in brackets must end on its line"),
        ('run:\n  queue: "a\\n"\n', "without backslashes"),
    ],
)
def test_what_it_does_not_understand_it_refuses_with_the_line(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse(text)


def test_there_need_not_be_a_file(tmp_path: Path) -> None:
    assert read(tmp_path) == {}


def test_a_file_that_cannot_be_read_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "forebay.yml").write_bytes(b"run:\n  log: \xff\n")

    with pytest.raises(SettingsError, match=r"forebay\.yml cannot be read"):
        read(tmp_path)


@given(st.text(alphabet="run: \n-[]{}'\"#\\&ab\t", max_size=60))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    found: dict[str, Written] = {}
    refused: str | None = None
    try:
        found = parse("run:\n  slots: 1\n" + text)
    except SettingsError as error:
        refused = str(error)

    assert refused is None or "forebay.yml line" in refused
    assert all(written.values for written in found.values())


@given(st.dictionaries(st.sampled_from(["slots", "drain", "log", "protect"]), st.integers(0, 10**6)))
def test_what_a_yaml_library_reads_in_plain_files_is_read_the_same(values: dict[str, int]) -> None:
    yaml = pytest.importorskip("yaml")
    text = "run:\n" + "".join(f"  {key}: {value}\n" for key, value in values.items())

    found = parse(text)

    assert {key: int(written.values[0]) for key, written in found.items()} == (yaml.safe_load(text)["run"] or {})
