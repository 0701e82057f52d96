"""What a service costs a month, as lines of a screen. Pure.

Rules kept here and nowhere else:

1. A service that is scaled costs a range: at its fewest tasks, and at its most.
2. The sum, what a million jobs add, and of when the prices are, is the last line.
"""

from __future__ import annotations

from forebay.cli.shapes import INDENT, columns
from forebay.deploy.cost import CostLine, estimate, summary
from forebay.deploy.manifest.model import Manifest


def cost_lines(manifest: Manifest) -> list[str]:
    """Return the lines: a heading, what costs money whether there are jobs or not, and the sum."""
    rows = [[line.what, _amount(line)] for line in estimate(manifest)]
    return ["Cost a month, USD", "", *columns(rows), "", f"{INDENT}{summary(manifest)}"]


def _amount(line: CostLine) -> str:
    least, most = f"{line.usd_month:,.2f}", f"{line.usd_month_most:,.2f}"
    return least if least == most else f"{least} to {most}"
