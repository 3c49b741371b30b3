"""Inline: a value as one line of YAML, quoted only where a reader would else take it for something else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from reconciler.core.scalars import plain

_SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./+-]*[A-Za-z0-9_])?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_NUMBER = re.compile(r"[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|0b[01_]+|0x[0-9a-fA-F_]+")


def inline(value: Any) -> str:
    """One line: mappings and lists in flow style. Raises ValueError for what YAML has no word for."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{inline(key)}: {inline(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(inline, value)) + "]"
        case str():
            return value if _is_plain(value) else quoted(value)
        case None | bool() | int() | float():
            return json.dumps(value, allow_nan=False)
        case date():
            return value.isoformat()
        case _:
            raise ValueError(f"{value!r} cannot be written as YAML")


def quoted(text: str) -> str:
    """In double quotes. JSON's escapes are YAML's (YAML 1.2.2, section 5.7)."""
    return json.dumps(text, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Text that the loader, and readers of YAML 1.1 with their dates and `1_000`, take for the same text."""
    return bool(_SAFE.fullmatch(text)) and plain(text) == text and not _DATE.fullmatch(text) and not _NUMBER.fullmatch(text)
