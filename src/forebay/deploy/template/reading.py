"""A template's text, with or without CloudFormation's short tags, as plain data. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from forebay.deploy.template.intrinsics import Json
from forebay.deploy.template.writing import FULL_NAMES


def read(body: str | Json) -> Json:
    """Return the template as data; JSON is YAML too. Raises `ValueError` for what is neither."""
    if not isinstance(body, str):
        return body
    try:
        found: Any = yaml.load(body, Loader=_Reader)  # noqa: S506  (a child of the safe loader)
    except yaml.YAMLError as error:
        raise ValueError(f"the template is no YAML: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(found, dict):
        raise ValueError("the template is no mapping")
    return found  # pyright: ignore[reportUnknownVariableType]


class _Reader(yaml.SafeLoader):
    """Reads `!Sub text` as `{"Fn::Sub": text}`."""


def _function(loader: _Reader, suffix: str, node: yaml.Node) -> Json:
    tag = f"!{suffix}"
    name = FULL_NAMES.get(tag, f"Fn::{suffix}")
    argument: Any
    if isinstance(node, yaml.ScalarNode):
        argument = loader.construct_scalar(node)
        if name == "Fn::GetAtt":
            argument = str(argument).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        argument = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        argument = loader.construct_mapping(node, deep=True)
    return {name: argument}


_Reader.add_multi_constructor("!", _function)  # pyright: ignore[reportUnknownMemberType]  (its stubs leave this open)
