"""A worker for thumbnails, and the program that gives it work.

`python thumbnails.py` works the queue that FOREBAY_QUEUE_URL names, `python thumbnails.py send a.png b.png` fills it.
"""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from pydantic import Field

from forebay import Context, Reject, RetryLater, Worker, enqueue_many

worker = Worker("thumbnails")

KINDS = ("gif", "jpg", "png")
Pixels = Annotated[int, Field(ge=1, le=4096)]


@worker.job(timeout="5m", attempts=5)
async def album(ctx: Context, keys: list[str], width: Pixels = 320) -> None:
    """Fans out: one job for each picture, on the same queue."""
    for key in keys:
        if ctx.stopping:
            raise RetryLater("1s", "another worker goes on")
        await thumbnail.aenqueue(key, width=width)


@worker.job(timeout="1m")
def thumbnail(ctx: Context, key: str, width: Pixels = 320, fit: Literal["crop", "pad"] = "crop") -> None:
    """Computes, so it is a plain function and runs in a thread. Here the picture would be made."""
    if key.rsplit(".", 1)[-1] not in KINDS:
        raise Reject("a kind of picture that we cannot read")
    ctx.log.info("made a thumbnail %d pixels wide (%s)", width, fit)


def send(keys: list[str]) -> None:
    """Put one job for each picture on the queue, ten in a request, and one for all of them together."""
    for message_id in enqueue_many(thumbnail.call(key) for key in keys):
        print(message_id)
    print(album.options(delay="1s").enqueue(keys, width=64))


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        send(sys.argv[2:])
    else:
        worker.run()
