"""Short isolated jobs, which children are given ahead, and some among them that are not what they seem."""

from __future__ import annotations

import ctypes
import logging
import os
import threading

from forebay import Context, Worker

worker = Worker("short", queue="nowhere")
log = logging.getLogger("short")


@worker.job(isolate=True)
def noop(name: str = "") -> None:
    if name:
        log.info("did %s", name)


@worker.job(isolate=True)
async def noop_async(name: str) -> None:
    log.info("did %s", name)


@worker.job(isolate=True)
def aborts() -> None:
    log.info("about to abort")
    os.abort()


@worker.job(isolate=True)
def never_ends() -> None:
    log.info("began")
    threading.Event().wait()


@worker.job(isolate=True)
def obeys(ctx: Context) -> None:
    log.info("began")
    ctx.stopping.wait()


@worker.job(isolate=True)
def is_deaf() -> None:
    """Hold the interpreter for good: nothing that the worker says is heard."""
    log.info("deaf %d", os.getpid())
    ctypes.PyDLL(None).pause()
