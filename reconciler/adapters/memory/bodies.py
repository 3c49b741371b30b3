"""Bodies as values: copies, and the form in which a server stores them."""

from __future__ import annotations

from typing import Any

from reconciler.adapters.memory.fields import MAPS


def copied(value: Any) -> Any:
    """A copy that may be changed."""
    if isinstance(value, dict):
        return {name: copied(child) for name, child in value.items()}
    return [copied(child) for child in value] if isinstance(value, list) else value


def stored_form(value: Any) -> Any:
    """A copy as a server stores it: without empty lists and maps (Go's `omitempty`; the rules of a Role are the exception)."""
    if isinstance(value, dict):
        return {name: stored_form(child) for name, child in value.items() if not (child in ([], {}) and _omitted(name, child))}
    return [stored_form(child) for child in value] if isinstance(value, list) else value


def _omitted(name: str, empty: Any) -> bool:
    return f"f:{name}" in MAPS if isinstance(empty, dict) else name != "rules"
