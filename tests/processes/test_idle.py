"""C17: what a worker costs while there is nothing to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, running, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.slow]


def cpu_s(process_id: int) -> float:
    """User and system time of a process so far, in seconds (proc(5))."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the kernel's accounts are read from /proc")
def test_an_idle_worker_polls_three_times_a_minute_and_hardly_computes(sqs: Sqs) -> None:
    queue = sqs.queue()
    with running(sqs, [queue], "--drain", "0") as worker:
        worker.wait_line("poll.started", count=1)
        wait_for(lambda: True if sqs.requests("ReceiveMessage") else None, "the first poll")
        before_s, asked = cpu_s(worker.process.pid), sqs.requests("ReceiveMessage")
        worker.wait_line("poll.started", count=2)  # twenty seconds later
        used_s = cpu_s(worker.process.pid) - before_s
        asked = sqs.requests("ReceiveMessage") - asked
        worker.signal()
        worker.wait()

    assert asked <= 1
    assert used_s / 20 <= 0.005, "half a per cent of a core"
