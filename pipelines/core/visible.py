"""Visible: text from outside as it may be printed. Names in images are written by whoever made the package."""

from __future__ import annotations

LIMIT = 200


def visible(text: str, limit: int = LIMIT) -> str:
    """On one line, without control or other unprintable characters, and not endless."""
    cut = text[: limit + 1]
    seen = "".join(char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in cut[:limit])
    return seen + "…" if len(cut) > limit else seen
