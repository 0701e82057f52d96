"""The services that facts are tried on, our own and moto's, and the calls that most facts make.

Rules kept here and nowhere else:

1. Both are reached through boto3, which repeats nothing by itself.
2. Every fact has queues of its own; the servers are shared.
3. Only our own service can pass time: its clock stands still until a fact moves it.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore.exceptions import ClientError
from tests.conformance.grounds import client_of, moto_ground

from forebay.clock import VirtualClock
from forebay.cloud.background import InThread
from forebay.cloud.sqs_server import SqsServer
from forebay.rules.queue_messages import QueueModes

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_numbers = itertools.count(1)

Message = dict[str, Any]


class Refusal(NamedTuple):
    """What boto3 shows of an error."""

    code: str
    """The legacy code, as `Error.Code`."""
    shape: str
    """The name of the JSON protocol, as `Error.QueryErrorCode`; the code again where the service sends no other."""
    status: int
    message: str


class Sqs:
    """A service, and the calls that most facts make."""

    def __init__(self, client: SQSClient) -> None:
        self.typed = client
        self.client = cast("Any", client)  # Facts hold what types forbid: wrong names, numbers as texts.

    # ── queues ─────────────────────────────────────────────────────────────────────────────────────────────

    def queue(self, name: str = "fact", **attributes: str) -> str:
        """Create a queue of its own for the fact; return its URL."""
        suffix = ".fifo" if attributes.get("FifoQueue") == "true" else ""
        answer = self.client.create_queue(QueueName=f"{name}-{next(_numbers)}{suffix}", Attributes=attributes)
        return str(answer["QueueUrl"])

    def queue_with_dead_letters(self, attempts_max: int | str = 1, **attributes: str) -> tuple[str, str]:
        """Create a queue and its dead-letter queue, of the same type; return their URLs."""
        fifo = {"FifoQueue": "true"} if "FifoQueue" in attributes else {}
        dead = self.queue("dead", **fifo)
        return self.queue(RedrivePolicy=self.redrive(dead, attempts_max), **attributes), dead

    def redrive(self, dead: str, attempts_max: int | str = 1) -> str:
        return json.dumps({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": attempts_max})

    def arn(self, url: str) -> str:
        return str(self.attribute(url, "QueueArn"))

    def attribute(self, url: str, name: str) -> str | None:
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        value = answer.get("Attributes", {}).get(name)
        return None if value is None else str(value)

    def set(self, url: str, **attributes: str) -> None:
        self.client.set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def counts(self, url: str) -> tuple[int, int, int]:
        """Visible, in flight, delayed."""
        prefix = "ApproximateNumberOfMessages"
        names = [prefix, prefix + "NotVisible", prefix + "Delayed"]
        found = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]]), int(found[names[2]])

    # ── messages ───────────────────────────────────────────────────────────────────────────────────────────

    def send(self, url: str, *bodies: str, **more: Any) -> Message:
        """Send messages one by one; return the last answer."""
        answer: Message = {}
        for body in bodies or ("a body",):
            answer = self.client.send_message(QueueUrl=url, MessageBody=body, **more)
        return answer

    def receive(self, url: str, count_max: int = 10, **more: Any) -> list[Message]:
        """Receive by a short poll, with everything that can be asked for."""
        answer = self.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=count_max,
            WaitTimeSeconds=0,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            **more,
        )
        return list(answer.get("Messages", []))

    def receive_one(self, url: str, **more: Any) -> Message:
        (message,) = self.receive(url, 1, **more)
        return message

    def hide(self, url: str, message: Message, seconds: int) -> None:
        """Change a message's visibility."""
        self.client.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def delete(self, url: str, message: Message) -> None:
        self.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def bury(self, url: str, *bodies: str) -> None:
        """Send messages to a queue that lets each be received once, and have the service move them away."""
        self.send(url, *bodies)
        while self.receive(url, VisibilityTimeout=0):
            pass

    # ── refusals ───────────────────────────────────────────────────────────────────────────────────────────

    def refusal(self, operation: str, **params: Any) -> Refusal:
        """Call an operation, by its name in boto3, that is to be refused."""
        return refusal_of(lambda: getattr(self.client, operation)(**params))


def refusal_of(call: Callable[[], object]) -> Refusal:
    """Return the error that `call` raises. AssertionError if it raises none."""
    try:
        call()
    except ClientError as error:
        answer = cast("dict[str, Any]", error.response)
        shown = answer["Error"]
        status = int(answer["ResponseMetadata"]["HTTPStatusCode"])
        return Refusal(shown["Code"], shown.get("QueryErrorCode", shown["Code"]), status, shown.get("Message", ""))
    raise AssertionError("it was not refused")


class Ours(Sqs):
    """Our own service, whose time can be moved."""

    def __init__(self, running: InThread[SqsServer], clock: VirtualClock) -> None:
        super().__init__(client_of(running.service.endpoint_url))
        self._running = running
        self._clock = clock

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and everything happen that becomes due meanwhile."""

        def jump(server: SqsServer) -> None:
            self._clock.advance(seconds)
            server.turn()

        self._running.call(jump)

    def modes(self, url: str) -> QueueModes:
        """How the queue behaves where AWS leaves it open."""
        return self._running.call(lambda server: server.service.modes(url))

    def metrics(self, url: str) -> dict[str, Any]:
        """What the server's own control tells of the queue's metrics."""
        path = f"/_forebay/metrics?queue={url.rsplit('/', 1)[-1]}"
        with urllib.request.urlopen(self.typed.meta.endpoint_url + path, timeout=10) as answer:
            return cast("dict[str, Any]", json.loads(answer.read()))

    @contextmanager
    def denying(self, *actions: str) -> Iterator[None]:
        """Deny these actions for as long as the block lasts."""
        self._running.call(lambda server: server.deny(*actions))
        yield
        self._running.call(lambda server: server.deny())

    @contextmanager
    def polling(self, url: str, **more: Any) -> Iterator[Callable[[], list[Message]]]:
        """Open a long poll in a thread. Gives a function that waits for its answer, or raises its error."""
        answers: list[list[Message] | ClientError] = []
        before = self._polls_open()

        def poll() -> None:
            try:
                answer = self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **more)
                answers.append(answer.get("Messages", []))
            except ClientError as error:
                answers.append(error)

        def answered() -> list[Message]:
            thread.join(timeout=10)
            (answer,) = answers
            if isinstance(answer, ClientError):
                raise answer
            return answer

        thread = threading.Thread(target=poll)
        thread.start()
        deadline_at = time.monotonic() + 10
        while thread.is_alive() and self._polls_open() == before:
            assert time.monotonic() < deadline_at, "the poll was never open"
        yield answered
        thread.join(timeout=10)

    def _polls_open(self) -> int:
        return self._running.call(lambda server: int(server.stats()["polls_open"]))


@contextmanager
def our_service() -> Iterator[Ours]:
    """Open our own server with a clock that facts move."""
    clock = VirtualClock()
    with SqsServer.in_thread(clock=clock) as running:
        ours = Ours(running, clock)
        yield ours
        ours.typed.close()


@contextmanager
def moto_service() -> Iterator[Sqs]:
    """Open moto's server, an outside witness."""
    with moto_ground() as ground:
        yield Sqs(ground.boto3)
