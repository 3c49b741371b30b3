"""Columns: rows of words as a table of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.core.visible import visible


def columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Two spaces between columns, nothing behind the last one. What a terminal would obey is written out."""
    table = [tuple(head), *(tuple(visible(cell) for cell in row) for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)
