"""From a message's body to the arguments of its handler.

Rules kept here and nowhere else:

1. A job's body is a JSON object of its arguments by name. Routed by an envelope (`subject=`, `detail_type=`) it has
   them inside: in the `Message` of SNS, in the `detail` of EventBridge.
2. A parameter that is an envelope (`SnsNotification`, `EventBridgeEvent`, `S3Event`) takes the whole body, alone.
3. The default handler takes the whole body in its one parameter: `str` and `bytes` verbatim, `Message` with all
   attributes, anything else as a JSON value that must fit strictly. Several parameters need a JSON object.
4. A body that does not fit is a rejection with a reason, never a failure: trying again cannot help.
5. It happens where the handler runs, never on the control loop: bodies are large and validators are user code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from forebay.api.answers import Reject
from forebay.api.arguments import Arguments, OneValue, Unfit
from forebay.api.envelopes import EventBridgeEvent, SnsNotification, is_envelope, is_text
from forebay.api.job_options import JobOptions
from forebay.api.signature import Signature
from forebay.errors import JobError
from forebay.handlers.routing import EVENT_DETAIL_TYPE, SNS_SUBJECT, SNS_TYPE, Envelope, envelope_of, texts_of
from forebay.model import Message

Decode = Callable[[Message], dict[str, Any]]
"""Returns the keyword arguments for a message. Raises `Reject`."""

ReadBody = Callable[[str], dict[str, Any]]
"""The same for a body. Raises `Unfit`."""


def job_decoder(signature: Signature, options: JobOptions) -> Decode:
    """Return how the messages of a job are read. Raises `JobError` for parameters that make no sense."""
    parameter = envelope_parameter(signature)
    if parameter is not None:
        return _answering(_one_value(OneValue(signature.name, signature.annotations()[parameter]), parameter))
    has_arguments = bool(signature.parameters) or options.unknown == "reject"
    arguments = Arguments(signature, unknown=options.unknown) if has_arguments else None
    plain = arguments.read if arguments is not None else _nothing
    if options.subject is None and options.detail_type is None:
        return _answering(plain)
    return _by_envelope(options, plain, None if arguments is None else arguments.shape, lambda read: read)


def item_decoder(signature: Signature, options: JobOptions, item: Any, *, is_default: bool) -> Decode:
    """Return how one item of a batch is read: its message's whole body, by the type of items."""
    [parameter] = signature.parameters
    if options.unknown == "reject":
        raise JobError(
            f"unknown='reject' on batch job {signature.name!r}: an item knows its fields itself (a pydantic model with "
            "extra='forbid')"
        )
    if is_default or item is Message:
        return _whole(signature.name, parameter.name, item)
    plain = _one_value(OneValue(signature.name, item, is_ours=True), parameter.name)
    if is_envelope(item) or (options.subject is None and options.detail_type is None):
        return _answering(plain)
    return _by_envelope(options, plain, item, lambda read: {parameter.name: read})


def default_decoder(signature: Signature, options: JobOptions) -> Decode:
    """Return how messages that name no job are read, by the handler's parameters."""
    if options.unknown == "reject" and len(signature.parameters) < 2:
        raise JobError(
            f"unknown='reject' on {signature.name!r} needs several parameters: one that takes the whole body knows its "
            "fields itself (a pydantic model with extra='forbid')"
        )
    match signature.parameters:
        case []:
            return lambda _: {}
        case [only]:
            return _whole(signature.name, only.name, signature.annotations()[only.name])
        case _:
            envelope_parameter(signature)
            return _answering(Arguments(signature, unknown=options.unknown, is_strict=True).read)


def envelope_parameter(signature: Signature) -> str | None:
    """Return the parameter that takes the whole envelope, if there is one. Raises `JobError` if it is not alone."""
    annotations = signature.annotations()
    names = [name for name, annotation in annotations.items() if is_envelope(annotation)]
    if names and len(annotations) > 1:
        raise JobError(
            f"job {signature.name!r}: {names[0]!r} takes the whole body, so that it must be the only parameter "
            "beside the Context"
        )
    return names[0] if names else None


def _answering(read: ReadBody) -> Decode:
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
    value = OneValue(job, annotation, is_text=is_text(annotation), is_strict=True)
    return _answering(_one_value(value, parameter))


def _one_value(value: OneValue, parameter: str) -> ReadBody:
    return lambda body: {parameter: value.read(body)}


def _by_envelope(options: JobOptions, plain: ReadBody, shape: Any, pack: Callable[[Any], dict[str, Any]]) -> Decode:
    """Return the reader of a job that some of its messages reach in an envelope, and others by name.

    `shape` is the type of what is inside of the envelope, and `pack` makes the handler's arguments of it.
    """
    readers: dict[Envelope, ReadBody] = {"sns": _no_arguments, "event": _no_arguments}
    if shape is not None:
        notification: Any = SnsNotification
        event: Any = EventBridgeEvent
        in_message = OneValue(options.name, notification[shape], arguments_at=("Message",))
        in_detail = OneValue(options.name, event[shape], arguments_at=("detail",))
        readers = {"sns": _inside(in_message, "message", pack), "event": _inside(in_detail, "detail", pack)}
    by_name = _answering(plain)
    by_envelope = {envelope: _answering(read) for envelope, read in readers.items()}
    looked_at = (SNS_TYPE, SNS_SUBJECT, EVENT_DETAIL_TYPE)

    def decode(message: Message) -> dict[str, Any]:
        if message.job is not None:
            return by_name(message)
        texts = texts_of(message.body, looked_at)
        envelope = envelope_of(texts, subject=options.subject, detail_type=options.detail_type)
        return by_name(message) if envelope is None else by_envelope[envelope](message)

    return decode


def _inside(value: OneValue, attribute: str, pack: Callable[[Any], dict[str, Any]]) -> ReadBody:
    return lambda body: pack(getattr(value.read(body), attribute))


def _no_arguments(_: str) -> dict[str, Any]:
    return {}


def _nothing(body: str) -> dict[str, Any]:
    """Read the body of a job without parameters: any JSON object."""
    if body != "{}":
        try:
            is_object = isinstance(json.loads(body), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            raise Unfit("the body: should be a JSON object of the job's arguments")
    return {}
