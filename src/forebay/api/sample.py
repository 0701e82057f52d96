"""The sample worker: the article's queue consumer. A job's body is the number of milliseconds that it takes.

It is what `forebay run` works without a TARGET. Its log lines are the article's, each with the message's id.
"""

from __future__ import annotations

import asyncio
import logging
import re

from forebay.api.answers import Reject
from forebay.api.context import Context
from forebay.api.worker import Worker

MILLISECONDS_MAX = 39_600_000
"""11 hours: with the time limit of the same length, as far as SQS's 12 h allow."""

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_log = logging.getLogger("forebay.sample")

# No queue of its own: a run must be told which one.
worker = Worker("sample", queue=())
worker.tells_its_own = True


@worker.default(timeout="11h")
async def work(ctx: Context, body: str) -> None:
    """Sleep for as many milliseconds as the body says."""
    message_id = ctx.message.message_id
    _log.info("%s - Received", message_id)
    milliseconds = milliseconds_of(body)
    _log.info("%s - Working for %s milliseconds", message_id, _told(milliseconds))
    await asyncio.sleep(milliseconds / 1000)
    _log.info("%s - Done", message_id)


def milliseconds_of(body: str) -> float:
    """Return the milliseconds in a body. Raises `Reject` for whatever is not a number of them."""
    text = body.strip()
    if not _NUMBER.fullmatch(text):
        raise Reject("the body: should be a number of milliseconds, such as 250 or 0.5")
    milliseconds = float(text)
    if milliseconds > MILLISECONDS_MAX:
        raise Reject(f"the body: should be at most {MILLISECONDS_MAX} milliseconds (11 hours)")
    return milliseconds


def _told(milliseconds: float) -> str:
    return str(int(milliseconds)) if milliseconds.is_integer() else repr(milliseconds)
