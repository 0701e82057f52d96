"""What every batch call has in common: one to ten entries, under distinct and well-formed ids.

Rules kept here and nowhere else:

1. The envelope is judged first and as a whole; a bad envelope fails the call, whatever its entries hold.
2. A good envelope always answers 200: each entry then succeeds or fails on its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from forebay.rules import queue_errors as errors

ENTRIES_MAX = 10

_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def check_envelope(ids: Sequence[str], entry_type: str) -> None:
    """Raise the `ServiceFailure` of a batch that SQS refuses as a whole."""
    if not ids:
        raise errors.empty_batch(entry_type)
    if len(ids) > ENTRIES_MAX:
        raise errors.too_many_entries(len(ids))
    for entry_id in ids:
        if not _ENTRY_ID.fullmatch(entry_id):
            raise errors.invalid_entry_id()
    if len(set(ids)) != len(ids):
        raise errors.ids_not_distinct(next(entry_id for entry_id in ids if ids.count(entry_id) > 1))
