"""What is written of a manifest is read as what was given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.deploy.copilot.conversion import values_of
from forebay.deploy.manifest import writing
from forebay.deploy.manifest.reading import read

HARD = [
    "x: y", "- b", "yes", "1.10", "1e3", "0123",
    "~", "null", "true", "#c", "a #b", "a,b", "[", "]", "{", "a\nb", "ü", "", "'q'",
    '"', "!x", "*a", "&b", "%", "@", "`", "a: ", "x ", " x", "12:30", "\u200b", "\x85", "=", "<<", "?", "|", ">", "---",
]  # fmt: skip
SINGLE = st.one_of(
    st.sampled_from(HARD), st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.integers(-9, 99), st.booleans()
)
VALUES = st.recursive(
    SINGLE,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b-c", "arn:x", "d.e", "1"]), inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    text = writing.text({"name": "x", "given": value})

    assert values_of(read(text.encode(), "forebay.yml")[1]) == {"name": "x", "given": value}


@pytest.mark.parametrize("text", HARD)
def test_a_text_stays_a_text_also_in_a_list_and_as_a_key(text: str) -> None:
    written = writing.text({"one": text, "list": [text, text], "map": {f"{text}-": text}})

    assert values_of(read(written.encode(), "forebay.yml")[1]) == {
        "one": text,
        "list": [text, text],
        "map": {f"{text}-": text},
    }


def test_a_remark_stands_above_its_key_and_is_wrapped() -> None:
    text = writing.text({"image": {"build": {"context": "."}}}, {"image.build": "word " * 30})

    lines = text.splitlines()
    assert [line.split(" ")[:4] for line in lines[:3]] == [["image:"], ["", "", "#", "word"], ["", "", "#", "word"]]
    assert lines[3] == "  build:"
    assert max(map(len, lines)) <= writing.WIDTH
