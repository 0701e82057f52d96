"""taskiq with taskiq-aio-sqs and a no-op task. Its workers run `taskiq worker taskiq_app:broker`; `send` sends one."""

import asyncio
import os
import sys

from taskiq_aio_sqs import SQSBroker

NOTE = "n" * 80

broker = SQSBroker(
    endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"],
    sqs_queue_name=os.environ["BENCH_QUEUE_NAME"],
    region_name=os.environ["AWS_REGION"],
    aws_access_key_id="key",
    aws_secret_access_key="secret",
    wait_time_seconds=20,
    max_number_of_messages=10,
)


@broker.task
async def noop(note: str) -> None: ...


async def send() -> None:
    await broker.startup()
    await noop.kiq(note=NOTE)
    await broker.shutdown()


if __name__ == "__main__":
    assert sys.argv[1] == "send", sys.argv
    asyncio.run(send())
