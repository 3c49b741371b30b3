"""Changes: what differs between two bodies, field by field, lists by their keys. For people and for hashes; never a secret value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.manifests import REVISION_ANNOTATION, Body
from reconciler.model.plan import Change

_SERVER = frozenset({"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"})
_KEYS = ("name", "containerPort", "mountPath", "port", "key", "ip", "type", "topologyKey")
_HIDDEN = "(hidden)"


def changes(before: Body, after: Body) -> tuple[Change, ...]:
    """Fields that differ, as JSON pointers (RFC 6901) with list elements by their key. What only the server writes is left out."""
    return tuple(_of_object(before, after))


def _of_object(before: Body, after: Body) -> Iterator[Change]:
    secret = after.get("kind") == "Secret"
    for key in sorted({*before, *after} - {"status"}):
        old, new = before.get(key), after.get(key)
        if key == "metadata":
            yield from _between("/metadata", _shown(old), _shown(new))
        elif secret and key in ("data", "stringData"):
            if old != new:
                yield Change("/" + key, _HIDDEN, _HIDDEN)
        else:
            yield from _between("/" + key, old, new)


def _shown(metadata: Any) -> dict[str, Any]:
    kept = {key: value for key, value in (metadata or {}).items() if key not in _SERVER}
    if REVISION_ANNOTATION in kept.get("annotations", ()):
        kept["annotations"] = {key: value for key, value in kept["annotations"].items() if key != REVISION_ANNOTATION}
    return kept


def _between(path: str, old: Any, new: Any) -> Iterator[Change]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _between(f"{path}/{escaped(key)}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and (keyed := _keyed(old, new)):
        for key in dict.fromkeys([*keyed[0], *keyed[1]]):
            yield from _between(f"{path}/{escaped(key)}", keyed[0].get(key), keyed[1].get(key))
    else:
        yield Change(path, old, new)


def _keyed(old: list[Any], new: list[Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    elements = [*old, *new]
    for key in _KEYS:
        if all(isinstance(element, dict) and key in element for element in elements):
            before, after = ({str(element[key]): element for element in side} for side in (old, new))
            if len(before) == len(old) and len(after) == len(new):
                return before, after
    return None


def escaped(key: str) -> str:
    """A name as one part of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
