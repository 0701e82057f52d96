"""The file in which queues outlive the process: an SQLite database in a folder that one process has for itself.

Rules kept here and nowhere else:

1. A batch of changes is written whole or not at all. What was written survives the death of the process, be it by
   SIGKILL. A machine that loses its power may lose the last transactions, and nothing older (SQLite's documentation,
   "PRAGMA synchronous", NORMAL with a write-ahead log).
2. Only its owner can read what is written: the folder is made with 0700, each file with 0600.
3. One process at a time has a folder. A file that is newer, damaged or of another Region is refused, never mended.
4. Instants are Unix time in here: a clock that starts with the process means nothing to the next one.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = 1
FILE = "queues.sqlite3"
LOCK = "queues.lock"

Row = tuple[Any, ...]

SERIAL_BITS = 40
"""A message's key is its queue's number above its serial, so that the messages of a queue lie together."""

_TABLES = f"""
BEGIN;
CREATE TABLE surroundings (region TEXT NOT NULL, account TEXT NOT NULL, starts INTEGER NOT NULL);
CREATE TABLE queues (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, attributes TEXT NOT NULL, tags TEXT NOT NULL,
    created_s INTEGER NOT NULL, modified_s INTEGER NOT NULL, purged_at REAL, seal INTEGER NOT NULL,
    serial INTEGER NOT NULL
);
CREATE TABLE deleted_queues (name TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE contents (
    id INTEGER PRIMARY KEY, message_id TEXT NOT NULL, body TEXT NOT NULL, body_md5 TEXT NOT NULL, attributes TEXT,
    attributes_md5 TEXT, sent_at_ms INTEGER NOT NULL, message_group TEXT, trace_header TEXT, dedupe TEXT
);
CREATE TABLE places (
    id INTEGER PRIMARY KEY, sent_at REAL NOT NULL, place INTEGER NOT NULL, line INTEGER NOT NULL,
    hidden_until REAL NOT NULL, ticket INTEGER NOT NULL, delivery INTEGER NOT NULL, receive_count INTEGER NOT NULL,
    receives_here INTEGER NOT NULL, received_at REAL NOT NULL, first_received_at_ms INTEGER NOT NULL,
    dead_letter_source TEXT
);
CREATE TABLE sends (
    queue INTEGER NOT NULL, message_group TEXT NOT NULL, dedupe TEXT NOT NULL, message_id TEXT NOT NULL,
    serial INTEGER NOT NULL, sent_at REAL NOT NULL, PRIMARY KEY (queue, message_group, dedupe)
) WITHOUT ROWID;
CREATE TABLE receives (
    queue INTEGER NOT NULL, token TEXT NOT NULL, asked_at REAL NOT NULL, receipts TEXT NOT NULL,
    PRIMARY KEY (queue, token)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
# What a message is never changes and may be long; where it is changes with every receive, and is short.


class QueueDataError(OSError):
    """The folder or its file cannot be used. The text is one sentence with the remedy."""


class QueueDataInUse(QueueDataError):
    """Another process has the folder."""


def _rows() -> list[Row]:
    return []


@dataclass(slots=True)
class Batch:
    """Changes that belong together. Each row has the columns of its table, in their order."""

    queues: list[Row] = field(default_factory=_rows)
    serials: list[Row] = field(default_factory=_rows)
    """(last serial, queue's number)"""
    queues_gone: list[int] = field(default_factory=list[int])
    deleted_queues: list[Row] = field(default_factory=_rows)
    contents: list[Row] = field(default_factory=_rows)
    places: list[Row] = field(default_factory=_rows)
    messages_gone: list[Row] = field(default_factory=_rows)
    sends: list[Row] = field(default_factory=_rows)
    sends_gone: list[Row] = field(default_factory=_rows)
    receives: list[Row] = field(default_factory=_rows)
    receives_gone: list[Row] = field(default_factory=_rows)

    @property
    def statements(self) -> Iterable[tuple[str, list[Row]]]:
        """What is to be carried out, in order."""
        return (
            ("INSERT OR REPLACE INTO queues VALUES (?,?,?,?,?,?,?,?,?)", self.queues),
            ("UPDATE queues SET serial = ? WHERE number = ?", self.serials),
            ("INSERT OR REPLACE INTO deleted_queues VALUES (?,?)", self.deleted_queues),
            ("INSERT INTO contents VALUES (?,?,?,?,?,?,?,?,?,?)", self.contents),
            ("INSERT OR REPLACE INTO places VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", self.places),
            ("DELETE FROM contents WHERE id = ?", self.messages_gone),
            ("DELETE FROM places WHERE id = ?", self.messages_gone),
            ("INSERT OR REPLACE INTO sends VALUES (?,?,?,?,?,?)", self.sends),
            ("DELETE FROM sends WHERE queue = ? AND message_group = ? AND dedupe = ?", self.sends_gone),
            ("INSERT OR REPLACE INTO receives VALUES (?,?,?,?)", self.receives),
            ("DELETE FROM receives WHERE queue = ? AND token = ?", self.receives_gone),
        )


class QueueStore:
    """The open file. Belongs to the thread that opened it."""

    def __init__(self, folder: Path, *, region: str, account: str) -> None:
        """Open the file, which is made if there is none. Raises `QueueDataError`."""
        self.path = folder / FILE
        self._lock = _locked(folder)
        try:
            self._database = _opened(self.path)
            try:
                self.starts = self._start(region, account)
                """How many processes have had it, this one included."""
            except BaseException:
                self._database.close()
                raise
        except sqlite3.Error as error:
            os.close(self._lock)
            raise self.damaged(error) from error
        except BaseException:
            os.close(self._lock)
            raise

    def damaged(self, error: Exception) -> QueueDataError:
        """Return how to say that the file holds what it cannot hold."""
        return QueueDataError(
            f"{self.path} cannot be read as queues ({type(error).__name__}: {_first_line(error)}): "
            "move it away, with the files beside it, to begin with none, or name another folder"
        )

    def _start(self, region: str, account: str) -> int:
        """Make the tables, or see that they are ours; count this start."""
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise QueueDataError(
                f"{self.path} was written by a newer Forebay (format {version}, this one knows {SCHEMA}): "
                "use that one, or name another folder"
            )
        if version == 0:
            self._database.executescript(_TABLES)
            self._database.execute("INSERT INTO surroundings VALUES (?,?,0)", (region, account))
        kept = self._database.execute("SELECT region, account, starts FROM surroundings").fetchone()
        if kept is None:
            raise sqlite3.DatabaseError("it does not say whose queues it holds")
        if kept[:2] != (region, account):
            raise QueueDataError(
                f"{self.path} holds queues of account {kept[0]}/{kept[1]}, not of {region}/{account}: "
                "ask for that Region and account, or name another folder"
            )
        self._database.execute("UPDATE surroundings SET starts = starts + 1")
        return int(kept[2]) + 1

    def rows(self, table: str) -> Iterable[Row]:
        """Return every row of a table, in the order of its key."""
        return self._database.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of our own words

    def messages(self) -> Iterable[Row]:
        """Return the row of `places` and that of `contents` of every message, one after the other."""
        return self._database.execute("SELECT * FROM places LEFT JOIN contents USING (id) ORDER BY id")

    def write(self, batch: Batch) -> None:
        """Write all of it or nothing. Raises `QueueDataError` when the disk does not take it."""
        try:
            with self._database:
                self._database.execute("BEGIN")
                for statement, rows in batch.statements:
                    if rows:
                        self._database.executemany(statement, rows)
                for number in batch.queues_gone:
                    self._remove_queue(number)
        except sqlite3.Error as error:
            raise QueueDataError(
                f"{self.path} cannot be written ({_first_line(error)}): nothing was acknowledged that it does not "
                "hold; make room on the disk, then start again"
            ) from error

    def _remove_queue(self, number: int) -> None:
        first, end = number << SERIAL_BITS, (number + 1) << SERIAL_BITS
        for table in ("contents", "places"):
            self._database.execute(f"DELETE FROM {table} WHERE id >= ? AND id < ?", (first, end))  # noqa: S608 - ours
        for table, column in (("sends", "queue"), ("receives", "queue"), ("queues", "number")):
            self._database.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608 - ours

    def close(self) -> None:
        """Close the file and let others have the folder."""
        self._database.close()
        os.close(self._lock)


def _locked(folder: Path) -> int:
    """Make the folder, and take its lock; return the lock's descriptor."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise QueueDataError(f"{folder} cannot hold queues ({error.strerror}): name another folder") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise QueueDataInUse(f"another process keeps its queues in {folder}: stop it, or name another folder") from None
    return lock


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same mode.
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        database.close()
        raise
    return database


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
