"""fanferro with a no-op job. `run`: work the queue. `send`: put one job on it with fanferro's own producer."""

import asyncio
import logging
import os
import sys
from dataclasses import dataclass

import fanferro

NOTE = "n" * 80


@fanferro.message_type("bench.noop.v1")
@dataclass
class Noop:
    note: str


client = fanferro.Client(endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"])
queue = client.queue(
    os.environ["BENCH_QUEUE_NAME"], url=os.environ["BENCH_QUEUE_URL"], provisioning=fanferro.Provisioning.existing()
)
consumer = client.consumer(
    queue,
    concurrency=int(os.environ.get("BENCH_CONCURRENCY", "100")),
    pollers=int(os.environ.get("BENCH_POLLERS", "4")),
    wait_time=20,
)

if os.environ.get("BENCH_RAW"):

    @consumer.default
    async def raw(message: fanferro.Message[bytes]) -> None: ...

else:

    @consumer.route(Noop)
    async def noop(job: Noop) -> None: ...


async def main(verb: str) -> None:
    async with client:
        if verb == "send":
            await queue.send(Noop(NOTE))
        else:
            await client.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    asyncio.run(main(sys.argv[1]))
