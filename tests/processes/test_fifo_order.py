"""Order within groups when consumers die: the local SQS as a process, boto3 consumers killed with SIGKILL at random."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from tests.processes.harness import Sqs, clean_environment, wait_for

pytestmark = pytest.mark.processes

CONSUMER = Path(__file__).with_name("fifo_consumer.py")
CONSUMERS = 3
KILLS = 7
GROUPS = 12
EACH = 25


class Effect(NamedTuple):
    group: str
    number: int
    process: int
    began_at: float
    ended_at: float


class Crew:
    """Consumers of one queue; one that is killed is replaced."""

    def __init__(self, sqs: Sqs, url: str, file: Path) -> None:
        self._command = [sys.executable, str(CONSUMER), sqs.endpoint, url, str(file)]
        self._file = file
        self.killed: list[int] = []
        self._members = [self._start() for _ in range(CONSUMERS)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=clean_environment())

    def kill_and_replace(self, index: int) -> None:
        member = self._members[index]
        member.kill()
        member.wait()
        self.killed.append(member.pid)
        self._members[index] = self._start()

    def effects(self) -> list[Effect]:
        return [Effect(**json.loads(line)) for line in self._file.read_text().splitlines()]

    def wait_effects(self, count: int) -> None:
        wait_for(lambda: True if len(self.effects()) >= count else None, f"{count} effects")

    def close(self) -> None:
        for member in self._members:
            member.kill()
            member.wait()


@contextmanager
def _crew(sqs: Sqs, url: str, file: Path) -> Iterator[Crew]:
    file.touch()
    crew = Crew(sqs, url, file)
    try:
        yield crew
    finally:
        crew.close()


def _fifo_queue(sqs: Sqs) -> str:
    """A FIFO queue on which the groups' messages stand in turns; in each group they are numbered from 0."""
    url: str = sqs.client.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for number in range(EACH):
        entries = [
            {
                "Id": f"{group}",
                "MessageBody": str(number),
                "MessageGroupId": f"g{group}",
                "MessageDeduplicationId": f"{group}-{number}",
            }
            for group in range(GROUPS)
        ]
        for half in (entries[:6], entries[6:]):
            assert not sqs.client.send_message_batch(QueueUrl=url, Entries=half).get("Failed")
    return url


def test_effects_of_a_group_stay_in_order_when_consumers_are_killed(sqs: Sqs, tmp_path: Path) -> None:
    rng = Random(20)
    url = _fifo_queue(sqs)

    with _crew(sqs, url, tmp_path / "effects") as crew:
        for kill in range(1, KILLS + 1):
            crew.wait_effects(kill * GROUPS * EACH // (KILLS + 1) - rng.randrange(10))
            crew.kill_and_replace(rng.randrange(CONSUMERS))
        sqs.wait_until(url, lambda counts: sum(counts) == 0)
        effects = crew.effects()

    by_group: dict[str, list[Effect]] = defaultdict(list)
    for effect in effects:
        by_group[effect.group].append(effect)
    repeated = 0
    for mine in by_group.values():
        assert sorted({effect.number for effect in mine}) == list(range(EACH)), "every message has its effect"
        for before, after in pairwise(mine):
            assert after.began_at >= before.ended_at, "one of a group at a time"
            if after.number == before.number:
                assert before.process in crew.killed, "only who was killed before the delete is followed by a repeat"
                repeated += 1
            else:
                assert after.number == before.number + 1
    assert repeated <= KILLS
    assert len(by_group) == GROUPS
    assert any(
        one.group != other.group
        and one.process != other.process
        and one.began_at < other.ended_at
        and other.began_at < one.ended_at
        for one, other in pairwise(effects)
    ), "groups are worked side by side"
