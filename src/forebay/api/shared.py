"""What start hooks have made, found by its type.

Rules kept here and nowhere else:

1. A value is known by what its hook is annotated to return; without an annotation, by its own type.
2. Two values of one type are an error at the start: which one would be given is no question to answer later.
3. A type that no hook names finds the only value that is an instance of it: ask for the base class if you like.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from forebay.errors import JobError, Misuse

_T = TypeVar("_T")


class Shared:
    """The values of one process, from their start hooks until their stop hooks."""

    def __init__(self) -> None:
        self._by_kind: dict[object, Any] = {}
        self._by_hook: dict[Callable[..., Any], Any] = {}

    def keep(self, hook: Callable[..., Any], kind: object, value: object) -> None:
        """Keep what `hook` has made. Raises `JobError` when there is one of its type."""
        self._by_hook[hook] = value
        if value is None:
            return
        if kind in self._by_kind:
            raise JobError(
                f"two start hooks give a {_name(kind)}, the second is {hook.__qualname__!r}: give one of them a type "
                "of its own"
            )
        self._by_kind[kind] = value

    def get(self, kind: type[_T]) -> _T:
        """Return the value of this type. Raises `JobError` when there is none, or more than one."""
        if kind in self._by_kind:
            return cast("_T", self._by_kind[kind])
        # `dict[str, int]` passes for a type, and is none.
        fitting = [value for value in self._by_kind.values() if inspect.isclass(kind) and isinstance(value, kind)]
        if len(fitting) == 1:
            return fitting[0]
        there_are = ", ".join(map(_name, self._by_kind)) or "none at all"
        wanted = f"no start hook has given a {_name(kind)}" if not fitting else f"more than one {_name(kind)} is shared"
        raise Misuse(f"{wanted}; shared are: {there_are}. Return it from a function with @worker.on_start")

    def of(self, hook: Callable[..., Any]) -> Any:
        """Return what this hook has made. Raises `JobError` when it has not run."""
        if hook not in self._by_hook:
            raise Misuse(f"start hook {hook.__qualname__!r} has not run: only a worker runs it, when it starts")
        return self._by_hook[hook]

    def clear(self) -> None:
        """Forget everything."""
        self._by_kind.clear()
        self._by_hook.clear()


def _name(kind: object) -> str:
    return getattr(kind, "__qualname__", None) or str(kind)
