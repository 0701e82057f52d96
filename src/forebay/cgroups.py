"""What the control groups say that we are in: a container's limits, and what has become of them.

Rules kept here and nowhere else:

1. Both versions are read, each in its own words. Groups are asked from ours up to the top.
2. Nothing here fails: what cannot be read is empty or None.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def files(root: Path, *, controller: str, v2: str, v1: str) -> Iterator[tuple[Path, str]]:
    """Yield (folder, file) for each cgroup that we are in, from ours up to the top."""
    for line in read(root / "proc/self/cgroup").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            top, name = root / "sys/fs/cgroup", v2
        elif controller in controllers.split(","):
            top, name = root / "sys/fs/cgroup" / controller, v1
        else:
            continue
        # Inside a container the path may name a folder of the host; then the mount itself is our cgroup.
        folder = top / path.lstrip("/")
        while True:
            if (folder / name).is_file():
                yield folder, name
            if folder in (top, folder.parent):
                break
            folder = folder.parent


def oom_kills(root: Path = Path("/")) -> int:
    """Return how many processes the kernel has killed for want of memory in the groups that we are in."""
    kills = 0
    for folder, name in files(root, controller="memory", v2="memory.events", v1="memory.oom_control"):
        for line in read(folder / name).splitlines():
            word, _, count = line.partition(" ")
            if word == "oom_kill":
                kills = max(kills, number(count) or 0)
    return kills


def read(path: Path) -> str:
    """Return the text of a file, "" when there is none to be had."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def number(text: str) -> int | None:
    """Return the whole number that a text is, or None."""
    try:
        return int(text)
    except ValueError:
        return None
