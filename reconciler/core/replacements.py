"""Replacements: the values in which a live object differs from a manifest that owns exactly the same fields of it.

None at all: it is as desired, letter by letter. Values alone: the smallest dry-run there is tells what the server makes of them.
Anything else is for a server-side apply to work out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.core.changes import escaped
from reconciler.core.ownership import Fields, element_of, keys_of
from reconciler.model.manifests import REVISION_ANNOTATION, Body

_UNAPPLIED = frozenset({"apiVersion", "kind"})
_NAMING = frozenset({"name", "namespace", "uid", "resourceVersion"})
_REVISION = f"f:{REVISION_ANNOTATION}"


class Replacement(NamedTuple):
    """One value of a live object that is to be another: names of fields and positions in lists, from the object's root."""

    path: tuple[str | int, ...]
    value: Any

    @property
    def pointer(self) -> str:
        """Its JSON Pointer (RFC 6901)."""
        return "".join(f"/{escaped(str(each))}" for each in self.path)


Found = tuple[Replacement, ...] | None
"""None where more than values differs."""
_EQUAL: tuple[Replacement, ...] = ()


def replacements(desired: Body, live: Body, fields: Fields) -> Found:
    """What of `live` is to be replaced, `fields` of which are ours; None where more than values differs.

    What is found may still be equal to the server (a quantity spelt otherwise, a default in an atomic list): a dry-run decides.
    """
    found = _EQUAL
    for key, value in desired.items():
        if key == "metadata":
            below = _of_metadata(value, live["metadata"], fields.get("f:metadata", {}))
        elif key not in _UNAPPLIED:
            below = _of_field(key, value, live, fields)
        else:
            continue
        if below is None:
            return None
        found = _with(found, key, below)
    return found if all(field[2:] in desired for field in fields if field != "f:metadata") else None


def _of_metadata(desired: Mapping[str, Any], live: Mapping[str, Any], fields: Fields) -> Found:
    found = _EQUAL
    for key, value in desired.items():
        if key not in _NAMING:
            below = _of_field(key, value, live, fields, _REVISION)
            if below is None:
                return None
            found = _with(found, key, below)
    return found if all(field[2:] in desired for field in fields) else None


def _of_field(key: str, value: Any, live: Mapping[str, Any], fields: Fields, ignored: str = "") -> Found:
    owned = fields.get("f:" + key)
    if owned is None or key not in live:
        return None
    return _of(value, live[key], owned, ignored)


def _of(desired: Any, live: Any, fields: Fields, ignored: str = "") -> Found:
    if not fields:  # a leaf, or a map or list that is owned as a whole
        return _EQUAL if desired == live else (Replacement((), desired),)
    if isinstance(desired, dict):
        return _of_map(desired, live, fields, ignored) if isinstance(live, dict) else None
    if isinstance(desired, list):
        return _of_list(desired, live, fields) if isinstance(live, list) else None
    return _EQUAL if desired == live else None


def _of_map(desired: Mapping[str, Any], live: Mapping[str, Any], fields: Fields, ignored: str) -> Found:
    found = _EQUAL
    for key, value in desired.items():
        owned = fields.get("f:" + key)
        if owned is None or key not in live:
            return None
        if owned or value != live[key]:
            below = _of(value, live[key], owned)
            if below is None:
                return None
            found = _with(found, key, below)
    besides = ("." in fields) + (ignored in fields and ignored[2:] not in desired)
    return found if len(fields) == len(desired) + besides else None


def _of_list(desired: list[Any], live: list[Any], fields: Fields) -> Found:
    keyed = [(keys_of(field), child) for field, child in fields.items() if field[:2] == "k:"]
    if len(keyed) != len(desired):
        is_set = len(fields) == len(desired) and all(field[:2] == "v:" for field in fields)
        return _EQUAL if is_set and set(map(str, desired)) <= set(map(str, live)) else None
    found = _EQUAL
    for keys, child in keyed:
        mine, theirs = element_of(desired, keys), element_of(live, keys)
        below = None if mine is None or theirs is None else _of_map(desired[mine], live[theirs], child, "")
        if theirs is None or below is None:
            return None
        found = _with(found, theirs, below)
    return found


def _with(found: tuple[Replacement, ...], key: str | int, below: tuple[Replacement, ...]) -> tuple[Replacement, ...]:
    return (*found, *(Replacement((key, *each.path), each.value) for each in below)) if below else found
