"""Keep ECS from stopping a busy task. Usable alone: `TaskProtection`, `SyncTaskProtection`, docs/protection.md.

The names are looked up when they are used, so that whoever needs the pure policy loads no event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forebay.protection.article import ArticleSettings as ArticleSettings
    from forebay.protection.standalone import TaskProtection as TaskProtection
    from forebay.protection.telling import ProtectionEvent as ProtectionEvent
    from forebay.protection.threaded import SyncTaskProtection as SyncTaskProtection

_HOMES = {
    "ArticleSettings": "forebay.protection.article",
    "ProtectionEvent": "forebay.protection.telling",
    "SyncTaskProtection": "forebay.protection.threaded",
    "TaskProtection": "forebay.protection.standalone",
}

__all__ = ["ArticleSettings", "ProtectionEvent", "SyncTaskProtection", "TaskProtection"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
