"""What kind of function the user has written: plain or asynchronous, one that returns or one that yields."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any, Literal, get_args, get_origin

from forebay.api.context import Context
from forebay.errors import JobError

Kind = Literal["function", "coroutine", "generator", "async generator"]

_ITERATIONS = (Generator, Iterator, Iterable, AsyncGenerator, AsyncIterator, AsyncIterable)


class Unreadable(JobError):
    """Annotations that cannot be read, or not yet: they may name what is defined further down in the module."""


def kind_of(function: Callable[..., Any]) -> Kind:
    """Return what calling `function` gives. An object with `__call__` counts as that method."""
    plain: Any = function
    while isinstance(plain, partial):
        plain = plain.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not inspect.isroutine(plain) and not inspect.isclass(plain):
        plain = type(plain).__call__
    if inspect.isasyncgenfunction(plain):
        return "async generator"
    if inspect.isgeneratorfunction(plain):
        return "generator"
    return "coroutine" if inspect.iscoroutinefunction(plain) else "function"


def told(function: Callable[..., Any]) -> str:
    """Return the name by which errors speak of a function."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return str(name).rsplit("<locals>.", 1)[-1]


def hints_of(function: Callable[..., Any], wanted_by: str) -> dict[str, Any]:
    """Return the annotations of `function`, read. Raises `JobError` for a name that nobody knows."""
    source: Any = function
    while isinstance(source, partial):
        source = source.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if inspect.isclass(source):
        source = source.__init__  # pyright: ignore[reportUnknownMemberType]
    elif not inspect.isroutine(source):
        source = type(source).__call__
    known = getattr(source, "__globals__", {})
    try:
        # What the user imports for type checkers only is known here if it is ours.
        missing = {} if "Context" in known else {"Context": Context}
        return typing.get_type_hints(source, localns=missing, include_extras=True)
    except Exception as error:
        raise Unreadable(
            f"the annotations of {wanted_by} cannot be read: {error}. Import them at module level, outside "
            "`if TYPE_CHECKING`"
        ) from error


def returned(function: Callable[..., Any], wanted_by: str) -> object | None:
    """Return the type of what `function` returns or yields, or None when nothing is written."""
    if "return" not in getattr(function, "__annotations__", {}):
        return None
    hint: object = hints_of(function, wanted_by)["return"]
    if kind_of(function) in ("generator", "async generator") and get_origin(hint) in _ITERATIONS:
        hint = get_args(hint)[0]
    return hint
