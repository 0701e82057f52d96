"""How much memory a child has, and the ceiling that one job of it is held to.

Rules kept here and nowhere else:

1. The ceiling counts from what the child had with the program imported, after its first job from what that has left
   (a model that it has loaded), and only while a job with a limit runs.
2. What Python is refused it raises as MemoryError: the handler fails, the child goes on. Only Linux has such a ceiling.
3. Growth is measured in memory that is the child's own and really there, not in addresses.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_PAGE_BYTES = resource.getpagesize()
_STATUS = Path("/proc/self/status")
_STATM = Path("/proc/self/statm")


class Ceiling:
    """The limit of the data that this process may have."""

    def __init__(self) -> None:
        self._base_bytes = _data_bytes()
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_DATA)
        self._is_set = False
        self._is_warm = False

    def put(self, bytes_more: int) -> None:
        """Let the process have `bytes_more` beyond what it had at first. Nothing changes where that is not counted."""
        if self._base_bytes is None:
            return
        limit = self._base_bytes + bytes_more
        if self._hard != resource.RLIM_INFINITY:
            limit = min(limit, self._hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, self._hard))
        self._is_set = True

    def lift(self) -> None:
        """Let it have what it could have at first. What the first job has left is warmth, and counted in from here."""
        if self._is_set:
            resource.setrlimit(resource.RLIMIT_DATA, (self._soft, self._hard))
            self._is_set = False
            if not self._is_warm:
                self._is_warm = True
                self._base_bytes = _data_bytes()


def own_bytes() -> int:
    """Return the memory that is this process's own now; where the system does not say, the most that it ever had."""
    try:
        _, resident, shared, *_ = _STATM.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return (int(resident) - int(shared)) * _PAGE_BYTES


def _data_bytes() -> int | None:
    """Return what RLIMIT_DATA counts, or None where that is not known."""
    if sys.platform != "linux":
        return None
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith("VmData:")), None)
    return None if kib is None else int(kib) * 1024
