"""Fields as paths: which fields a body has, how lists merge, and FieldsV1, the form in which managedFields name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from reconciler.model import canonical
from reconciler.model.manifests import Body

Path = tuple[str, ...]
"""Path elements as FieldsV1 spells them: `f:spec`, `k:{"name":"web"}`, `v:"finalizer"`."""
Paths = frozenset[Path]

KEYS: dict[str, Path] = {
    "claims": ("name",),
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "ports": ("containerPort", "protocol"),
    "resourceClaimStatuses": ("name",),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "secrets": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""Lists that merge item by item, by the fields that name an item: `x-kubernetes-list-map-keys` of the API's OpenAPI. All others are one value."""
EXCEPTIONS: dict[Path, Path] = {("spec", "ports"): ("port", "protocol"), ("imagePullSecrets",): ()}
"""Whole paths (without items) where a list merges otherwise than its name says; empty keys: it is one value."""
SETS = frozenset({("metadata", "finalizers")})
ATOMIC_ITEMS = frozenset({"imagePullSecrets", "ownerReferences", "secrets"})
ATOMIC = frozenset(
    {
        "configMapKeyRef",
        "dataSource",
        "fieldRef",
        "fileKeyRef",
        "labelSelector",
        "nodePublishSecretRef",
        "nodeSelector",
        "podSelector",
        "port",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "resource",
        "resourceFieldRef",
        "roleRef",
        "scopeSelector",
        "secretKeyRef",
        "secretRef",
        "selector",
    }
)
"""Objects that are one value: `x-kubernetes-map-type: atomic`."""
MAPS = frozenset({"f:annotations", "f:binaryData", "f:data", "f:hard", "f:labels", "f:limits", "f:requests"})
UNOWNED = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink", "managedFields"}
)
"""Fields of metadata that nobody owns."""


def list_keys(names: Path) -> Path:
    """The fields that name an item of the list at these field names; none where the list is one value."""
    return EXCEPTIONS[names] if names in EXCEPTIONS else KEYS.get(names[-1], ())


def item_key(item: Any, keys: Path) -> str:
    """How FieldsV1 names an item of a list that merges. The only default among the keys is the protocol TCP."""
    return "k:" + canonical.dumps({key: item.get(key, "TCP" if key == "protocol" else None) for key in keys}).decode()


def leaves(body: Body) -> dict[Path, Any]:
    """Every field of a body that a manager may own, with its value; an item of a list that merges counts by itself (value None)."""
    found: dict[Path, Any] = {}
    for name, value in body.items():
        if name == "metadata":
            _walk({k: v for k, v in value.items() if k not in UNOWNED}, (name,), ("f:metadata",), found)
        elif name not in {"apiVersion", "kind"}:
            _walk(value, (name,), (f"f:{name}",), found)
    found.pop(("f:metadata",), None)
    return found


def _walk(value: Any, names: Path, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value and names[-1] not in ATOMIC:
        for name, child in value.items():
            _walk(child, (*names, name), (*path, f"f:{name}"), found)
    elif isinstance(value, list) and names[-2:] in SETS:
        found.update({(*path, "v:" + canonical.dumps(item).decode()): item for item in value})
    elif isinstance(value, list) and (keys := list_keys(names)):
        for item in value:
            _item(item, names, (*path, item_key(item, keys)), found)
    else:
        found[path] = value


def _item(item: Any, names: Path, path: Path, found: dict[Path, Any]) -> None:
    if names[-1] in ATOMIC_ITEMS:
        found[path] = item
        return
    found[path] = None
    for name, child in item.items():
        _walk(child, (*names, name), (*path, f"f:{name}"), found)


def maps(paths: Iterable[Path]) -> Paths:
    """The maps that these fields make: whoever writes the first entry of one owns the map too, until it is empty."""
    return frozenset(path[:-1] for path in paths if len(path) > 1 and path[-2] in MAPS)


def encode(paths: Iterable[Path]) -> dict[str, Any]:
    """FieldsV1 of these paths (k8s.io/apimachinery `FieldsV1`, structured-merge-diff `fieldpath`)."""
    members = frozenset(paths)
    root: dict[str, Any] = {}
    for path in sorted(members):
        node = root
        for end, element in enumerate(path):
            if not node and path[:end] in members:
                node["."] = {}
            node = node.setdefault(element, {})
    return root


def decode(tree: dict[str, Any]) -> Paths:
    """The paths that FieldsV1 names."""
    return frozenset(_decode(tree, ()))


def _decode(tree: dict[str, Any], path: Path) -> Iterator[Path]:
    if path and (not tree or "." in tree):
        yield path
    for element, child in tree.items():
        if element != ".":
            yield from _decode(child, (*path, element))


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """These paths and the named fields above them, which count as theirs when fields are removed (`EnsureNamedFieldsAreMembers`)."""
    found: set[Path] = set()
    for path in paths:
        found.add(path)
        for end in range(len(path) - 1, 0, -1):
            if path[end - 1].startswith("f:"):
                if path[:end] in found:
                    break
                found.add(path[:end])
    return found


def dotted(path: Path) -> str:
    """A path as the API server prints it: `.spec.template.spec.containers[name="web"].image`."""
    return "".join(_printed(element) for element in path)


@lru_cache(maxsize=4096)
def _printed(element: str) -> str:
    if element.startswith("f:"):
        return "." + element[2:]
    if element.startswith("k:"):
        return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in orjson.loads(element[2:]).items()) + "]"
    return "[=" + element[2:] + "]"
