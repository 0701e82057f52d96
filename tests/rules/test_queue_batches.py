"""Batches: the envelope is judged as a whole, entries one by one."""

from __future__ import annotations

import pytest
from tests.rules.queues import Bench, bodies, refusal

from forebay.rules.queue_semantics import (
    ChangeEntry,
    DeleteEntry,
    SendEntry,
    SentMessage,
    ServiceFailure,
)

MEBIBYTE = 1_048_576


def _send_ids(bench: Bench, *ids: str) -> None:
    bench.rules.send_batch(bench.url, [SendEntry(body="x", entry_id=one) for one in ids], now=0.0)


def _delete_ids(bench: Bench, *ids: str) -> None:
    bench.rules.delete_batch(bench.url, [DeleteEntry(one, "r") for one in ids], now=0.0)


def _change_ids(bench: Bench, *ids: str) -> None:
    bench.rules.change_visibility_batch(bench.url, [ChangeEntry(one, "r", 0) for one in ids], now=0.0)


@pytest.mark.parametrize("call", [_send_ids, _delete_ids, _change_ids])
@pytest.mark.parametrize(
    ("ids", "shape"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["a", "b", "a"], "BatchEntryIdsNotDistinct"),
        ([""], "InvalidBatchEntryId"),
        (["a b"], "InvalidBatchEntryId"),
        (["invalid:id"], "InvalidBatchEntryId"),
        (["x" * 81], "InvalidBatchEntryId"),
        (["é"], "InvalidBatchEntryId"),
    ],
)
def test_a_bad_envelope_fails_the_whole_call(call: object, ids: list[str], shape: str) -> None:
    bench = Bench()
    assert callable(call)

    with pytest.raises(ServiceFailure) as caught:
        call(bench, *ids)

    assert refusal(caught.value) == (shape, f"AWS.SimpleQueueService.{shape}", 400)
    assert bench.counts() == (0, 0, 0)


@pytest.mark.parametrize("ids", [["a"], ["x" * 80], [str(number) for number in range(10)], ["A-z_0"]])
def test_a_good_envelope_is_carried_out(ids: list[str]) -> None:
    bench = Bench()

    _send_ids(bench, *ids)

    assert bench.counts() == (len(ids), 0, 0)


def test_a_batch_of_exactly_one_mebibyte_is_taken() -> None:
    bench = Bench()
    half = "x" * (MEBIBYTE // 2)

    results = bench.rules.send_batch(
        bench.url, [SendEntry(body=half, entry_id="1"), SendEntry(body=half, entry_id="2")], now=0.0
    )

    assert all(isinstance(result, SentMessage) for result in results)


def test_a_batch_above_one_mebibyte_is_refused_whole() -> None:
    bench = Bench()
    half = "x" * (MEBIBYTE // 2)

    with pytest.raises(ServiceFailure, match="You have sent 1048577 bytes") as caught:
        bench.rules.send_batch(
            bench.url, [SendEntry(body=half, entry_id="1"), SendEntry(body=half + "x", entry_id="2")], now=0.0
        )

    assert caught.value.shape == "BatchRequestTooLong"
    assert bench.counts() == (0, 0, 0)


def test_an_entry_that_is_refused_leaves_its_siblings_alone() -> None:
    bench = Bench()
    entries = [
        SendEntry(body="good", entry_id="1"),
        SendEntry(body="bad \x00", entry_id="2"),
        SendEntry(body="late", delay_s=901, entry_id="3"),
        SendEntry(body="fine", entry_id="4"),
    ]

    results = bench.rules.send_batch(bench.url, entries, now=0.0)

    codes = [result.legacy_code if isinstance(result, ServiceFailure) else "sent" for result in results]
    assert codes == ["sent", "InvalidMessageContents", "InvalidParameterValue", "sent"]
    assert bodies(bench.receive()) == ["good", "fine"]


def test_deletes_and_changes_answer_each_entry() -> None:
    bench = Bench()
    bench.send("a", "b")
    first, second = bench.receive()

    deleted = bench.rules.delete_batch(
        bench.url, [DeleteEntry("1", first.receipt), DeleteEntry("2", "no such receipt")], now=0.0
    )
    changed = bench.rules.change_visibility_batch(
        bench.url,
        [
            ChangeEntry("1", first.receipt, 10),
            ChangeEntry("2", second.receipt, 50_000),
            ChangeEntry("3", second.receipt, 0),
            ChangeEntry("4", second.receipt, 10),
        ],
        now=0.0,
    )

    assert [failure and failure.shape for failure in deleted] == [None, "ReceiptHandleIsInvalid"]
    assert [failure and failure.shape for failure in changed] == [
        "InvalidParameterValueException",
        "InvalidParameterValueException",
        None,
        "MessageNotInflight",
    ]


def test_the_same_message_may_stand_twice_in_one_batch() -> None:
    """At-least-once delivery brings it twice; the ids are distinct all the same (PEERS.md, C9)."""
    bench = Bench()
    bench.rules.modes(bench.url).duplicates_due = 1
    bench.send("job")
    first, second = bench.receive_one(), bench.receive_one()

    results = bench.rules.delete_batch(
        bench.url, [DeleteEntry("0", first.receipt), DeleteEntry("1", second.receipt)], now=0.0
    )

    assert results == [None, None]
    assert bench.counts() == (0, 0, 0)
