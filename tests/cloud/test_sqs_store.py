"""The file of the queues: who may read it, who may have it, and which files are refused."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from forebay.cloud.sqs_journal import open_journal
from forebay.cloud.sqs_store import FILE, Batch, QueueDataError, QueueDataInUse, QueueStore
from forebay.rules.queue_semantics import QueueService, SendEntry


def _open(folder: Path, region: str = "us-east-1", account: str = "000000000000") -> QueueStore:
    return QueueStore(folder, region=region, account=account)


def _restore(folder: Path) -> QueueService:
    rules = QueueService("us-east-1", "000000000000", Random(1))
    open_journal(folder, rules, Random(1), seed=1, epoch_s=0.0).close()
    return rules


def _fill(folder: Path) -> None:
    """Leave one queue with one message."""
    rules = QueueService("us-east-1", "000000000000", Random(1))
    journal = open_journal(folder, rules, Random(1), seed=1, epoch_s=0.0)
    url = rules.create_queue("jobs", now=0.0)
    rules.send(url, SendEntry(body="x"), now=0.0)
    journal.close()
    assert journal.failure is None


def _change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as database:
        database.execute(statement)


def test_nobody_else_can_read_what_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    store = _open(folder)
    store.write(Batch(deleted_queues=[("a", 1.0)]))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    store.close()

    assert modes.pop("data") == 0o700
    assert f"{FILE}-wal" in modes
    assert set(modes.values()) == {0o600}


def test_a_folder_is_of_one_process_at_a_time(tmp_path: Path) -> None:
    first = _open(tmp_path)
    with pytest.raises(QueueDataInUse, match="another process keeps its queues in"):
        _open(tmp_path)
    first.close()

    _open(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(QueueDataError, match=r"file/data cannot hold queues \(Not a directory\): name another folder"):
        _open(tmp_path / "file" / "data")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    _fill(tmp_path)
    _change(tmp_path, "PRAGMA user_version = 99")
    before = (tmp_path / FILE).read_bytes()

    with pytest.raises(QueueDataError, match=r"written by a newer Forebay \(format 99, this one knows 1\)"):
        _open(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("surroundings", [("eu-west-1", "000000000000"), ("us-east-1", "111111111111")])
def test_queues_of_another_region_or_account_are_not_mixed_up(tmp_path: Path, surroundings: tuple[str, str]) -> None:
    _fill(tmp_path)

    with pytest.raises(QueueDataError, match="holds queues of account us-east-1/000000000000, not of"):
        _open(tmp_path, *surroundings)


def _overwrite(folder: Path) -> None:
    text = bytearray((folder / FILE).read_bytes())
    text[4096:] = b"\xff" * (len(text) - 4096)
    (folder / FILE).write_bytes(text)


def _replace(folder: Path) -> None:
    (folder / FILE).write_bytes(b"no database" * 1_000)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "pages overwritten": _overwrite,
    "not a database": _replace,
    "a table is missing": lambda folder: _change(folder, "DROP TABLE places"),
    "a body is missing": lambda folder: _change(folder, "DELETE FROM contents"),
    "a queue is missing": lambda folder: _change(folder, "DELETE FROM queues"),
    "attributes that SQS refuses": lambda folder: _change(
        folder, """UPDATE queues SET attributes = '{"VisibilityTimeout": "-1"}'"""
    ),
    "attributes that are none": lambda folder: _change(folder, "UPDATE queues SET attributes = 'x'"),
    "a place that is none": lambda folder: _change(folder, "UPDATE places SET place = 7"),
    "nobody's": lambda folder: _change(folder, "DELETE FROM surroundings"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_as_a_whole_and_the_folder_is_free_again(tmp_path: Path, damage: str) -> None:
    _fill(tmp_path)
    DAMAGES[damage](tmp_path)

    for _ in range(2):
        with pytest.raises(QueueDataError, match="move it away, with the files beside it, to begin with none") as error:
            _restore(tmp_path)
        assert not isinstance(error.value, QueueDataInUse)


def test_an_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    """So a process leaves it that is killed between making the file and making the tables."""
    (tmp_path / FILE).write_bytes(b"")

    assert not _restore(tmp_path).registry.by_name
