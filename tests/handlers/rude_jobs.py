"""Jobs for child processes that misuse what they are given there. Imported by the children of tests."""

from __future__ import annotations

import gc
import logging
import os
import signal
import stat
import subprocess
import sys
import time

from forebay import Batch, Worker

worker = Worker("rude", queue="nowhere")
log = logging.getLogger("rude")


@worker.job(isolate=True)
def logs_far_too_much_beside() -> None:
    log.info("beside", extra={"text": "a" * 20_000_000, "number": 10**5000, "short": "kept"})


@worker.job(isolate=True)
def logs_what_is_no_record() -> None:
    logging.getLogger().handle(logging.makeLogRecord({"msg": "odd", "levelno": 20, "levelname": object()}))


@worker.batch(isolate=True, size=100, linger="1s")
def fails_in_foxes(items: Batch[int]) -> None:
    for index, _ in enumerate(items):
        items.fail(index, ValueError("🦊" * 20_000))


@worker.job(isolate=True)
def writes_nonsense_on_the_pipe() -> None:
    for descriptor in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\xff" * 64)
        except OSError:
            continue
    time.sleep(600)  # stands for work


@worker.job(isolate=True)
def runs_a_program_that_fails() -> None:
    log.info("status %d", subprocess.run([sys.executable, "-c", "raise SystemExit(7)"], check=False).returncode)


@worker.job(isolate=True)
def looks_for_garbage() -> None:
    log.info("thresholds %s", gc.get_threshold())


@worker.job(isolate=True)
def is_asked_to_end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    if (copy := os.fork()) == 0:
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    _, status = os.waitpid(copy, 0)
    log.info("copy %d", os.waitstatus_to_exitcode(status))
