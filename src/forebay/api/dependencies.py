"""Parameters that nobody sends: `Depends(f)`, resolved by the worker for each attempt.

Rules kept here and nowhere else:

1. A parameter is a dependency by its default value or by its annotation (`Annotated[Db, Depends(get_db)]`).
2. A dependency takes a Context, other dependencies, and parameters with defaults. Anything else is an error where the
   job is declared, as are two that need each other; only annotations that cannot be read yet are looked at later.
3. It is called once in an attempt, for all who want it, unless `use_cache=False`.
4. It runs where the handler runs: a plain one in the handler's thread or on its loop, an asynchronous one on the
   handlers' loop, which a handler in a thread waits for.
5. `Depends(hook)` of a start hook is what the hook has made.
"""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, overload

from forebay.api.callables import Kind, hints_of, kind_of, told
from forebay.api.context import Context
from forebay.api.generators import Opened, Steps
from forebay.api.shared import Shared
from forebay.errors import JobError

_T = TypeVar("_T")
_Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Dependency:
    """What `Depends(…)` returns while a program is declared; type checkers see what the function gives."""

    function: _Function
    use_cache: bool = True

    def __repr__(self) -> str:
        return f"Depends({told(self.function)})"


@overload
def Depends(function: Callable[..., AsyncGenerator[_T, Any]], /, *, use_cache: bool = True) -> _T: ...
@overload
def Depends(function: Callable[..., AsyncIterator[_T]], /, *, use_cache: bool = True) -> _T: ...
@overload
def Depends(function: Callable[..., Generator[_T, Any, Any]], /, *, use_cache: bool = True) -> _T: ...
@overload
def Depends(function: Callable[..., Iterator[_T]], /, *, use_cache: bool = True) -> _T: ...
@overload
def Depends(function: Callable[..., Awaitable[_T]], /, *, use_cache: bool = True) -> _T: ...
@overload
def Depends(function: Callable[..., _T], /, *, use_cache: bool = True) -> _T: ...
def Depends(function: _Function, /, *, use_cache: bool = True) -> Any:  # noqa: N802 - as FastAPI users know it
    """Declare a parameter that the worker fills in with what `function` returns or yields.

    Write it as the parameter's default value, so that type checkers do not ask for it in `enqueue`. With
    `use_cache=False` this parameter gets a value of its own.
    """
    if not callable(function):
        raise JobError(f"Depends({function!r}) needs a function: give the function itself, and do not call it")
    return Dependency(function, use_cache)


@dataclass(frozen=True, slots=True)
class Node:
    """How one function of a dependency is called."""

    kind: Kind
    told: str
    contexts: tuple[str, ...]
    """Names of the parameters that take the Context."""
    needs: Mapping[str, Dependency]


def marked(function: _Function, *, wanted_by: str) -> dict[str, Dependency]:
    """Return the parameters of `function` that are dependencies, by name."""
    parameters = inspect.signature(function).parameters.values()
    by_default = {one.name: one.default for one in parameters if isinstance(one.default, Dependency)}
    if all(one.name in by_default or one.annotation is one.empty for one in parameters):
        return by_default
    hints = hints_of(function, wanted_by)
    by_annotation = {one.name: found for one in parameters if (found := in_annotation(hints.get(one.name)))}
    return {**by_annotation, **by_default}


def in_annotation(hint: object) -> Dependency | None:
    """Return the dependency that stands in `Annotated[…]`, if one does."""
    if get_origin(hint) is not Annotated:
        return None
    return next((one for one in get_args(hint)[1:] if isinstance(one, Dependency)), None)


def node_of(function: _Function) -> Node:
    """Return how a dependency's function is called. Raises `JobError` for parameters that nobody can fill in."""
    name = f"dependency {told(function)!r}"
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise JobError(f"the parameters of {name} cannot be read ({error}): wrap it in a `def`") from error
    needs = marked(function, wanted_by=name)
    others = [
        one for one in parameters if one.name not in needs and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    hints = hints_of(function, name) if others else {}
    contexts: list[str] = []
    for parameter in others:
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise JobError(f"{name}: {parameter.name!r} is positional-only, but values are given by name: drop the `/`")
        hint = hints.get(parameter.name)
        if inspect.isclass(hint) and issubclass(hint, Context):
            contexts.append(parameter.name)
        elif parameter.default is parameter.empty:
            raise JobError(
                f"{name}: nobody can fill in {parameter.name!r}. A dependency takes a Context, other dependencies "
                f"(`{parameter.name}=Depends(…)`) and parameters with default values"
            )
    return Node(kind_of(function), name, tuple(contexts), needs)


class Plan:
    """How the dependencies of one handler are resolved."""

    def __init__(
        self,
        job: str,
        wanted: Mapping[str, Dependency],
        *,
        shared: Shared,
        is_hook: Callable[[_Function], bool],
        overrides: Mapping[_Function, _Function],
    ) -> None:
        """`is_hook` says which functions are start hooks. Raises `JobError` for what can never be resolved."""
        self._job = job
        self._wanted = wanted
        self._shared = shared
        self._is_hook = is_hook
        self._overrides = overrides
        self._nodes: dict[_Function, Node] = {}
        for dependency in wanted.values():
            self._look_at(dependency.function, ())

    async def resolve(self, ctx: Context, opened: Opened, step: Steps) -> dict[str, Any]:
        """Return the values of the handler's dependencies. What is to be cleaned up stands in `opened`."""
        made: dict[_Function, Any] = {}
        return {name: await self._value(one, ctx, opened, step, made) for name, one in self._wanted.items()}

    async def _value(
        self, dependency: Dependency, ctx: Context, opened: Opened, step: Steps, made: dict[_Function, Any]
    ) -> Any:
        function = dependency.function
        if dependency.use_cache and function in made:
            return made[function]
        if self._is_hook(function):
            return self._shared.of(function)
        function = self._overrides.get(function, function)
        node = self._node(function)
        arguments: dict[str, Any] = dict.fromkeys(node.contexts, ctx)
        for name, needed in node.needs.items():
            arguments[name] = await self._value(needed, ctx, opened, step, made)
        value = function(**arguments)
        if node.kind == "coroutine":
            value = await step(value)
        elif node.kind != "function":
            value = await opened.enter(value, node.told)
        if dependency.use_cache:
            made[dependency.function] = value
        return value

    def _node(self, function: _Function) -> Node:
        node = self._nodes.get(function)
        if node is None:  # It stands in for another one, in a test.
            self._look_at(function, ())
            node = self._nodes[function]
        return node

    def _look_at(self, function: _Function, above: tuple[_Function, ...]) -> None:
        if function in above:
            circle = " → ".join(told(one) for one in (*above[above.index(function) :], function))
            raise JobError(
                f"the dependencies of job {self._job!r} need each other: {circle}. One of them must do without"
            )
        if function in self._nodes or self._is_hook(function):
            return
        node = node_of(function)
        for needed in node.needs.values():
            self._look_at(needed.function, (*above, function))
        self._nodes[function] = node
