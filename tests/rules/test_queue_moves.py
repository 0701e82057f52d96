"""Message move tasks: what they move, where to, how fast, and how they end."""

from __future__ import annotations

import base64
import itertools
import json

import pytest
from tests.rules.fifo_queues import FifoBench
from tests.rules.queues import Bench, bodies, refusal

from forebay.model import MessageAttribute
from forebay.rules.queue_move_task import MoveTask
from forebay.rules.queue_semantics import SendEntry, ServiceFailure


class Buried(Bench):
    """A queue `jobs` whose dead letters lie in `dead`."""

    def __init__(self, *sent: str, attempts_max: int = 1) -> None:
        super().__init__()
        self.dead = self.create("dead")
        self.redrive = {"deadLetterTargetArn": self.rules.arn("dead"), "maxReceiveCount": attempts_max}
        self.rules.set_queue_attributes(self.url, {"RedrivePolicy": json.dumps(self.redrive)}, now=self.now)
        if sent:
            self.bury(*sent)

    def bury(self, *sent: str, url: str | None = None) -> None:
        """Have SQS move messages from a queue to its dead-letter queue."""
        self.send(*sent, url=url)
        while self.receive(visibility_s=0, url=url):
            pass

    def start(self, destination: str | None = None, *, rate: int | None = None) -> MoveTask:
        arn = None if destination is None else self.rules.arn(destination)
        return self.rules.start_move(self.rules.arn("dead"), arn, rate=rate, now=self.now)

    def at(self, now: float) -> Buried:
        super().at(now)
        return self

    def newest(self) -> MoveTask:
        (task,) = self.rules.recent_moves(self.rules.arn("dead"), now=self.now)
        return task

    def refused(self, source: str = "dead", destination: str | None = None, rate: int | None = None) -> ServiceFailure:
        arn = None if destination is None else self.rules.arn(destination)
        with pytest.raises(ServiceFailure) as caught:
            self.rules.start_move(self.rules.arn(source), arn, rate=rate, now=self.now)
        return caught.value


def test_dead_letters_go_back_to_the_queue_they_came_from() -> None:
    bench = Buried("a", "b")
    assert bench.counts(bench.dead) == (2, 0, 0)

    bench.start()
    bench.at(1)

    assert bodies(bench.receive()) == ["a", "b"]
    assert bench.counts(bench.dead) == (0, 0, 0)
    assert (bench.newest().status, bench.newest().moved, bench.newest().to_move) == ("COMPLETED", 2, 2)


def test_each_of_several_sources_gets_its_own_back() -> None:
    bench = Buried("a")
    other = bench.create("other", RedrivePolicy=json.dumps(bench.redrive))
    bench.bury("b", url=other)

    bench.start()
    bench.at(1)

    assert bodies(bench.receive()) == ["a"]
    assert bodies(bench.receive(url=other)) == ["b"]


def test_a_destination_takes_everything_even_what_a_client_sent() -> None:
    bench = Buried("moved by SQS")
    bench.send("sent by a client", url=bench.dead)
    elsewhere = bench.create("elsewhere")

    bench.start("elsewhere")
    bench.at(1)

    assert sorted(bodies(bench.receive(url=elsewhere))) == ["moved by SQS", "sent by a client"]
    assert bench.newest().status == "COMPLETED"


def test_a_message_that_a_client_sent_to_the_dead_letter_queue_cannot_go_back() -> None:
    bench = Buried("first")
    bench.at(1).send("sent by a client", url=bench.dead)
    bench.at(2).bury("third")

    bench.start()
    bench.at(3)

    task = bench.newest()
    assert (task.status, task.failure) == ("FAILED", "CouldNotDetermineMessageSource")
    assert task.moved == 1
    assert bodies(bench.receive()) == ["first"]
    assert sorted(bodies(bench.receive(url=bench.dead))) == ["sent by a client", "third"]


def test_a_moved_message_is_a_new_one() -> None:
    bench = Buried("a", attempts_max=2)
    dead = bench.receive_one(visibility_s=0, url=bench.dead)
    bench.at(100)

    bench.start()
    moved = bench.at(101).receive_one()

    assert moved.content.message_id != dead.content.message_id
    assert moved.content.sent_at_ms - dead.content.sent_at_ms == 100_000
    assert moved.content.body_md5 == dead.content.body_md5
    assert (dead.receive_count, moved.receive_count) == (3, 1)
    assert moved.dead_letter_source is None


def test_a_moved_message_keeps_its_attributes_group_and_trace() -> None:
    bench = Buried()
    bench.create("elsewhere")
    attributes = {"job": MessageAttribute("String", "resize")}
    entry = SendEntry(body="a", attributes=attributes, group="tenant", trace_header="Root=1-0-0")
    bench.rules.send(bench.dead, entry, now=0.0)

    bench.start("elsewhere")
    moved = bench.at(1).receive_one(url=bench.rules.registry.url("elsewhere")).content

    assert (moved.attributes, moved.group, moved.trace_header) == (attributes, "tenant", "Root=1-0-0")


def test_a_poll_that_waits_is_given_what_is_moved() -> None:
    bench = Buried("a")
    waiter = bench.poll(20)

    bench.start()
    bench.at(1)

    assert bodies(waiter.messages) == ["a"]


def test_a_rate_is_kept() -> None:
    bench = Buried(*"abcd")
    bench.start(rate=1)

    moved: list[int] = []
    for second in (0.0, 0.9, 1.0, 1.9, 2.0, 3.0):
        bench.at(second)
        moved.append(bench.newest().moved)

    assert moved == [1, 1, 2, 2, 3, 4]
    assert bench.newest().status == "COMPLETED"


@pytest.mark.parametrize("rate", [3, 19, 20, 21, 70, 499, 500])
def test_no_second_brings_more_than_its_rate_nor_much_less(rate: int) -> None:
    bench = Buried()
    bench.send(*(str(number) for number in range(2 * rate + 1)), url=bench.dead)
    bench.create("elsewhere")
    bench.start("elsewhere", rate=rate)

    for second in (1, 2):
        moved = bench.at(second - 0.001).newest().moved
        assert 0.94 * second * rate - 1 <= moved <= second * rate
    assert bench.at(2.1).newest().status == "COMPLETED"


def test_a_task_without_a_rate_leaves_room_between_its_batches() -> None:
    bench = Buried()
    bench.send(*(str(number) for number in range(1_000)), url=bench.dead)
    bench.create("elsewhere")

    bench.start("elsewhere")

    assert bench.at(0.0).newest().moved == 250
    assert bench.rules.next_event_at() == pytest.approx(0.05)
    assert bench.at(0.2).newest().moved == 1_000


def test_what_comes_while_a_task_runs_is_not_its_matter() -> None:
    bench = Buried("a", "b")
    bench.create("elsewhere")
    bench.start("elsewhere", rate=1)
    bench.at(0.5).bury("c")

    bench.at(10)

    assert (bench.newest().status, bench.newest().moved) == ("COMPLETED", 2)
    assert bench.counts(bench.dead) == (1, 0, 0)


def test_a_message_that_somebody_holds_is_left_to_them() -> None:
    bench = Buried("a", "b")
    held = bench.receive_one(url=bench.dead)

    bench.start()
    bench.at(1)

    assert (bench.newest().moved, bench.newest().to_move) == (1, 1)
    bench.delete(held, url=bench.dead)
    assert bench.counts(bench.dead) == (0, 0, 0)


def test_an_empty_dead_letter_queue_is_done_with_at_once() -> None:
    bench = Buried()

    bench.start()

    assert (bench.newest().status, bench.newest().to_move) == ("COMPLETED", 0)


def test_a_queue_that_is_gone_fails_the_task_and_loses_nothing() -> None:
    bench = Buried(*"abc")
    bench.start(rate=1)
    bench.at(0.5)
    bench.rules.delete_queue(bench.url, now=bench.now)

    bench.at(2)

    assert (bench.newest().status, bench.newest().failure) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    assert bench.counts(bench.dead) == (2, 0, 0)


def test_a_message_too_long_for_its_destination_stays_where_it_is() -> None:
    bench = Buried("x" * 2_000)
    bench.create("narrow", MaximumMessageSize="1024")

    bench.start("narrow")
    bench.at(1)

    assert (bench.newest().status, bench.newest().failure) == ("FAILED", "InvalidParameterValue")
    assert bench.counts(bench.dead) == (1, 0, 0)


def test_a_running_task_can_be_cancelled_and_keeps_what_it_has_moved() -> None:
    bench = Buried(*"abcd")
    handle = bench.start(rate=1).handle
    bench.at(1)

    bench.rules.cancel_move(handle, now=bench.now)

    assert bench.newest().status == "CANCELLING"
    assert bench.rules.due_at <= bench.now + 0.5, "nobody has to ask before it ends"
    assert bench.at(5).newest().status == "CANCELLED"
    assert bench.newest().moved == 2
    assert bench.counts() == (2, 0, 0)
    assert bench.counts(bench.dead) == (2, 0, 0)


def test_only_a_running_task_can_be_cancelled() -> None:
    bench = Buried("a")
    handle = bench.start().handle
    bench.at(1)

    with pytest.raises(ServiceFailure, match="COMPLETED") as caught:
        bench.rules.cancel_move(handle, now=bench.now)

    assert refusal(caught.value)[0] == "UnsupportedOperation"


@pytest.mark.parametrize(
    ("handle", "shape", "message"),
    [
        ("foobared", "InvalidParameterValueException", "Value for parameter TaskHandle is invalid."),
        (base64.b64encode(b"[1]").decode(), "InvalidParameterValueException", "Value for parameter TaskHandle"),
        ("é", "InvalidParameterValueException", "Value for parameter TaskHandle"),
        (
            base64.b64encode(b'{"taskId":"x","sourceArn":"arn:aws:sqs:eu-west-1:111111111111:none"}').decode(),
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        ),
        (
            base64.b64encode(b'{"taskId":"x","sourceArn":"arn:aws:sqs:eu-west-1:111111111111:dead"}').decode(),
            "ResourceNotFoundException",
            "Task does not exist.",
        ),
    ],
)
def test_a_handle_that_leads_nowhere_is_refused_as_aws_does(handle: str, shape: str, message: str) -> None:
    bench = Buried()

    with pytest.raises(ServiceFailure) as caught:
        bench.rules.cancel_move(handle, now=0.0)

    assert caught.value.shape == shape
    assert message in caught.value.message


def test_a_source_has_one_task_at_a_time() -> None:
    bench = Buried(*"ab")
    handle = bench.start(rate=1).handle

    assert bench.refused().message == (
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    )
    bench.rules.cancel_move(handle, now=bench.now)
    assert "already a task running" in bench.refused().message, "CANCELLING is active too"
    assert bench.at(1).start(rate=1).status == "RUNNING"


def test_an_account_has_a_hundred_tasks_at_a_time() -> None:
    bench = Buried()
    for number in range(101):
        dead = bench.create(f"dead{number}")
        bench.create(
            f"jobs{number}",
            RedrivePolicy=json.dumps({"deadLetterTargetArn": bench.rules.arn(f"dead{number}"), "maxReceiveCount": 1}),
        )
        bench.send("a", "b", url=dead)
    for number in range(100):
        bench.rules.start_move(bench.rules.arn(f"dead{number}"), bench.rules.arn("jobs"), rate=1, now=0.0)

    assert "100 active" in bench.refused("dead100").message


def test_only_a_dead_letter_queue_can_be_the_source() -> None:
    bench = Buried()

    assert bench.refused("jobs").message == "Source queue must be configured as a Dead Letter Queue."


def test_source_and_destination_must_exist() -> None:
    bench = Buried()

    for failure, parameter in ((bench.refused("none"), "SourceArn"), (bench.refused("dead", "none"), "DestinationArn")):
        assert refusal(failure) == ("ResourceNotFoundException", "ResourceNotFoundException", 404)
        assert failure.message == f"The resource that you specified for the {parameter} parameter doesn't exist."


def test_a_queue_is_not_moved_to_itself() -> None:
    assert "cannot be the same" in Buried().refused("dead", "dead").message


@pytest.mark.parametrize("rate", [0, -1, 501])
def test_a_rate_out_of_bounds_is_refused(rate: int) -> None:
    failure = Buried().refused(rate=rate)

    assert f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid." in failure.message


def test_the_last_ten_tasks_are_told_the_newest_first() -> None:
    bench = Buried()
    arn = bench.rules.arn("dead")
    handles = [bench.at(number).start().handle for number in range(12)]

    tasks = bench.rules.recent_moves(arn, 10, now=bench.now)

    assert [task.started_at for task in tasks] == [float(number) for number in range(11, 1, -1)]
    assert bench.rules.recent_moves(arn, 3, now=bench.now) == tasks[:3]
    assert bench.rules.recent_moves(arn, now=bench.now) == tasks[:1]
    with pytest.raises(ServiceFailure, match="Task does not exist"):
        bench.rules.cancel_move(handles[0], now=bench.now)


@pytest.mark.parametrize("count_max", [0, 11])
def test_more_than_ten_tasks_cannot_be_asked_for(count_max: int) -> None:
    bench = Buried()

    with pytest.raises(ServiceFailure, match="MaxResults"):
        bench.rules.recent_moves(bench.rules.arn("dead"), count_max, now=0.0)


def test_tasks_end_with_their_source() -> None:
    bench = Buried(*"ab")
    bench.start(rate=1)

    bench.rules.delete_queue(bench.dead, now=0.0)

    assert bench.at(10).counts() == (1, 0, 0)
    with pytest.raises(ServiceFailure) as caught:
        bench.newest()
    assert caught.value.shape == "ResourceNotFoundException"


def test_a_task_lasts_at_most_36_hours() -> None:
    bench = Buried("a", "b")
    bench.rules.modes(bench.dead).in_flight_max = 0  # Nothing can be taken, and so nothing moved.
    bench.rules.set_queue_attributes(bench.dead, {"MessageRetentionPeriod": "1209600"}, now=0.0)
    bench.start(rate=1)

    bench.at(36 * 3_600 - 1)
    assert bench.newest().status == "RUNNING"

    task = bench.at(36 * 3_600 + 1).newest()
    assert (task.status, task.moved) == ("FAILED", 0)
    assert bench.counts(bench.dead) == (2, 0, 0)


def test_a_purged_dead_letter_queue_ends_its_task() -> None:
    bench = Buried(*"abcd")
    bench.start(rate=1)
    bench.rules.purge_queue(bench.dead, now=0.0)

    assert (bench.at(2).newest().status, bench.newest().moved) == ("COMPLETED", 1)


def _fifo_with_dead_letters(*sent: str) -> FifoBench:
    """A FIFO queue whose dead-letter queue `dead` holds messages; their groups are their first letters."""
    bench = FifoBench()
    dead = bench.create("dead")
    redrive = json.dumps({"deadLetterTargetArn": bench.rules.arn("dead.fifo"), "maxReceiveCount": 1})
    bench.rules.set_queue_attributes(bench.url, {"RedrivePolicy": redrive}, now=0.0)
    for body in sent:
        bench.put(body, url=dead)
    bench.create("elsewhere")
    return bench


def test_a_locked_group_is_waited_for_and_the_others_are_moved() -> None:
    bench = _fifo_with_dead_letters("a1", "a2", "b1")
    dead, elsewhere = (bench.rules.registry.url(f"{name}.fifo") for name in ("dead", "elsewhere"))
    held = bench.receive_one(url=dead)

    task = bench.rules.start_move(bench.rules.arn("dead.fifo"), bench.rules.arn("elsewhere.fifo"), now=0.0)
    bench.at(10)
    assert (task.status, task.moved) == ("RUNNING", 1)
    bench.delete(held, url=dead)
    bench.at(12)

    assert task.status == "COMPLETED"
    assert bodies(bench.receive(url=elsewhere)) == ["b1", "a2"]


@pytest.mark.parametrize("released_at", [20, 21, 22])
def test_what_a_task_could_not_move_for_a_while_is_not_caught_up_on(released_at: int) -> None:
    bench = _fifo_with_dead_letters("a0", *(f"b{number}" for number in range(3)), *(f"a{n}" for n in range(1, 100)))
    dead = bench.rules.registry.url("dead.fifo")
    held = bench.receive_one(url=dead, visibility_s=100)
    arns = bench.rules.arn("dead.fifo"), bench.rules.arn("elsewhere.fifo")
    task = bench.rules.start_move(*arns, rate=2, now=0.0)
    bench.at(released_at)
    assert task.moved == 3, "of the group that nobody holds"

    bench.delete(held, url=dead)
    moved: list[int] = []
    for seconds in (1, 3, 5):
        bench.at(released_at + seconds)
        moved.append(task.moved)

    assert 4 <= moved[0] <= 6, "it looks again every second"
    assert [later - earlier for earlier, later in itertools.pairwise(moved)] == [4, 4]


def test_deduplication_keeps_no_moved_message_out() -> None:
    bench = _fifo_with_dead_letters()
    bench.put("a1", dedupe="same")
    while bench.receive(visibility_s=0):
        pass
    assert bench.counts() == (0, 0, 0)

    bench.rules.start_move(bench.rules.arn("dead.fifo"), now=0.0)
    bench.at(1)
    moved = bench.receive_one()

    assert moved.content.body == "a1"
    assert moved.content.dedupe == "same"
    bench.put("a2", dedupe="same")
    assert bench.counts() == (0, 1, 0), "for clients the id is still taken"


def test_a_fifo_queue_takes_no_dead_letters_of_a_standard_one() -> None:
    bench = Buried("a")
    bench.rules.create_queue("other.fifo", {"FifoQueue": "true"}, now=0.0)

    assert "of the same type" in bench.refused("dead", "other.fifo").message
