"""Sharing: one copy of what is equal among many JSON values. A thousand Deployments that one template wrote differ in a few lines each."""

from __future__ import annotations

from typing import Any


class Sharing:
    """Keeps every part of the values that it has seen, for as long as it lives itself. The values must never be changed."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def __call__(self, value: Any) -> Any:
        """An equal value whose parts are those seen before, wherever they are equal to the last letter."""
        if type(value) is dict:
            parts = {key: self(part) for key, part in value.items()}
            return self._known.setdefault((dict, *parts, *map(id, parts.values())), parts)
        if type(value) is list:
            elements = [self(part) for part in value]
            return self._known.setdefault((list, *map(id, elements)), elements)
        return self._known.setdefault((type(value), value), value)
