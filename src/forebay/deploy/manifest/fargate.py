"""Which memory Fargate has for which CPU. Pure."""

from __future__ import annotations

from typing import Literal

Cpu = Literal[256, 512, 1024, 2048, 4096, 8192, 16384]

GIB = 1024

MEMORY_MIB: dict[int, tuple[int, ...]] = {
    256: (512, GIB, 2 * GIB),
    512: tuple(range(GIB, 4 * GIB + 1, GIB)),
    1024: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
    2048: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
    4096: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
    8192: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
    16384: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
}
"""CPU units → MiB. Windows has fewer, and is not for workers of ours."""


def refusal(cpu: int, memory_mib: int) -> str | None:
    """Return what is wrong with this pair and what would do; None when Fargate has it."""
    allowed = MEMORY_MIB[cpu]
    if memory_mib in allowed:
        return None
    choices = (
        ", ".join(map(_told, allowed))
        if len(allowed) <= 3
        else f"{_told(allowed[0])} to {_told(allowed[-1])} by {_told(allowed[1] - allowed[0])}"
    )
    fitting = [str(units) for units, sizes in MEMORY_MIB.items() if memory_mib in sizes]
    other = f"; {_told(memory_mib)} goes with cpu: {' or '.join(fitting)}" if fitting else ""
    return f"Fargate has no {_told(memory_mib)} of memory with cpu: {cpu}, but {choices}{other}"


def _told(mebibytes: int) -> str:
    return f"{mebibytes // GIB}GiB" if mebibytes % GIB == 0 else f"{mebibytes}"
