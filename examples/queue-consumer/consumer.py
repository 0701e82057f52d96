"""A queue consumer: a job is a number of milliseconds, and takes so long.

`forebay run consumer --queue URL` works a queue, `forebay send 10000 --queue URL` gives it ten seconds of work. Put
your own work where the sleep is.
"""

from __future__ import annotations

import asyncio

from forebay import Context, Reject, Worker

MILLISECONDS_MAX = 600_000
"""Ten minutes. The time limit below is a minute above it."""

worker = Worker("queue-consumer")
worker.tells_its_own = True  # The three lines below are all there is to say of a job that goes well.


@worker.default(timeout="11m")
async def consume(ctx: Context, body: str) -> None:
    """Work for as many milliseconds as the message's body says."""
    message_id = ctx.message.message_id
    print(f"{message_id} - Received", flush=True)
    milliseconds = milliseconds_of(body)
    print(f"{message_id} - Working for {milliseconds} milliseconds", flush=True)
    await asyncio.sleep(milliseconds / 1000)
    print(f"{message_id} - Done", flush=True)


def milliseconds_of(body: str) -> int:
    """Return the number in a body. What is none goes to the dead-letter queue at once: it will not get better."""
    text = body.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 9) or int(text) > MILLISECONDS_MAX:
        raise Reject(f"the body: should be a number of milliseconds, at most {MILLISECONDS_MAX}")
    return int(text)


if __name__ == "__main__":
    worker.run()
