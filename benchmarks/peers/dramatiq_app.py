"""Dramatiq with dramatiq-sqs and a no-op actor. Its workers run `dramatiq dramatiq_app`; `send` enqueues one."""

import os
import sys

import dramatiq
from dramatiq_sqs import SQSBroker

NOTE = "n" * 80

namespace, _, queue_name = os.environ["BENCH_QUEUE_NAME"].partition("_")
dramatiq.set_broker(SQSBroker(namespace=namespace))


@dramatiq.actor(queue_name=queue_name)
def noop(note: str) -> None: ...


if __name__ == "__main__":
    assert sys.argv[1] == "send", sys.argv
    noop.send(note=NOTE)
