"""Jobs for child processes: well-behaved ones, and such as bring a process down. Imported by the children of tests."""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import logging
import os
import subprocess
import sys
import threading
import time

from forebay import Batch, Context, Reject, RetryLater, Worker

worker = Worker("isolated", queue="nowhere")
log = logging.getLogger("isolated")


@worker.job(isolate=True)
def noop() -> None:
    return None


@worker.job(isolate=True)
async def noop_async() -> None:
    await asyncio.sleep(0)


@worker.job(isolate=True)
def aborts() -> None:
    log.info("about to abort")
    os.abort()


@worker.job(isolate=True)
def segfaults() -> None:
    ctypes.string_at(0)


@worker.job(isolate=True)
def leaves_at_once() -> None:
    os._exit(3)


@worker.job(isolate=True)
def calls_exit() -> None:
    sys.exit(4)


@worker.job(isolate=True)
def fails(words: str) -> None:
    raise ValueError(words)


@worker.job(isolate=True)
def answers_later() -> None:
    raise RetryLater("2m", "busy")


@worker.job(isolate=True)
def rejects() -> None:
    raise Reject("no")


@worker.job(isolate=True)
def runs_for_ever() -> None:
    while True:
        pass


@worker.job(isolate=True)
def holds_the_interpreter(seconds: int) -> None:
    ctypes.PyDLL(None).sleep(seconds)


@worker.job(isolate=True)
def says_where(ctx: Context) -> None:
    is_main = threading.current_thread() is threading.main_thread()
    ctx.log.warning("process %d main %s", os.getpid(), is_main)


@worker.job(isolate=True)
def prints_and_logs(ctx: Context, words: str) -> None:
    print("printed", words)
    ctx.log.info("logged %s", words, extra={"colour": "green"})


@worker.job(isolate=True)
def logs_an_exception() -> None:
    try:
        raise KeyError("inner words")
    except KeyError:
        log.exception("it went wrong")


@worker.job(isolate=True)
def waits_until_told(ctx: Context) -> None:
    log.info("waiting")
    assert ctx.stopping.wait(30)


@worker.job(isolate=True)
async def waits_in_a_coroutine(ctx: Context) -> None:
    log.info("waiting")
    await ctx.stopping


@worker.job(isolate=True)
def waits_for_a_lost_lease(ctx: Context) -> None:
    log.info("waiting")
    assert ctx.lease_lost.wait(30)
    raise Reject("the lease was lost")


@worker.job(isolate=True)
def never_listens() -> None:
    log.info("working")
    while True:
        time.sleep(60)  # stands for work


@worker.job(isolate=True)
def starts_a_grandchild() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    log.info("grandchild %d", child.pid)
    child.wait()


@worker.job(isolate=True)
def starts_a_grandchild_and_crashes() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    log.info("grandchild %d", child.pid)
    os.abort()


@worker.job(isolate=True)
def extends(ctx: Context) -> None:
    ctx.extend("1h")
    log.info("extended")
    while ctx.remaining_s < 3000:
        ctx.stopping.wait(0.01)


@worker.job(isolate=True, memory="64MiB")
def eats(mebibytes: int) -> None:
    bytearray(mebibytes * 1024 * 1024)


@worker.job(isolate=True, memory="12MiB")
def has_little() -> None:
    bytearray(8 * 1024 * 1024)


kept: list[bytearray] = []


@worker.job(isolate=True, memory="64MiB")
def leaks(mebibytes: int) -> None:
    kept.append(bytearray(os.urandom(1024) * (1024 * mebibytes)))
    log.info("process %d", os.getpid())


@worker.job(isolate=True, recycle=2)
def is_recycled() -> None:
    log.info("process %d", os.getpid())


@worker.job(isolate=True)
def closes_everything() -> None:
    os.closerange(3, 64)


@worker.job(isolate=True)
def forks_and_comes_back() -> None:
    os.fork()


@worker.job(isolate=True)
def reaches_page(ctx: Context, page: int) -> None:
    ctx.checkpoint({"page": page})
    log.info("reached page %d", page)
    time.sleep(600)  # stands for work


@worker.batch(isolate=True, size=4, linger="1s")
def ingests(items: Batch[int]) -> None:
    log.info("batch of %d", len(items))
    if any(item < 0 for item in items):
        os.abort()
    for index, item in enumerate(items):
        if item == 2:
            items.fail(index, ValueError("two"))


@worker.job(isolate=True)
def takes_without_a_limit(mebibytes: int) -> None:
    bytearray(mebibytes * 1024 * 1024)


@worker.job(isolate=True)
def registers_an_end() -> None:
    atexit.register(log.info, "the interpreter ends")


@worker.job(isolate=True)
def chatters() -> None:
    log.debug("at debug")
    log.info("at info")


@worker.job
def plain_noop() -> None:
    return None


@worker.job
async def coroutine_noop() -> None:
    return None


@worker.job
def plain_aborts() -> None:
    os.abort()


@worker.job
def plain_waits(ctx: Context) -> None:
    log.info("waiting")
    ctx.stopping.wait(60)


@worker.job
def plain_holds_the_interpreter(seconds: int) -> None:
    log.info("holding")
    ctypes.PyDLL(None).sleep(seconds)


@worker.job
async def blocks_the_loop() -> None:
    log.info("blocking")
    time.sleep(4)  # noqa: ASYNC251 - stands for work
