"""What a handler's `def` line says: whether it wants a Context, which arguments it takes, and their types.

Rules kept here and nowhere else:

1. What can never work is refused where it is declared, with the name of the job and the remedy.
2. Annotations are read late, at the first use: they may name what is defined further down in the module.
3. Names that the user imports for type checkers only (`if TYPE_CHECKING`) are known here if they are ours.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from inspect import Parameter
from typing import Any, NamedTuple

from forebay.api.batch import Batch
from forebay.api.callables import Unreadable
from forebay.api.context import Context
from forebay.api.dependencies import Dependency, in_annotation
from forebay.api.envelopes import ENVELOPES, S3Record
from forebay.errors import JobError
from forebay.model import Message

_OURS: dict[str, Any] = {one.__name__: one for one in (Batch, Context, Message, *ENVELOPES, S3Record)}


class Signature:
    """The parameters of one handler: those that travel, those that the worker fills in, and the Context."""

    def __init__(self, name: str, function: Callable[..., object]) -> None:
        self.name = name
        self._function = function
        self._whole = _inspected(name, function)
        parameters = list(self._whole.parameters.values())
        self.wants_context = bool(parameters) and _is_context(function, parameters[0])
        self._without_context = parameters[1:] if self.wants_context else parameters
        self._check_no_method(parameters)
        for parameter in self._without_context:
            self._check(parameter)
        self.marked = {one.name: one.default for one in self._without_context if isinstance(one.default, Dependency)}
        """Dependencies by default value: what is known of them without reading annotations."""

    @cached_property
    def dependencies(self) -> Mapping[str, Dependency]:
        """The parameters that the worker fills in."""
        if all(one.name in self.marked or one.annotation is _NONE for one in self._without_context):
            return self.marked
        hints = self._hints()
        found = {one.name: in_annotation(hints.get(one.name)) for one in self._without_context}
        return {**{name: one for name, one in found.items() if one is not None}, **self.marked}

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The parameters that travel with a message."""
        return [one for one in self._without_context if one.name not in self.dependencies]

    @cached_property
    def _sent(self) -> _Sent:
        return _Sent(
            inspect.Signature(self.parameters),
            frozenset(one.name for one in self.parameters),
            frozenset(one.name for one in self.parameters if one.default is _NONE),
        )

    def bind(self, arguments: tuple[object, ...], keywords: Mapping[str, object]) -> dict[str, object]:
        """Return the arguments by name, as a call would. Raises `TypeError` as a call would."""
        sent = self._sent
        if not arguments and sent.required <= keywords.keys() <= sent.names:
            return dict(keywords)
        for name in keywords:
            if name in self.dependencies:
                raise TypeError(f"job {self.name!r}: {name!r} is filled in by the worker, so it cannot be sent")
        try:
            return dict(sent.signature.bind(*arguments, **keywords).arguments)
        except TypeError as error:
            raise TypeError(f"job {self.name!r}: {error}") from None

    def check_filled(self, arguments: tuple[object, ...], keywords: Mapping[str, object]) -> None:
        """Raise `JobError` when a direct call leaves a dependency to a worker that is not there."""
        try:
            given = self._whole.bind(*arguments, **keywords).arguments
        except TypeError:
            return  # The call itself says it better.
        for name, dependency in self.marked.items():
            if name not in given:
                raise JobError(
                    f"job {self.name!r} is called directly, and only a worker resolves {dependency!r}: pass {name}=…"
                )

    def annotations(self) -> dict[str, Any]:
        """Return the types of the arguments; `Any` where nothing is written."""
        if not self.parameters:
            return {}
        hints = self._hints()
        return {parameter.name: hints.get(parameter.name, Any) for parameter in self.parameters}

    def _hints(self) -> dict[str, Any]:
        source = _annotated(self._function)
        known = getattr(source, "__globals__", {})
        missing = {name: ours for name, ours in _OURS.items() if name not in known}
        try:
            return typing.get_type_hints(source, localns=missing, include_extras=True)
        except Exception as error:
            raise Unreadable(
                f"the parameter types of job {self.name!r} cannot be read: {error}. "
                "Import them at module level, outside `if TYPE_CHECKING`"
            ) from error

    def _check_no_method(self, parameters: list[Parameter]) -> None:
        if parameters and parameters[0].name in ("self", "cls") and parameters[0].annotation is _NONE:
            raise JobError(
                f"job {self.name!r} is a method, and its {parameters[0].name!r} cannot travel: declare a function, or "
                "the method of an object (`worker.job(mailer.send)`)"
            )

    def _check(self, parameter: Parameter) -> None:
        if _is_context(self._function, parameter):
            raise JobError(f"job {self.name!r}: the Context must be the first parameter, not {parameter.name!r}")
        if parameter.kind is Parameter.POSITIONAL_ONLY:
            raise JobError(
                f"job {self.name!r}: {parameter.name!r} is positional-only, but arguments travel by name: drop the `/`"
            )
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            star = "*" if parameter.kind is Parameter.VAR_POSITIONAL else "**"
            raise JobError(
                f"job {self.name!r}: {star}{parameter.name} cannot be validated. Name each argument, or take one "
                "list or dict"
            )


class _Sent(NamedTuple):
    """The parameters that travel, as a call needs them."""

    signature: inspect.Signature
    names: frozenset[str]
    required: frozenset[str]


_NONE = Parameter.empty


def name_of(function: Callable[..., object]) -> str:
    """Return the function's qualified name, without the function it is nested in."""
    name = getattr(function, "__qualname__", "").rsplit("<locals>.", 1)[-1]
    if not name or "<" in name:
        raise JobError("a job needs a name of its own here: write @worker.job(name=…)")
    return name


def _inspected(name: str, function: Callable[..., object]) -> inspect.Signature:
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise JobError(f"job {name!r} has a `yield` in it: a job returns, it does not generate")
    if isinstance(function, classmethod):
        raise JobError(f"job {name!r} is a class method: declare a function, or the method of its class from outside")
    if inspect.isclass(function):
        raise JobError(f"job {name!r} is a class: declare a function")
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise JobError(f"job {name!r}: its parameters cannot be read ({error}). Wrap it in a `def`") from error


def _is_context(function: Callable[..., object], parameter: Parameter) -> bool:
    annotation: object = parameter.annotation
    if isinstance(annotation, str):
        annotation = _looked_up(annotation.strip().strip("'\""), getattr(_annotated(function), "__globals__", {}))
    return inspect.isclass(annotation) and issubclass(annotation, Context)


def _looked_up(name: str, known: Mapping[str, object]) -> object:
    first, *rest = name.split(".")
    if first not in known:
        # Imported for type checkers only. Nothing but its name tells whose it is.
        return Context if name.split(".")[-1] == "Context" else None
    found: object = known[first]
    for part in rest:
        found = getattr(found, part, None)
    return found


def _annotated(function: Callable[..., object]) -> Callable[..., object]:
    """Return the plain function whose `def` line carries the annotations."""
    function = inspect.unwrap(function)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    if inspect.isroutine(function):
        return getattr(function, "__func__", function)
    return type(function).__call__  # an object with `__call__`
