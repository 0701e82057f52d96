"""The exceptions of the local ECS API, and reading the parameters that may earn them.

Rules kept here and nowhere else:

1. Every exception is a client's fault, HTTP 400, with its name as `__type` (AWS JSON 1.1 protocol).
2. A parameter of the wrong JSON type is SerializationException; a missing or impossible one InvalidParameterException.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

Params = Mapping[str, Any]


class EcsRefusal(Exception):
    """The operation is refused with an exception of ECS."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


def invalid_parameter(message: str) -> EcsRefusal:
    return EcsRefusal("InvalidParameterException", message)


def cluster_not_found() -> EcsRefusal:
    return EcsRefusal("ClusterNotFoundException", "Cluster not found.")


def service_not_found() -> EcsRefusal:
    return EcsRefusal("ServiceNotFoundException", "Service not found.")


def task_definition_not_found() -> EcsRefusal:
    return EcsRefusal("ClientException", "Unable to describe task definition.")


def text_of(params: Params, name: str) -> str:
    """Return a parameter that must be there."""
    value = optional_text_of(params, name)
    if not value:
        raise invalid_parameter(f"{name} must not be empty.")
    return value


def optional_text_of(params: Params, name: str) -> str | None:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise EcsRefusal("SerializationException", f"{name} must be a string.")
    return value


def number_of(params: Params, name: str, *, at_least: int, at_most: int) -> int | None:
    value = params.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise EcsRefusal("SerializationException", f"{name} must be a whole number.")
    if not at_least <= value <= at_most:
        raise invalid_parameter(f"{name} must be between {at_least} and {at_most}, not {value}.")
    return value


def flag_of(params: Params, name: str) -> bool | None:
    value = params.get(name)
    if value is not None and not isinstance(value, bool):
        raise EcsRefusal("SerializationException", f"{name} must be a boolean.")
    return value


def names_of(params: Params, name: str, *, at_most: int) -> list[str]:
    """Return a list of strings; an absent one is empty."""
    value = params.get(name)
    if value is None:
        return []
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(item, str) for item in items):
        raise EcsRefusal("SerializationException", f"{name} must be a list of strings.")
    if len(items) > at_most:
        raise invalid_parameter(f"{name} can have at most {at_most} entries, not {len(items)}.")
    return cast("list[str]", items)


def some_names_of(params: Params, name: str, *, at_most: int) -> list[str]:
    """Return a list of strings that must be there."""
    names = names_of(params, name, at_most=at_most)
    if not names:
        raise invalid_parameter(f"{name[:1].upper()}{name[1:]} cannot be empty.")
    return names
