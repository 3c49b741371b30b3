"""Sharing: one copy of what is equal among many JSON values. A thousand Deployments that one template wrote differ in a few lines each."""

from __future__ import annotations

from typing import Any

import orjson


class Sharing:
    """Keeps every part of the values that it has seen, for as long as it lives itself. The values must never be changed."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._parts: dict[int, Any] = {}
        """By the hash of how a part is written, in which 1, 1.0 and true are three things."""

    def __call__(self, value: Any) -> Any:
        """An equal value whose parts are those seen before, wherever they are equal to the last letter."""
        if type(value) is str:
            return self._texts.setdefault(value, value)
        if type(value) is not dict and type(value) is not list:
            return value
        try:
            mark = hash(orjson.dumps(value))
        except TypeError:  # a number of more than 64 bits, or text that is no UTF-8
            return value
        known = self._parts.get(mark)
        if known is not None and known == value:
            return known
        parts = {key: self(part) for key, part in value.items()} if type(value) is dict else [self(part) for part in value]
        self._parts[mark] = parts
        return parts
