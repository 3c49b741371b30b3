"""Merging bodies field by field, and taking fields out. Bodies are never changed in place: what is new shares what is old."""

from __future__ import annotations

from typing import Any

from reconciler.adapters.memory.fields import ATOMIC, ATOMIC_ITEMS, SETS, Path, item_key, list_keys
from reconciler.model import canonical
from reconciler.model.manifests import Body


def merged(live: Body, config: Body) -> dict[str, Any]:
    """The live body with the fields of `config` in it."""
    return {**live, **{name: _merge(live[name], value, (name,)) if name in live else value for name, value in config.items()}}


def _merge(live: Any, config: Any, names: Path) -> Any:
    if isinstance(live, dict) and isinstance(config, dict) and names[-1] not in ATOMIC:
        return _merge_fields(live, config, names)
    if isinstance(live, list) and isinstance(config, list):
        if names[-2:] in SETS:
            return live + [item for item in config if item not in live]
        if keys := list_keys(names):
            return _merge_items(live, config, names, keys)
    return config


def _merge_fields(live: dict[str, Any], config: dict[str, Any], names: Path) -> dict[str, Any]:
    return {**live, **{k: _merge(live[k], v, (*names, k)) if k in live else v for k, v in config.items()}}


def _merge_items(live: list[Any], config: list[Any], names: Path, keys: Path) -> list[Any]:
    """Applied items in the order in which they are applied; items that only the live list has stay after what they followed."""
    standing = {item_key(item, keys): item for item in live}
    applied = {item_key(item, keys) for item in config}
    rest = list(standing)
    out: list[Any] = []
    for item in config:
        while rest and rest[0] not in applied:
            out.append(standing[rest.pop(0)])
        key = item_key(item, keys)
        whole = key not in standing or names[-1] in ATOMIC_ITEMS
        out.append(item if whole else _merge_fields(standing[key], item, names))
        if key in rest:
            rest.remove(key)
    return out + [standing[key] for key in rest if key not in applied]


def without(body: Body, tree: dict[str, Any]) -> dict[str, Any]:
    """The body without the fields that a tree in the form of FieldsV1 names."""
    return _without_fields(body, tree, ())


def _without_fields(value: Body, tree: dict[str, Any], names: Path) -> dict[str, Any]:
    out = {}
    for name, child in value.items():
        branch = tree.get(f"f:{name}")
        if branch is None:
            out[name] = child
        elif branch and "." not in branch:
            out[name] = _without(child, branch, (*names, name))
    return out


def _without(value: Any, tree: dict[str, Any], names: Path) -> Any:
    if isinstance(value, dict):
        return _without_fields(value, tree, names)
    if not isinstance(value, list):
        return value
    if names[-2:] in SETS:
        return [item for item in value if "v:" + canonical.dumps(item).decode() not in tree]
    keys = list_keys(names)
    out = []
    for item in value:
        branch = tree.get(item_key(item, keys)) if keys else None
        if branch is None:
            out.append(item)
        elif branch and "." not in branch:
            out.append(_without_fields(item, branch, names))
    return out
