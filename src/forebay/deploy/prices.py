"""AWS's list prices, from the one dated file that holds them."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def _file() -> dict[str, Any]:
    text = resources.files("forebay.deploy").joinpath("prices.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def price(name: str) -> float:
    """Return one price, in USD."""
    usd: float = _file()["usd"][name]
    return usd


def spot_share() -> float:
    """Return what Fargate Spot costs of the price on demand. It varies."""
    share: float = _file()["spot_share"]
    return share


def said() -> str:
    """Return of where and when the prices are, for people: `us-east-1, 2026-06`."""
    return f"{_file()['region']}, {_file()['as_of']}"
