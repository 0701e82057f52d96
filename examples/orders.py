"""The orders of a shop: a job that waits, a job that computes, and messages that come from elsewhere.

Work it with `forebay run orders --queue URL` in this folder; put something on the queue with `python send_orders.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Annotated

from pydantic import BaseModel, Field

from forebay import Context, Message, Reject, RetryLater, Worker

log = logging.getLogger("orders")
worker = Worker("orders")

CENTS_MAX = 1_000_000


class Line(BaseModel):
    """One line of an order. Annotations are checked before the handler runs; what does not fit is never tried."""

    article: str
    pieces: Annotated[int, Field(ge=1)]


@worker.job(timeout="30s", attempts=8)
async def charge(ctx: Context, order: int, cents: int) -> None:
    """Waits for another service: `async def`, so that hundreds can wait at once."""
    if cents > CENTS_MAX:
        raise Reject("more than we may charge")  # To the dead-letter queue at once: it will not get smaller.
    if ctx.stopping:
        raise RetryLater("1s", "this worker is about to leave")
    await asyncio.sleep(0.01)  # Here the payment service would be asked, with `order` as its idempotency key.
    ctx.log.info("charged order %d", order)


@worker.job(timeout="2m")
def invoice(order: int, lines: list[Line]) -> None:
    """Computes: `def`, so that it runs in a thread and holds nobody up."""
    digest = hashlib.sha256("".join(line.article * line.pieces for line in lines).encode())
    log.info("wrote the invoice of order %d: %d lines, seal %s", order, len(lines), digest.hexdigest()[:8])


@worker.default
async def from_elsewhere(message: Message) -> None:
    """Takes what names no job, such as notifications of other systems."""
    log.info("a message of %d bytes from elsewhere", message.body_bytes)


if __name__ == "__main__":
    worker.run()
