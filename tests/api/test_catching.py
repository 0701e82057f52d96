"""What would go to SQS can be caught inside of the process: nothing is looked up, signed or opened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from forebay.api.many import enqueue_many
from forebay.api.queue import Queue
from forebay.api.sending import caught_by
from forebay.queue.port import Outgoing, Sent


class Basket:
    def __init__(self, *own: str) -> None:
        self.own = own
        self.taken: list[tuple[str, str]] = []

    def has(self, address: str, /) -> bool:
        return address in self.own

    def take(self, address: str, messages: Sequence[Outgoing], /) -> Sequence[Sent]:
        self.taken += [(address, message.body) for message in messages]
        return [Sent(str(index), None) for index, _ in enumerate(messages)]


def test_one_many_and_from_a_coroutine_are_all_caught() -> None:
    basket, queue = Basket(), Queue("mail")

    with caught_by(basket):
        queue.enqueue("send", to=1)
        enqueue_many([queue.call("send", to=2)])
        asyncio.run(queue.aenqueue("send", to=3))

    assert basket.taken == [("mail", '{"to":1}'), ("mail", '{"to":2}'), ("mail", '{"to":3}')]


def test_each_catch_gets_its_own_queues_and_the_last_one_the_rest() -> None:
    mail, last = Basket("mail"), Basket("reports")

    with caught_by(mail), caught_by(last):
        for name in ("mail", "reports", "elsewhere"):
            Queue(name).enqueue("go")

    assert mail.taken == [("mail", "{}")]
    assert last.taken == [("reports", "{}"), ("elsewhere", "{}")]
