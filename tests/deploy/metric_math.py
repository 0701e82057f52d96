"""CloudWatch's metric math, as much of it as the templates use, over one minute's figures.

Rules kept here and nowhere else:

1. A figure that is missing makes everything missing that is computed from it, save by FILL. FILL(…, REPEAT) takes the
   last figure there was; without one it is missing as well.
2. Division by zero has no value (using-metric-math: "no data point").
3. What CloudWatch's grammar does not have is refused here, so that a formula with an exponent or a Python word fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from forebay.deploy.template.intrinsics import Json

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]+)?)(?![a-zA-Z_0-9])|([a-zA-Z_][a-zA-Z0-9_]*)|(<=|>=|==|!=|[-+*/<>(),]))")
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")

Figure = float | None


@dataclass
class MetricMath:
    """One alarm's or policy's formulas, told minute by minute."""

    queries: list[Json]
    _last: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        assert len([query for query in self.queries if query["ReturnData"]]) == 1
        assert all(_ID.fullmatch(query["Id"]) for query in self.queries)
        assert len(self.inputs) <= 10, "an alarm has ten metrics at most"

    @property
    def inputs(self) -> dict[str, str]:
        """Id → the metric's name."""
        return {
            query["Id"]: query["MetricStat"]["Metric"]["MetricName"] for query in self.queries if "MetricStat" in query
        }

    def minute(self, figures: Mapping[str, Figure]) -> Figure:
        """Return what the formula makes of one minute's figures, by metric name; each that it asks for is there."""
        values: dict[str, Figure] = {name: figures[metric] for name, metric in self.inputs.items()}
        for query in self.queries:
            if "Expression" in query:
                values[query["Id"]] = _Reader(query["Expression"], values, self._last).value()
        self._last |= {name: value for name, value in values.items() if value is not None}
        return next(values[query["Id"]] for query in self.queries if query["ReturnData"])


class _Reader:
    """Reads and evaluates one expression by recursive descent."""

    def __init__(self, text: str, values: Mapping[str, Figure], last: Mapping[str, float]) -> None:
        self._tokens = self._split(text)
        self._at = 0
        self._values = values
        self._last = last

    @staticmethod
    def _split(text: str) -> list[str]:
        tokens: list[str] = []
        position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            assert found, f"no metric math: {text[position:]!r} in {text!r}"
            tokens.append(found[0].strip())
            position = found.end()
        return tokens

    def value(self) -> Figure:
        value = self._either()
        assert self._at == len(self._tokens), f"more than one expression: {self._tokens[self._at :]}"
        return value

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self, wanted: str | None = None) -> str:
        token = self._peek()
        assert token, f"more expected after {self._tokens}"
        assert wanted in (None, token), f"{wanted!r} expected in {self._tokens}, and {token!r} found"
        self._at += 1
        return token

    def _either(self) -> Figure:
        left = self._comparison()
        while self._peek() in ("AND", "OR"):
            word, right = self._next(), self._comparison()
            if left is None or right is None:
                left = None
            else:
                left = float(bool(left and right) if word == "AND" else bool(left or right))
        return left

    def _comparison(self) -> Figure:
        left = self._sum()
        if self._peek() in ("<", ">", "<=", ">=", "==", "!="):
            sign, right = self._next(), self._sum()
            if left is None or right is None:
                return None
            outcomes = {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}
            return float(outcomes.get(sign, (left == right) == (sign == "==")))
        return left

    def _sum(self) -> Figure:
        left = self._product()
        while self._peek() in ("+", "-"):
            sign, right = self._next(), self._product()
            left = None if left is None or right is None else left + right if sign == "+" else left - right
        return left

    def _product(self) -> Figure:
        left = self._atom()
        while self._peek() in ("*", "/"):
            sign, right = self._next(), self._atom()
            if left is None or right is None or (sign == "/" and right == 0):
                left = None
            else:
                left = left * right if sign == "*" else left / right
        return left

    def _atom(self) -> Figure:
        token = self._next()
        if token == "(":
            value = self._either()
            self._next(")")
            return value
        if token == "IF":
            return self._if()
        if token == "FILL":
            return self._fill()
        if token[0].isdigit():
            return float(token)
        assert token in self._values, f"{token!r} is no id that comes before"
        return self._values[token]

    def _if(self) -> Figure:
        self._next("(")
        condition = self._either()
        self._next(",")
        yes = self._either()
        self._next(",")
        no = self._either()
        self._next(")")
        return None if condition is None else yes if condition else no

    def _fill(self) -> Figure:
        self._next("(")
        name = self._next()
        assert name in self._values, f"{name!r} is no id that comes before"
        self._next(",")
        filling = self._next()
        self._next(")")
        value = self._values[name]
        if value is not None:
            return value
        return self._last.get(name) if filling == "REPEAT" else float(filling)
