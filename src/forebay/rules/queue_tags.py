"""The tags of a queue: which may be set, and changing them.

Rules kept here and nowhere else:

1. A tag with a key that is there overwrites it. Keys are case-sensitive (API reference, TagQueue). Values may be empty.
2. A queue has at most 50. AWS words this as advice ("more than 50 tags isn't recommended"); moto was taught to refuse,
   and so do we, for a stack that relies on more is better told early.
3. Keys have 1 to 128 characters and values at most 256 (Developer Guide, "Amazon SQS standard queue quotas").
4. All tags of a call are set or, if one is refused, none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from forebay.rules import queue_errors as errors

TAGS_MAX = 50
KEY_MAX = 128
VALUE_MAX = 256


def tagged(queue_name: str, before: Mapping[str, str], added: Mapping[str, object]) -> dict[str, str]:
    """Return the tags after `added` has been set on a queue that had `before`."""
    tags = dict(before)
    for key, value in added.items():
        _check_key(key)
        if not isinstance(value, str) or len(value) > VALUE_MAX:
            raise errors.invalid_parameter(f"Tag values must be between 0 and {VALUE_MAX} characters in length.")
        tags[key] = value
    if len(tags) > TAGS_MAX:
        raise errors.invalid_parameter(f"Too many tags added for queue {queue_name}.")
    return tags


def untagged(before: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return the tags without those of `keys`. A key that is not there is no error."""
    gone = frozenset(keys)
    if not gone:
        raise errors.missing_parameter("TagKeys")
    for key in gone:
        _check_key(key)
    return {key: value for key, value in before.items() if key not in gone}


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= KEY_MAX:
        raise errors.invalid_parameter(f"Tag keys must be between 1 and {KEY_MAX} characters in length.")
