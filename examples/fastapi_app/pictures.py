"""The jobs: what a worker does with pictures. The web application imports them only to send them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from forebay import Context, Reject, Worker

worker = Worker("pictures")

Pixels = Annotated[int, Field(ge=1, le=4096)]


@worker.job(timeout="1m", attempts=5)
async def thumbnail(ctx: Context, key: str, width: Pixels = 320) -> None:
    """Make one thumbnail. SQS may deliver twice, so the result has a name that follows from the key."""
    if not key.endswith(".png"):
        raise Reject("not a kind of picture that we can read")
    ctx.log.info("made a thumbnail %d pixels wide", width)
