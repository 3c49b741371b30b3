"""The table of budgets: what was measured, what it may be, and whether it is."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """One budget. `unit` is s, x (multiples of the floor) or MB; a line without a budget is only told."""

    name: str
    what: str
    measured: float
    unit: str
    budget: float | None
    detail: str = ""

    @property
    def share(self) -> float | None:
        """How much of the budget is used; 1 is all of it."""
        return None if self.budget is None else self.measured / self.budget

    @property
    def verdict(self) -> str:
        return "-" if self.share is None else "ok" if self.share <= 1 else "over"


HEAD = ("name", "what", "measured", "budget", "ratio", "", "detail")


def _cells(line: Line) -> tuple[str, ...]:
    budget, share = ("-", "-") if line.share is None else (_number(line.budget or 0, line.unit), f"{line.share:.2f}")
    return (line.name, line.what, _number(line.measured, line.unit), budget, share, line.verdict, line.detail)


def _number(value: float, unit: str) -> str:
    return f"{value:.0f} {unit}" if unit == "MB" else f"{value:.2f} {unit}"


def text(lines: Iterable[Line], facts: Sequence[str]) -> str:
    rows = [HEAD, *map(_cells, lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    shown = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join((*facts, "", *shown)) + "\n"


def markdown(lines: Iterable[Line], facts: Sequence[str]) -> str:
    rows = [HEAD, ("---",) * len(HEAD), *map(_cells, lines)]
    return "\n".join((*(f"{fact}  " for fact in facts), "", *("| " + " | ".join(row) + " |" for row in rows))) + "\n"


def as_json(lines: Iterable[Line], facts: Sequence[str]) -> str:
    found = [{**line._asdict(), "ratio": line.share, "verdict": line.verdict} for line in lines]
    return json.dumps({"machine": list(facts), "budgets": found}, indent=1) + "\n"


FORMATS = {"text": text, "markdown": markdown, "json": as_json}
