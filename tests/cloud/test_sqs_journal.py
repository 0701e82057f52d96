"""Queues that are killed and restored at any moment do what queues do that were left alone.

The same calls go to two services. One is in memory. The other is killed now and then: its files are copied as they lie
there, without a word to it, and another service with a clock of its own is made from the copy.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.cloud.sqs_journal import Journal
from forebay.cloud.sqs_store import QueueStore
from forebay.model import MessageAttribute
from forebay.rules.queue_semantics import DeleteEntry, QueueService, SendEntry, ServiceFailure, Waiter

EPOCH_S = 1_800_000_000
ACCOUNT = "111111111111"
REGION = "eu-west-1"
QUEUES = ("jobs", "dead", "line.fifo", "dead.fifo")
BYTES = MessageAttribute("Binary.gif", b"\x00\xff")


class Life:
    """A service, and how far its clock is behind the one that the test goes by."""

    def __init__(self, seed: int, behind_s: int = 0) -> None:
        self.behind_s = behind_s
        self.epoch_s = EPOCH_S + behind_s
        self.rules = QueueService(REGION, ACCOUNT, Random(seed), epoch_ms=self.epoch_s * 1000)

    def at(self, now: float) -> float:
        return now - self.behind_s


class Killed:
    """The service that is killed now and then."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._number = 0
        self.life = Life(1)
        self._open()

    def _open(self) -> None:
        store = QueueStore(self._folder / str(self._number), region=REGION, account=ACCOUNT)
        self._stack.callback(store.close)
        self.journal = Journal(self.life.rules, store, epoch_s=self.life.epoch_s)

    def kill(self) -> None:
        """Go on with what lies on the disk."""
        before = self._folder / str(self._number)
        self._number += 1
        shutil.copytree(before, self._folder / str(self._number))
        self.life = Life(self._number + 1, behind_s=1_000 * self._number)
        self._open()


@contextmanager
def _pair() -> Iterator[tuple[Life, Killed]]:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        yield Life(1), Killed(stack, Path(folder))


def _url(name: str) -> str:
    return f"http://127.0.0.1/{ACCOUNT}/{name}"


def _create(life: Life) -> None:
    for dead, name, fifo in (("dead", "jobs", {}), ("dead.fifo", "line.fifo", {"FifoQueue": "true"})):
        life.rules.create_queue(dead, fifo, now=life.at(0.0))
        policy = json.dumps({"deadLetterTargetArn": life.rules.arn(dead), "maxReceiveCount": 2})
        attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "20", "MessageRetentionPeriod": "120", **fifo}
        life.rules.create_queue(name, attributes, now=life.at(0.0))


Seen = object
Held = list[tuple[str, str]]
"""Queues and receipt handles, the newest last."""
Deed = Callable[[Life, float, Held], Seen]


def _send(queue: str, number: int, delay_s: int) -> Deed:
    entry = SendEntry(
        body=f"körper {number}",
        attributes={"picture": BYTES, "count": MessageAttribute("Number", "1")} if number % 2 else {},
        group="a" if queue.endswith(".fifo") else None,
        dedupe=f"id-{number}" if queue.endswith(".fifo") else None,
        delay_s=None if queue.endswith(".fifo") else delay_s,
        trace_header="Root=1" if number % 3 == 0 else None,
    )
    return lambda life, now, _: life.rules.send(_url(queue), entry, now=now).sequence


def _receive(queue: str, count_max: int, token: str | None) -> Deed:
    def receive(life: Life, now: float, held: Held) -> Seen:
        attempt_id = token if queue.endswith(".fifo") else None
        got = life.rules.receive(_url(queue), now=now, wait_s=0, count_max=count_max, attempt_id=attempt_id)
        assert not isinstance(got, Waiter)
        held += [(queue, delivery.receipt) for delivery in got]
        return [
            (
                delivery.content.body,
                delivery.content.attributes,
                delivery.receipt,
                delivery.system_attributes(ACCOUNT),
            )
            for delivery in got
        ]

    return receive


def _delete(which: int) -> Deed:
    def delete(life: Life, now: float, held: Held) -> Seen:
        if not held:
            return None
        queue, receipt = held[-1 - which % len(held)]
        entries = [DeleteEntry("1", receipt)]
        failure = life.rules.delete_batch(_url(queue), entries, now=now)[0]
        return None if failure is None else failure.message

    return delete


def _change(which: int, seconds: int) -> Deed:
    def change(life: Life, now: float, held: Held) -> Seen:
        if held:
            queue, receipt = held[-1 - which % len(held)]
            life.rules.change_visibility(_url(queue), receipt, seconds, now=now)
        return None

    return change


def _settings(queue: str, seconds: int) -> Deed:
    changes = {"DelaySeconds": str(seconds), "VisibilityTimeout": str(seconds + 1)}

    def change(life: Life, now: float, _held: Held) -> Seen:
        life.rules.tag_queue(_url(queue), {f"tag-{seconds}": "ü"})
        life.rules.set_queue_attributes(_url(queue), changes, now=now)
        return None

    return change


def _purge(queue: str) -> Deed:
    return lambda life, now, _: life.rules.purge_queue(_url(queue), now=now)


_QUEUE = st.sampled_from(QUEUES)
_SMALL = st.integers(0, 9)
DEEDS = st.one_of(
    st.builds(_send, _QUEUE, st.integers(0, 30), st.sampled_from([0, 0, 15])),
    st.builds(_send, st.sampled_from(["jobs", "line.fifo"]), st.integers(0, 30), st.sampled_from([0, 0, 15])),
    st.builds(_receive, _QUEUE, st.integers(1, 10), st.sampled_from([None, "t1", "t2"])),
    st.builds(_receive, st.sampled_from(["jobs", "line.fifo"]), st.integers(1, 3), st.none()),
    st.builds(_delete, _SMALL),
    st.builds(_change, _SMALL, st.sampled_from([0, 5, 40])),
    st.builds(_settings, _QUEUE, st.sampled_from([0, 4, 30])),
    st.builds(_purge, _QUEUE),
)
STEPS = st.lists(
    st.tuples(DEEDS, st.sampled_from([0.0, 0.5, 3.0, 25.0]), st.sampled_from([False, False, False, True])),
    min_size=15,
    max_size=60,
)


def _tried(deed: Deed, life: Life, now: float, held: Held) -> Seen:
    try:
        return deed(life, life.at(now), held)
    except ServiceFailure as failure:
        return failure.shape, failure.message


def _shown(life: Life, now: float) -> Seen:
    """What anybody may see of the queues without changing them."""
    rules = life.rules
    return [
        (rules.get_queue_attributes(_url(name), ["All"], now=life.at(now)), rules.queue_tags(_url(name)))
        for name in sorted(rules.registry.by_name)
    ]


@settings(max_examples=80, deadline=None)
@given(steps=STEPS)
def test_queues_killed_at_any_moment_do_what_queues_do_that_were_left_alone(
    steps: list[tuple[Deed, float, bool]],
) -> None:
    with _pair() as (spared, killed):
        _create(spared)
        _create(killed.life)
        killed.journal.keep()
        now, held, other_held = 0.0, Held(), Held()
        for deed, pause_s, is_killed in steps:
            now += pause_s
            expected = _tried(deed, spared, now, held)
            seen = _tried(deed, killed.life, now, other_held)
            assert seen == expected
            killed.journal.keep()
            if is_killed:
                killed.kill()
            assert _shown(killed.life, now) == _shown(spared, now)


def test_what_was_hidden_after_a_restart_comes_back_after_what_was_hidden_before_it() -> None:
    """Though both come back at one moment, and one was hidden anew more often than the other."""
    with _pair() as (_, killed):
        _create(killed.life)
        held = Held()
        for number in range(2):
            _send("jobs", number, 0)(killed.life, killed.life.at(0.0), held)
            _receive("jobs", 1, None)(killed.life, killed.life.at(0.0), held)
            for _ in range(5 - 5 * number):
                _change(0, 20)(killed.life, killed.life.at(0.0), held)
            killed.journal.keep()
            killed.kill()

        got = killed.life.rules.receive(_url("jobs"), now=killed.life.at(20.0), wait_s=0, count_max=10)

    assert not isinstance(got, Waiter)
    assert [delivery.content.body for delivery in got] == ["körper 0", "körper 1"]


def test_a_lease_ends_twelve_hours_after_its_receive_be_there_a_kill_between() -> None:
    with _pair() as (_, killed):
        _create(killed.life)
        held = Held()
        killed.life.rules.set_queue_attributes(_url("jobs"), {"MessageRetentionPeriod": "345600"}, now=0.0)
        _send("jobs", 1, 0)(killed.life, 0.0, held)
        _receive("jobs", 1, None)(killed.life, 5.0, held)
        _change(0, 43_000)(killed.life, 5.0, held)
        killed.journal.keep()
        killed.kill()

        now = killed.life.at(42_905.0)
        with pytest.raises(ServiceFailure, match="beyond the limit"):
            _change(0, 301)(killed.life, now, held)
        _change(0, 300)(killed.life, now, held)


def test_a_receive_can_be_asked_for_again_after_a_kill_and_a_change_ends_that() -> None:
    with _pair() as (_, killed):
        _create(killed.life)
        held = Held()
        _send("line.fifo", 1, 0)(killed.life, 0.0, held)
        receive = _receive("line.fifo", 1, "t1")
        first = receive(killed.life, 0.0, held)
        killed.journal.keep()
        killed.kill()
        again = receive(killed.life, killed.life.at(1.0), held)
        _change(0, 9)(killed.life, killed.life.at(2.0), held)
        killed.journal.keep()
        killed.kill()
        changed = receive(killed.life, killed.life.at(3.0), held)

    assert again == first != []
    assert changed == []


def test_a_deleted_queue_stays_deleted_and_its_name_is_taken_for_a_minute() -> None:
    with _pair() as (_, killed):
        _create(killed.life)
        _send("jobs", 1, 0)(killed.life, 0.0, [])
        killed.journal.keep()
        killed.life.rules.delete_queue(_url("jobs"), now=1.0)
        killed.journal.keep()
        killed.kill()

        rules, at = killed.life.rules, killed.life.at
        with pytest.raises(ServiceFailure, match="60 seconds"):
            rules.create_queue("jobs", {}, now=at(60.0))
        rules.create_queue("jobs", {}, now=at(61.0))
        killed.journal.keep()
        killed.kill()

        assert rules.get_queue_attributes(_url("jobs"), ["All"], now=at(62.0))["ApproximateNumberOfMessages"] == "0"
        assert killed.life.rules.receive(_url("jobs"), now=killed.life.at(62.0), wait_s=0) == []


def test_a_move_in_progress_ends_with_the_process_and_loses_nothing() -> None:
    with _pair() as (_, killed):
        _create(killed.life)
        for number in range(20):
            _send("dead", number, 0)(killed.life, 0.0, [])
        killed.life.rules.start_move(killed.life.rules.arn("dead"), killed.life.rules.arn("jobs"), rate=1, now=0.0)
        killed.life.rules.advance(5.5)
        killed.journal.keep()
        killed.kill()

        rules, now = killed.life.rules, killed.life.at(6.0)
        counts = [
            rules.get_queue_attributes(_url(name), ["All"], now=now)["ApproximateNumberOfMessages"]
            for name in ("dead", "jobs")
        ]

    assert counts == ["14", "6"]
    assert rules.recent_moves(rules.arn("dead"), 1, now=now) == []
