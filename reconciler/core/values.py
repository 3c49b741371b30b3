"""`${env.NAME}` in specs: the values of an environment, filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.findings import Pointer

_MENTION = re.compile(r"\$(\$?)\{env\.([^{}]*)\}")


def may_mention(data: bytes) -> bool:
    """Whether a document's bytes may mention a value at all (an escape may hide one): most do not, and need no walk."""
    return b"{env." in data or b"\\" in data


def substitute(value: Any, values: Mapping[str, Any]) -> Any:
    """`value` with every `${env.NAME}` filled in; the very same object where there is none.

    Text that is exactly one mention takes the value with its type; a mention inside text becomes text. `$${env.NAME}` stays,
    less one dollar. Names that are not in `values` stay as they are (`mentions` finds them). Keys are never touched.
    """
    if isinstance(value, str):
        return _fill(value, values) if "{env." in value else value
    if not isinstance(value, dict | list):
        return value
    # Most leaves mention nothing: they cost one look here, and no call.
    filled: Any = None
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, str):
            if "{env." not in item:
                continue
            new = _fill(item, values)
        elif isinstance(item, dict | list):
            new = substitute(item, values)
        else:
            continue
        if new is not item:
            filled = value.copy() if filled is None else filled
            filled[key] = new
    return value if filled is None else filled


def mentions(value: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, str]]:
    """Every mentioned name, with where it stands below `pointer`."""
    if isinstance(value, str):
        if "{env." in value:
            yield from ((pointer, found[2]) for found in _MENTION.finditer(value) if not found[1])
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(item, dict | list) or (isinstance(item, str) and "{env." in item):
            yield from mentions(item, (*pointer, key))


def _fill(text: str, values: Mapping[str, Any]) -> Any:
    whole = _MENTION.fullmatch(text)
    if whole and not whole[1] and whole[2] in values:
        return values[whole[2]]
    return _MENTION.sub(lambda found: found[0][1:] if found[1] else _text(values[found[2]]) if found[2] in values else found[0], text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
