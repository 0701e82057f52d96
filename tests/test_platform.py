"""What the operating system says of memory and cores, and what follows from it."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from forebay import platform

MIB = 1024 * 1024


def machine(tmp_path: Path, files: dict[str, str]) -> Path:
    """A root with these files and nothing else."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_limit_of_a_container_is_found_in_cgroup_version_2(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "proc/self/cgroup": "0::/ecs/task/container\n",
            "sys/fs/cgroup/ecs/memory.max": f"{512 * MIB}\n",
            "sys/fs/cgroup/ecs/task/memory.max": f"{1024 * MIB}\n",
            "sys/fs/cgroup/ecs/task/container/memory.max": "max\n",
        },
    )

    assert platform.memory_limit_bytes(root) == 512 * MIB


def test_inside_a_container_the_mount_itself_is_our_cgroup(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {"proc/self/cgroup": "0::/../../elsewhere\n", "sys/fs/cgroup/memory.max": f"{256 * MIB}\n"},
    )

    assert platform.memory_limit_bytes(root) == 256 * MIB


def test_the_limit_is_found_in_cgroup_version_1_where_no_limit_is_a_huge_number(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": f"{300 * MIB}\n",
        },
    )

    assert platform.memory_limit_bytes(root) == 300 * MIB


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"},
        {"proc/self/cgroup": "5:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
        {"proc/self/cgroup": "nonsense\n::\n"},
    ],
)
def test_where_there_is_no_limit_none_is_said(tmp_path: Path, files: dict[str, str]) -> None:
    assert platform.memory_limit_bytes(machine(tmp_path, files)) is None


@pytest.mark.parametrize(("quota", "cores"), [("25000 100000", 1), ("100000 100000", 1), ("max 100000", None)])
def test_a_quota_of_cores_is_rounded_down_but_to_no_less_than_one(
    tmp_path: Path, quota: str, cores: int | None
) -> None:
    root = machine(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota}\n"})

    assert platform.cores(root) == (cores if cores is not None else platform.cores(tmp_path / "nowhere"))


def test_a_quota_of_cgroup_version_1_counts_too(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/cpu,cpuacct"
    root = machine(
        tmp_path,
        {
            "proc/self/cgroup": "3:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            f"{folder}/ignored": "",
        },
    )

    assert platform.cores(root) == 1


@pytest.mark.parametrize(
    ("any_blocking", "cores", "slots"), [(False, 1, 100), (True, 1, 4), (True, 4, 16), (True, 64, 32)]
)
def test_slots_follow_from_the_jobs_and_the_cores(any_blocking: bool, cores: int, slots: int) -> None:
    assert platform.default_slots(any_blocking=any_blocking, cores=cores) == slots


@pytest.mark.parametrize(("limit", "buffer_bytes"), [(None, 256 * MIB), (512 * MIB, 128 * MIB), (2 * MIB, MIB)])
def test_a_quarter_of_the_memory_limit_is_for_bodies(limit: int | None, buffer_bytes: int) -> None:
    assert platform.default_buffer_bytes(limit) == buffer_bytes


def test_a_closed_stream_is_no_terminal() -> None:
    closed = StringIO()
    closed.close()

    assert platform.is_terminal(None) is False
    assert platform.is_terminal(StringIO()) is False
    assert platform.is_terminal(closed) is False


@pytest.mark.processes
def test_a_missing_standard_output_is_filled_before_anything_else_can_take_its_number() -> None:
    program = (
        "import os\n"
        "os.close(1)\n"
        "from forebay import platform\n"
        "platform.fill_standard_descriptors()\n"
        "taken = os.open('/', os.O_RDONLY)\n"
        "os.write(1, b'into nothing')\n"
        "raise SystemExit(0 if taken > 2 else 1)\n"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, stdin=subprocess.DEVNULL).returncode == 0


@pytest.mark.processes
@pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals of POSIX")
def test_a_child_goes_when_its_parent_is_killed() -> None:
    child = (
        "import os, time\n"
        "from forebay import platform\n"
        "platform.leave_with_parent(str(os.getppid()))\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(600)\n"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()

        started.kill()
        ended = started.stdout.read()  # The pipe ends when the child, its last holder, has gone.

    assert ended == b""
