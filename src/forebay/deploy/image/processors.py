"""Which processors an image can be for, and whether this machine can build for another than its own.

Rules kept here and nowhere else:

1. An engine in a virtual machine (macOS, Windows) brings emulators along. On Linux the kernel must know of one.
2. Not knowing of an emulator forbids nothing: a Dockerfile without RUN needs none, and an engine may be remote.
"""

from __future__ import annotations

import platform
from pathlib import Path

PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
"""What the manifest calls an architecture → what engines call it."""

_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_EMULATORS = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}
_BINARY_FORMATS = Path("/proc/sys/fs/binfmt_misc")


def doubt(
    wanted: str,
    *,
    machine: str | None = None,
    system: str | None = None,
    binary_formats: Path = _BINARY_FORMATS,
) -> str | None:
    """Return a remark on a build for `wanted` (`amd64`, `arm64`) that may fail here; None when nothing is against it.

    The rest is this machine's own unless given.
    """
    machine = (machine or platform.machine()).lower()
    own = _MACHINES.get(machine, machine)
    is_linux = (system or platform.system()) == "Linux"
    if own == wanted or not is_linux or (binary_formats / _EMULATORS[wanted]).exists():
        return None
    return (
        f"this machine is {own}, and nothing here is known to emulate {wanted}: the Dockerfile's RUN may fail. "
        "qemu-user-static would bring it"
    )
