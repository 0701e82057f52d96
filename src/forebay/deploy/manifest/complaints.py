"""What is wrong with a manifest, as sentences with their places. Pure.

Rules kept here and nowhere else:

1. Each complaint names the key by its whole path, the value (unless it may be secret) and what would do.
2. They come in the order of the file, each once.
3. A key that is not there is complained of at the section that lacks it.
"""

from __future__ import annotations

from collections.abc import Mapping as Keyed
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.tree import (
    PRIVATE,
    WORD_CHARACTERS_MAX,
    Found,
    Mapping,
    Path,
    Place,
    Scalar,
    as_word,
    find,
    is_empty,
    is_within,
)
from forebay.deploy.manifest.values import Contradiction

_KEY = "[key]"
"""Where pydantic says that it is about a key of a dictionary."""

ELSEWHERE: Keyed[str, str] = {
    "type": "this looks like a manifest of AWS Copilot: `forebay import FILE` converts it",
    "subscribe": "topics go under topics:, the queue's settings under queue:",
    "environment": "the container's variables go under variables:",
    "env": "the container's variables go under variables:",
    "env_file": "write the variables under variables:",
    "platform": "write architecture: x86_64 or arm64",
    "storage": "write disk: for ephemeral storage, in GiB",
    "command": "the image starts `forebay run`; name your worker by handler:",
    "entrypoint": "the image starts `forebay run`; name your worker by handler:",
    "timeout": "the queue's visibility timeout is visibility:",
    "dead_letter": "write attempts: and dead_letter_retention:",
    "tries": "write attempts:",
    "fifo": "write type: fifo",
    "environments": "environments stand at the outermost level only",
    "secret": "write secrets:",
    "region": "the Region is that of your AWS configuration (AWS_REGION, or the profile)",
    "policies": "what your code may do goes under permissions:",
}
"""Key that people bring from elsewhere → what there is instead."""


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """One thing that is wrong, and where."""

    at: Place
    sentence: str


def complaints(error: ValidationError, root: Mapping) -> list[Complaint]:
    """Return what `error` has against the manifest that `root` holds."""
    wrong: dict[Path, Complaint] = {}
    problems = error.errors(include_url=False)
    for problem in problems:
        path = tuple(problem["loc"])
        if problem["type"] == "too_short" and any(path == one["loc"][: len(path)] != one["loc"] for one in problems):
            continue  # Only what is right was counted; what is wrong with the others is told.
        found = find(root, path)
        # The members of a union complain one by one, of the same value.
        wrong.setdefault(found.path if problem["type"] != "missing" else path, _complaint(problem, path, found, root))
    return sorted(wrong.values())


def _complaint(problem: Any, path: Path, found: Found, root: Mapping) -> Complaint:
    kind, context = problem["type"], problem.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, Contradiction):
        return _contradiction(cause, path, root)
    match kind:
        case "missing":
            return Complaint(found.at, f"{dotted(path)} is missing{_meaning(path)}")
        case "extra_forbidden":
            return Complaint(found.at, _unknown(path))
        case _ if path[-1:] == (_KEY,):
            return Complaint(found.at, f"{dotted(found.path)}: this name cannot be: {cause}")
        case _:
            value = _shown(found, found.path)
            return Complaint(_value_place(found), f"{dotted(found.path)}{value} {_remedy(kind, context, cause, found)}")


def _contradiction(cause: Contradiction, path: Path, root: Mapping) -> Complaint:
    key: Path = tuple(part for part in cause.key.split(".") if part)
    found = find(root, (*path, *key))
    name = dotted(found.path)
    return Complaint(found.at, f"{name}: {cause}" if name else str(cause))


def _value_place(found: Found) -> Place:
    """Return where the value stands; a section is found by its key."""
    return found.node.at if isinstance(found.node, Scalar) and found.node.value is not None else found.at


def _unknown(path: Path) -> str:
    key, section = str(path[-1]), dotted(path[:-1])
    known = keys_at(path[:-1])
    near = get_close_matches(key[:WORD_CHARACTERS_MAX].replace("-", "_").lower(), known, n=1, cutoff=0.7)
    where = f"{section} has" if section else "there are"
    if near:
        return f"{dotted(path)}: there is no such key; did you mean {near[0]}? ({where} {', '.join(known)})"
    hint = f": {ELSEWHERE[key]}" if key in ELSEWHERE else ""
    return f"{dotted(path)}: there is no such key{hint} ({where} {', '.join(known)})"


def _shown(found: Found, path: Path) -> str:
    """Return the value as it may be told."""
    node = found.node
    if not isinstance(node, Scalar) or node.value is None or is_within(path, PRIVATE):
        return ""
    text = node.text if len(node.text) <= WORD_CHARACTERS_MAX else node.text[:WORD_CHARACTERS_MAX] + "…"
    return f": {text!r}" if isinstance(node.value, str) else f": {text}"


_BOUNDS = {"greater_than_equal": "ge", "less_than_equal": "le", "greater_than": "gt", "less_than": "lt"}
_SIDES = {"ge": "below", "le": "above", "gt": "not above", "lt": "not below"}
_WANTED = {
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "string_type": "must be text: put it in quotes",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list: one `- value` on each line below, or [a, b]",
    "list_type": "must be a list: one `- value` on each line below, or [a, b]",
    "dict_type": "must be a section: `key: value` lines below it",
    "model_type": "must be a section: `key: value` lines below it",
    "model_attributes_type": "must be a section: `key: value` lines below it",
    "string_too_short": "must not be empty",
    "too_short": "must have one value at least",
}


def _remedy(kind: str, context: Any, cause: object, found: Found) -> str:
    if cause is not None:
        return f"cannot be: {cause}"
    if kind in _BOUNDS:
        bound = _BOUNDS[kind]
        unit = " s" if isinstance(found.node, Scalar) and isinstance(found.node.value, str) else ""
        return f"is {_SIDES[bound]} {_amount(context[bound])}{unit}"
    if kind == "string_type" and is_empty(found.node):
        return "has no value: '' is an empty text"
    if kind == "literal_error":
        return f"is none of {str(context['expected']).replace(' or ', ', ').replace(chr(39), '')}"
    if kind == "too_long":
        return f"has more than {context['max_length']} entries"
    if kind in ("int_type", "float_type", "string_type", "bool_type") and not isinstance(found.node, Scalar):
        return "must be a single value"
    return _WANTED.get(kind, f"cannot be ({kind})")


def _amount(bound: float) -> str:
    return f"{int(bound):,}" if float(bound).is_integer() else f"{bound:g}"


def dotted(path: Path) -> str:
    """Return a path as people write it: `queue.visibility`, `permissions[0].actions`."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{as_word(part)}" if shown else as_word(part)
    return shown


def _meaning(path: Path) -> str:
    section = _type_at(path[:-1])
    field = section.model_fields.get(str(path[-1])) if section is not None else None
    description = (field.description or "") if field is not None else ""
    return f": {description[0].lower()}{description[1:].rstrip('.')}" if description else ""


def keys_at(path: Path) -> list[str]:
    """Return the keys that the section at `path` has."""
    section = _type_at(path)
    keys = list(section.model_fields) if section is not None else []
    return [*keys, "environments"] if path == () else keys


def _type_at(path: Path) -> type[BaseModel] | None:
    """Return the class of the section at `path`."""
    kind: Any = Manifest
    for part in path:
        kind = _type_below(kind, part)
    return kind if _is_section(kind) else None


def _type_below(kind: Any, part: str | int) -> Any:
    """Return the type of what stands under `part`: a section, or a dictionary or list of them; else None."""
    if _is_section(kind):
        field = kind.model_fields.get(str(part))
        return None if field is None else _holder_in(field.annotation)
    return _holder_in(get_args(kind)[1 if get_origin(kind) is dict else 0]) if get_args(kind) else None


def _holder_in(annotation: Any) -> Any:
    """Return what has keys or items in an annotation such as `Scaling | None`."""
    if _is_section(annotation) or get_origin(annotation) in (dict, tuple):
        return annotation
    return next((held for one in get_args(annotation) if (held := _holder_in(one)) is not None), None)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
