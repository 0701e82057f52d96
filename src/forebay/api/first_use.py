"""What takes time at the first use is done in a thread, so that no event loop stands still for an import."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module


async def loaded(*modules: str) -> None:
    """Return once these modules are imported. Costs nothing when they are."""
    for module in modules:
        if module not in sys.modules:
            await asyncio.to_thread(import_module, module)
