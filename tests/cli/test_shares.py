"""Shares and batches against the slots of a run: the default holds them, and a setting that cannot is refused."""

from __future__ import annotations

import pytest

from forebay import Batch, Worker
from forebay.api.options import RunOptions
from forebay.cli.run import options_for
from forebay.errors import SettingsError

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/thumbnails"


def worker() -> Worker:
    """One job with a share of 60 slots, and one of batches of 50, both in threads."""
    worker = Worker("thumbnails")

    @worker.job(slots=60)
    def resize(key: str) -> None: ...

    @worker.batch(size=50)
    def insert(keys: Batch[str]) -> None: ...

    return worker


def options(**given: str) -> RunOptions:
    return options_for(worker(), [URL], given)


def test_the_default_slots_hold_the_largest_share_and_batch() -> None:
    """A small machine has few slots for jobs in threads: 4 for each core."""
    assert options().settings.slots >= 60


def test_more_slots_than_any_share_are_fine() -> None:
    assert options(slots="100").settings.slots == 100


def test_fewer_slots_than_a_share_are_refused() -> None:
    with pytest.raises(SettingsError, match="slots=60 of job 'resize' is over the worker's slots=55"):
        options(slots="55")


def test_fewer_slots_than_a_batch_are_refused() -> None:
    worker = Worker("ingest")

    @worker.batch(size=50)
    def insert(keys: Batch[str]) -> None: ...

    with pytest.raises(SettingsError, match="size=50 of batch job 'insert' is over the worker's slots=40"):
        options_for(worker, [URL], {"slots": "40"})
