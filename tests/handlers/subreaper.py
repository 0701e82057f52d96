"""A program for a test: a worker's executor in a process to which orphans fall, as they fall to process 1."""

from __future__ import annotations

import ctypes
import os

from tests.handlers.children import children
from tests.handlers.collecting import attempt

PR_SET_CHILD_SUBREAPER = 36

if __name__ == "__main__":
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    with children() as at_work:
        at_work.executor.start([attempt(1, "starts_a_grandchild_and_crashes")])
        at_work.collected.outcomes(1)
        at_work.executor.close(wait_s=5.0)
    try:
        print("left behind:", os.waitpid(-1, os.WNOHANG))
    except ChildProcessError:
        print("nobody is left")
