"""Message attributes between our values and SQS's JSON. Pure.

Binary values travel as base64. A data type may carry a label of the user's (`Number.int`, `Binary.png`), which is
kept (SQS Developer Guide, "Amazon SQS message metadata").
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import cast

from forebay.model import MessageAttribute

Json = dict[str, object]


def read_attributes(raw: object) -> dict[str, MessageAttribute] | None:
    """Return the message attributes, or None if any cannot be read."""
    if not isinstance(raw, dict):
        return None
    attributes: dict[str, MessageAttribute] = {}
    for name, item in cast("Json", raw).items():
        if not isinstance(item, dict):
            return None
        fields = cast("Json", item)
        data_type, value = fields.get("DataType"), fields.get("StringValue")
        if not isinstance(data_type, str):
            return None
        if isinstance(value, str) and not data_type.startswith("Binary"):
            attributes[name] = MessageAttribute(data_type, value)
            continue
        encoded = fields.get("BinaryValue")
        if not isinstance(encoded, str):
            return None
        try:
            attributes[name] = MessageAttribute(data_type, b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            return None
    return attributes


def write_attributes(attributes: Mapping[str, MessageAttribute]) -> Json:
    """Return message attributes as SQS takes them."""
    return {
        name: {"DataType": data_type, "BinaryValue": b64encode(value).decode()}
        if isinstance(value, bytes)
        else {"DataType": data_type, "StringValue": value}
        for name, (data_type, value) in attributes.items()
    }
