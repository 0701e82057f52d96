"""Receipt handles: which delivery of which message of which queue a handle stands for.

Rules kept here and nowhere else:

1. Every delivery has a handle of its own: the message's serial number and the delivery's.
2. A handle of another queue, or one that was tampered with, is recognised as such (ReceiptHandleIsInvalid).
3. Handles look like AWS's: opaque base64, well under 1,024 characters (facts/sqs.md section 2), so that nobody
   comes to rely on their form.
"""

from __future__ import annotations

import struct
from binascii import Error, a2b_base64, b2a_base64
from typing import NamedTuple
from zlib import crc32

from forebay.rules.queue_errors import receipt_handle_is_invalid

_LAYOUT = struct.Struct(">QI")
_SEALED = struct.Struct(">QII")


class Receipt(NamedTuple):
    """What a handle says: a message, by its number within its queue, and which of its deliveries."""

    serial: int
    delivery: int


def write_receipt(serial: int, delivery: int, seal: int) -> str:
    """Return the handle of a delivery. `seal` is the queue's own number."""
    check = crc32(_LAYOUT.pack(serial, delivery), seal)
    return "AQEB" + b2a_base64(_SEALED.pack(serial, delivery, check), newline=False).decode()


def read_receipt(text: str, seal: int) -> Receipt:
    """Return what `text` stands for. Raises ReceiptHandleIsInvalid when this queue never wrote it."""
    try:
        if not text.startswith("AQEB"):
            raise ValueError
        serial, delivery, check = _SEALED.unpack(a2b_base64(text[4:], strict_mode=True))
    except (ValueError, Error, struct.error):
        raise receipt_handle_is_invalid(text) from None
    if check != crc32(_LAYOUT.pack(serial, delivery), seal):
        raise receipt_handle_is_invalid(text)
    return Receipt(serial, delivery)
