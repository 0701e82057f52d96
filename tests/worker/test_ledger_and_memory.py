"""The account of every message, and the memory of those done."""

from __future__ import annotations

from typing import get_args

from forebay.worker.ledger import Column, Ledger
from forebay.worker.memory import AT_LEAST, Memory


def test_every_column_counts_towards_what_has_ended() -> None:
    """Unequal numbers, so that no column can stand for another."""
    ledger = Ledger()
    for index, column in enumerate(get_args(Column)):
        for _ in range(2**index):
            ledger.add(column)
    total = 2 ** len(get_args(Column)) - 1
    ledger.received = total + 3

    assert ledger.ended == total
    assert ledger.orphaned(held=3) == 0
    assert ledger.orphaned(held=0) == 3


def test_the_fields_of_the_last_event_are_the_columns_and_what_was_received() -> None:
    assert set(Ledger().as_fields()) == {"received", *get_args(Column)}


def test_the_newest_messages_are_remembered_and_the_oldest_forgotten() -> None:
    memory = Memory()
    for number in range(5 * AT_LEAST):
        memory.add(("q", str(number)))

    assert all(("q", str(number)) in memory for number in range(4 * AT_LEAST, 5 * AT_LEAST))
    assert ("q", "0") not in memory
    assert len(memory._new) + len(memory._old) <= 2 * AT_LEAST
