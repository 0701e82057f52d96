"""Files of a project are written all together or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from forebay.deploy import new_files
from forebay.errors import ManifestError


def names(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_all_files_are_written_and_nothing_else_stays_behind(tmp_path: Path) -> None:
    new_files.write({tmp_path / "a": "one\n", tmp_path / "b": "zwei ü\n"})

    assert names(tmp_path) == {"a": "one\n", "b": "zwei ü\n"}


def test_a_new_file_may_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        new_files.write({tmp_path / "a": ""})
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_file_that_is_there_stays_and_so_does_the_rest_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine")

    with pytest.raises(ManifestError, match="b is there already: --force replaces it"):
        new_files.write({tmp_path / "a": "one", tmp_path / "b": "two"})

    assert names(tmp_path) == {"b": "mine"}


def test_what_may_be_replaced_is_put_back_when_a_later_file_fails(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "b").mkdir()

    with pytest.raises(ManifestError, match="b cannot be written: Is a directory"):
        new_files.write({tmp_path / "a": "one", tmp_path / "b": "two"}, replacing=[tmp_path / "a", tmp_path / "b"])

    assert names(tmp_path) == {"a": "mine"}


def test_a_link_that_leads_nowhere_counts_as_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "gone")

    assert new_files.existing([tmp_path / "a", tmp_path / "b"]) == [tmp_path / "a"]
    with pytest.raises(ManifestError, match="is there already"):
        new_files.write({tmp_path / "a": "one"})


def test_a_missing_folder_is_told_by_the_files_name(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="gone/a cannot be written: No such file"):
        new_files.write({tmp_path / "gone" / "a": "one"})
