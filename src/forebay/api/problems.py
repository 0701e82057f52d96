"""What is wrong with a job's arguments, told by field and problem and never by value.

Rules kept here and nowhere else:

1. Pydantic's own sentence is used only for kinds of error whose sentence is made from the annotation alone. Some echo
   the input (a union's tag, a character of a UUID), and a validator's own words may hold anything: those are replaced.
2. A place is told by names that stand in the annotations and by positions. Keys of the input are not told, save the
   name of an argument that the job does not know, if it looks like a name: one that is refused has to be found.
3. The text is bounded, however long the input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pydantic import ValidationError

PROBLEMS_MAX = 8
DEPTH_MAX = 8

_LIKE_A_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

_FROM_ANNOTATION_ALONE = frozenset(
    {
        "missing",
        "extra_forbidden",
        "none_required",
        "string_type",
        "string_sub_type",
        "bytes_type",
        "int_type",
        "float_type",
        "bool_type",
        "decimal_type",
        "complex_type",
        "list_type",
        "tuple_type",
        "set_type",
        "frozen_set_type",
        "dict_type",
        "mapping_type",
        "iterable_type",
        "date_type",
        "time_type",
        "datetime_type",
        "time_delta_type",
        "uuid_type",
        "url_type",
        "callable_type",
        "model_type",
        "model_attributes_type",
        "dataclass_type",
        "dataclass_exact_type",
        "is_instance_of",
        "is_subclass_of",
        "int_parsing",
        "int_parsing_size",
        "int_from_float",
        "float_parsing",
        "bool_parsing",
        "decimal_parsing",
        "finite_number",
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "multiple_of",
        "too_short",
        "too_long",
        "string_too_short",
        "string_too_long",
        "bytes_too_short",
        "bytes_too_long",
        "string_pattern_mismatch",
        "decimal_max_digits",
        "decimal_max_places",
        "decimal_whole_digits",
        "literal_error",
        "enum",
        "timezone_naive",
        "timezone_aware",
        "date_past",
        "date_future",
        "datetime_past",
        "datetime_future",
        "uuid_version",
        "union_tag_not_found",
        "url_scheme",
        "url_too_long",
    }
)
_SAID_OTHERWISE = {
    "json_invalid": "is not valid JSON",
    "json_type": "should be JSON text",
    "string_unicode": "should be valid Unicode text",
    "bytes_invalid_encoding": "should be bytes in base64",
    "uuid_parsing": "should be a valid UUID",
    "date_parsing": "should be a valid date, as YYYY-MM-DD",
    "date_from_datetime_parsing": "should be a valid date, as YYYY-MM-DD",
    "date_from_datetime_inexact": "should be a date without a time",
    "time_parsing": "should be a valid time",
    "datetime_parsing": "should be a valid date and time",
    "datetime_from_date_parsing": "should be a valid date and time",
    "time_delta_parsing": "should be a valid duration",
    "url_parsing": "should be a valid URL",
    "url_syntax_violation": "should be a valid URL",
    "s3_records_missing": "should have Records, as an event of S3 has",
    "union_tag_invalid": "names none of the expected kinds",
}
_REFUSED = "was refused by its validator"


def problems_of(
    error: ValidationError, *, names: frozenset[str], whole: str, arguments_at: tuple[str, ...] | None = None
) -> str:
    """Return the problems as one line, such as `key: Field required; sizes[3]: Input should be a valid integer`.

    `names` are those that stand in the annotations, `whole` is what a problem with no place of its own is about,
    `arguments_at` where the arguments of a job stand that refuses those it does not know.
    """
    details = cast(
        "Sequence[Mapping[str, Any]]", error.errors(include_url=False, include_context=False, include_input=False)
    )
    told = [_told(problem, names, whole, arguments_at) for problem in details[:PROBLEMS_MAX]]
    if len(details) > PROBLEMS_MAX:
        told.append(f"and {len(details) - PROBLEMS_MAX} more")
    return "; ".join(told)


def names_in(schema: object) -> frozenset[str]:
    """Return every field name and alias that stands in a pydantic core schema."""
    return frozenset(_names(schema))


def _names(schema: object) -> Iterator[str]:
    waiting: list[object] = [schema]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            mapping = cast("dict[str, object]", part)
            fields = mapping.get("fields")
            if isinstance(fields, dict):
                yield from cast("dict[str, object]", fields)
            for key in ("name", "validation_alias"):
                alias = mapping.get(key)
                if isinstance(alias, str):
                    yield alias
            waiting.extend(mapping.values())
        elif isinstance(part, list | tuple):
            waiting.extend(cast("Sequence[object]", part))


def _told(problem: Mapping[str, Any], names: frozenset[str], whole: str, arguments_at: tuple[str, ...] | None) -> str:
    location: tuple[int | str, ...] = problem["loc"]
    if problem["type"] == "extra_forbidden" and location[:-1] == arguments_at:
        unknown = str(location[-1])
        names = names | {unknown} if _LIKE_A_NAME.fullmatch(unknown) else names
    return f"{_place(location, names) or whole}{_problem(problem)}"


def _place(location: Sequence[int | str], names: frozenset[str]) -> str:
    text = ""
    for step in location[:DEPTH_MAX]:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step in names:
            text += f".{step}" if text else step
        else:
            text += "[…]" if text else "…"
    return text + ("…" if len(location) > DEPTH_MAX else "")


def _problem(problem: Mapping[str, Any]) -> str:
    kind = str(problem["type"])
    if kind in _FROM_ANNOTATION_ALONE:
        return f": {str(problem['msg'])[:200]}"
    return f": {_SAID_OTHERWISE.get(kind, _REFUSED)}"
