"""JSON for the wire: orjson when it is installed, else the standard library. Both give the same values.

Rules kept here and nowhere else:

1. What orjson refuses is tried again with the standard library: one message with a lone surrogate or a broken byte
   must not take its nine siblings with it. Its own checksum then tells that it is damaged.
2. `decode` raises `ValueError` and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

try:
    import orjson
except ImportError:  # the extra [fast] is not installed
    _fast_dumps: Callable[[object], bytes] | None = None
    _fast_loads: Callable[[bytes], Any] | None = None
else:
    _fast_dumps, _fast_loads = orjson.dumps, orjson.loads


def encode(value: object) -> bytes:
    """Return `value` as compact UTF-8 JSON. Raises `ValueError` when text in it is not Unicode."""
    if _fast_dumps is not None:
        try:
            return _fast_dumps(value)
        except TypeError as error:  # orjson's word for a lone surrogate
            raise ValueError(str(error)) from error
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def decode(data: bytes) -> object:
    """Return the value that `data` holds. Raises `ValueError`."""
    if _fast_loads is not None:
        try:
            return cast("object", _fast_loads(data))
        except ValueError:
            pass  # rule 1: the standard library is more forgiving
    return decode_forgiving(data)


def decode_forgiving(data: bytes) -> object:
    """Return the value that `data` holds, with U+FFFD for what is not UTF-8. Raises `ValueError`."""
    try:
        return cast("object", json.loads(data.decode("utf-8", "replace")))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
