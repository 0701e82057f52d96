"""From a message's body to the arguments of its handler.

Rules kept here and nowhere else:

1. A job's body is a JSON object of its arguments by name.
2. The default handler takes the whole body in its one parameter: `str` and `bytes` verbatim, `Message` with all
   attributes, anything else as a JSON value that must fit strictly. Several parameters need a JSON object.
3. A body that does not fit is a rejection with a reason, never a failure: trying again cannot help.
4. It happens where the handler runs, never on the control loop: bodies are large and validators are user code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, get_origin

from forebay.api.answers import Reject
from forebay.api.arguments import Arguments, OneValue, Unfit
from forebay.api.signature import Signature
from forebay.model import Message

Decode = Callable[[Message], dict[str, Any]]
"""Returns the keyword arguments for a message. Raises `Reject`."""

_NOT_AN_OBJECT = "the body: should be a JSON object of the job's arguments"


def job_decoder(signature: Signature) -> Decode:
    """Return how the messages of a job are read."""
    if not signature.parameters:
        return _no_arguments
    return _object(Arguments(signature))


def default_decoder(signature: Signature) -> Decode:
    """Return how messages that name no job are read, by the handler's parameters."""
    match signature.parameters:
        case []:
            return lambda _: {}
        case [only]:
            return _whole(signature.name, only.name, signature.annotations()[only.name])
        case _:
            return _object(Arguments(signature, is_strict=True))


def _object(arguments: Arguments) -> Decode:
    read = arguments.read

    def decode(message: Message) -> dict[str, Any]:
        try:
            return read(message.body)
        except Unfit as unfit:
            raise Reject(str(unfit)) from None

    return decode


def _whole(job: str, parameter: str, annotation: Any) -> Decode:
    if annotation is str:
        return lambda message: {parameter: message.body}
    if annotation is bytes:
        return lambda message: {parameter: message.body.encode()}
    if annotation is Message:
        return lambda message: {parameter: message}
    # `Annotated[str, …]` is text too, with conditions of its own.
    value = OneValue(job, annotation, is_text=get_origin(annotation) is Annotated and annotation.__origin__ is str)

    def decode(message: Message) -> dict[str, Any]:
        try:
            return {parameter: value.read(message.body)}
        except Unfit as unfit:
            raise Reject(str(unfit)) from None

    return decode


def _no_arguments(message: Message) -> dict[str, Any]:
    if message.body != "{}":
        try:
            is_object = isinstance(json.loads(message.body), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            raise Reject(_NOT_AN_OBJECT)
    return {}
