"""What all sections of a manifest have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of a manifest: frozen, with no keys but its own; its fields' docstrings describe them in the schema.

    Types are strict: a number in quotes is text. `values` has the readers of what may be written in several ways.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )
