"""Arguments to JSON and back, by the annotations of the job. It and `envelope_schemas` alone touch pydantic.

Rules kept here and nowhere else:

1. Pydantic is imported when the first job with arguments is used, never by `import forebay`.
2. What does not fit is told by field and problem, never by value (`problems`).
3. Fields that a job does not know are passed over, unless it says `unknown="reject"`: producer and worker are not
   deployed in the same second.
4. Defaults are the worker's: an argument left out is not sent.
5. Bytes travel as base64 and NaN as a string, so that every body is plain JSON in UTF-8. Inside of a pydantic model
   its own configuration says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, cast

from forebay.api.job_options import Unknown
from forebay.api.problems import names_in, problems_of
from forebay.api.signature import Signature
from forebay.errors import JobError


class Unfit(Exception):
    """The arguments do not fit the job. An answer to the caller; its words hold no values."""


class Arguments:
    """Writes and reads the arguments of one job, as a JSON object."""

    def __init__(self, signature: Signature, *, unknown: Unknown = "ignore", is_strict: bool = False) -> None:
        self._name = signature.name
        annotations = signature.annotations()
        for parameter in signature.parameters:
            _check_default(signature.name, parameter.name, parameter.default)
        optional = {one.name for one in signature.parameters if one.default is not one.empty}
        self.shape = _shape(annotations, optional, unknown)
        """The arguments as one type, to be read inside of an envelope too."""
        self._adapter = _adapter(signature.name, self.shape)
        self._validator = self._adapter.validator
        self._serializer = _serializer(self._adapter)
        self._names = names_in(self._adapter.core_schema)
        self._strict = True if is_strict else None

    def read(self, body: str) -> dict[str, Any]:
        """Return the keyword arguments in a body. Raises `Unfit`."""
        try:
            return cast("dict[str, Any]", self._validator.validate_json(body, strict=self._strict))
        except ValueError as error:
            raise Unfit(self._told(error, "the body")) from None

    def write(self, arguments: Mapping[str, object]) -> str:
        """Return a body with these arguments. Raises `JobError` when they do not fit."""
        try:
            return _written(self._name, self._adapter, self._serializer, arguments)
        except ValueError as error:
            told = self._told(error, "the arguments")
            raise JobError(f"job {self._name!r} cannot be sent: {told}") from None

    def _told(self, error: ValueError, whole: str) -> str:
        from pydantic import ValidationError

        if isinstance(error, ValidationError):
            return problems_of(error, names=self._names, whole=whole, arguments_at=())
        return f"{whole}: cannot be written as JSON in UTF-8"


class OneValue:
    """Reads a whole body as one value of one type."""

    def __init__(
        self,
        name: str,
        annotation: object,
        *,
        is_text: bool = False,
        is_strict: bool = False,
        arguments_at: tuple[str, ...] | None = None,
        is_ours: bool = False,
    ) -> None:
        """`arguments_at` is where the job's arguments stand in it, if it carries them.

        `is_ours`: it is written by `write`, so that bytes are base64.
        """
        from pydantic_core import SchemaValidator

        self._name = name
        self._adapter = _adapter(name, annotation)
        self._validator = (
            SchemaValidator(self._adapter.core_schema, {"val_json_bytes": "base64", "hide_input_in_errors": True})
            if is_ours
            else self._adapter.validator
        )
        self._names = names_in(self._adapter.core_schema)
        self._is_text = is_text
        self._strict = True if is_strict else None
        self._arguments_at = arguments_at
        self._serializer: Any = None
        """Made for the first value that is written: most are only read."""

    def read(self, body: str) -> object:
        """Return the value. Raises `Unfit`."""
        from pydantic import ValidationError

        try:
            if self._is_text:
                return self._validator.validate_python(body, strict=self._strict)
            return self._validator.validate_json(body, strict=self._strict)
        except ValidationError as error:
            told = problems_of(error, names=self._names, whole="the body", arguments_at=self._arguments_at)
            raise Unfit(told) from None
        except ValueError:
            raise Unfit("the body: is not valid JSON in UTF-8") from None

    def write(self, value: object) -> str:
        """Return a body with this value. Raises `JobError` when it does not fit."""
        from pydantic import ValidationError

        try:
            if self._serializer is None:
                self._serializer = _serializer(self._adapter)
            return _written(self._name, self._adapter, self._serializer, value)
        except ValidationError as error:
            told = problems_of(error, names=self._names, whole="the item", arguments_at=self._arguments_at)
        except ValueError:
            told = "the item: cannot be written as JSON in UTF-8"
        raise JobError(f"job {self._name!r} cannot be sent: {told}")


def _serializer(adapter: Any) -> Any:
    from pydantic_core import SchemaSerializer

    # A TypedDict's configuration reaches its fields when reading, but not when writing.
    return SchemaSerializer(adapter.core_schema, {"ser_json_bytes": "base64", "ser_json_inf_nan": "strings"})


def _written(name: str, adapter: Any, serializer: Any, value: object) -> str:
    """Return the value as a body. Raises `ValueError` when it does not fit, `JobError` for a secret."""
    valid = adapter.validator.validate_python(value)
    body: str = serializer.to_json(valid, by_alias=True, warnings=False).decode()
    if _MASK in body and _holds_secret(adapter.dump_python(valid, warnings="none")):
        raise JobError(
            f"job {name!r} cannot be sent: pydantic masks SecretStr and SecretBytes in JSON, so the worker would get "
            "asterisks. Send a reference to the secret, or declare the argument as str"
        )
    return _carried(body)


def write_untyped(name: str, arguments: Mapping[str, object]) -> str:
    """Return a body for a job whose annotations are not at hand. Raises `JobError` for what JSON cannot carry."""
    from pydantic_core import PydanticSerializationError, to_json

    try:
        return _carried(to_json(dict(arguments), bytes_mode="base64", inf_nan_mode="strings").decode())
    except (PydanticSerializationError, ValueError) as error:
        raise JobError(
            f"job {name!r} cannot be sent: an argument cannot be written as JSON ({type(error).__name__})"
        ) from None


def _carried(body: str) -> str:
    """Return the body without the two characters that SQS refuses and JSON leaves as they are."""
    return body.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


_MASK = '"**********"'


def _shape(annotations: Mapping[str, Any], optional: set[str], unknown: Unknown) -> Any:
    from pydantic import ConfigDict
    from typing_extensions import TypedDict

    fields = {
        name: NotRequired[annotation] if name in optional else annotation for name, annotation in annotations.items()
    }
    shape = TypedDict("Arguments", fields)  # type: ignore[misc]  # pyright: ignore
    cast("Any", shape).__pydantic_config__ = ConfigDict(
        extra="forbid" if unknown == "reject" else "ignore",
        hide_input_in_errors=True,
        val_json_bytes="base64",
    )
    return shape


def _adapter(name: str, annotation: object) -> Any:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter[Any](cast("Any", annotation))
    except (PydanticUserError, TypeError, NameError) as error:
        raise JobError(f"the parameter types of job {name!r} are nothing that can be validated: {error}") from error


def _check_default(job: str, parameter: str, default: object) -> None:
    from pydantic.fields import FieldInfo

    if isinstance(default, FieldInfo):
        raise JobError(f"job {job!r}: write `{parameter}: Annotated[TYPE, Field(…)] = VALUE`, not `= Field(…)`")


def _holds_secret(value: object) -> bool:
    from pydantic import SecretBytes, SecretStr

    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, SecretStr | SecretBytes):
            return True
        if isinstance(part, dict):
            waiting.extend(cast("dict[object, object]", part).values())
        elif isinstance(part, list | tuple | set | frozenset):
            waiting.extend(cast("list[object]", part))
    return False
