"""Strategic merge patch (Kubernetes' own patch format, which kubectl edit, set and apply send), for the shadow kinds."""

from typing import Any

STRATEGIC = "application/strategic-merge-patch+json"
# patchMergeKey of the list fields of k8s.io/api; the first key that the items have counts.
KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}
PRIMITIVE = {"finalizers"}
DELETE, ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def strategic(current: Any, patch: Any) -> Any:
    """The object after the patch."""
    if not isinstance(patch, dict) or not isinstance(current, dict):
        return bare(patch)
    if patch.get("$patch") == "replace":
        return bare(patch)
    result = dict(current)
    for key, value in patch.items():
        if key.startswith(DELETE):
            field = key.removeprefix(DELETE)
            result[field] = [one for one in result.get(field) or () if one not in value]
        elif not key.startswith("$"):
            merge_field(result, key, value)
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, order in patch.items():
        if key.startswith(ORDER) and (field := key.removeprefix(ORDER)) in result:
            result[field] = in_order(field, result[field], order)
    return result


def merge_field(result: dict[str, Any], key: str, value: Any) -> None:
    """One field of a patch, into the object that is being made."""
    if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
        result.pop(key, None)
    elif isinstance(value, list) and (key in KEYS or key in PRIMITIVE):
        result[key] = merge_list(key, result.get(key) or [], value)
    else:
        result[key] = strategic(result.get(key), value)


def bare(patch: Any) -> Any:
    """A patch as a value: without directives, and without what it deletes."""
    if isinstance(patch, list):
        return [bare(one) for one in patch if not (isinstance(one, dict) and "$patch" in one)]
    if isinstance(patch, dict):
        return {key: bare(value) for key, value in patch.items() if value is not None and not key.startswith("$")}
    return patch


def identity(field: str, item: Any) -> Any:
    """What makes an item of a list the same item."""
    return next((item[key] for key in KEYS.get(field, ()) if key in item), None) if isinstance(item, dict) else item


def merge_list(field: str, current: list[Any], patch: list[Any]) -> list[Any]:
    if {"$patch": "replace"} in patch:
        return [bare(one) for one in patch if one != {"$patch": "replace"}]
    items = {identity(field, one): one for one in current}
    for one in patch:
        key = identity(field, one)
        if isinstance(one, dict) and one.get("$patch") == "delete":
            items.pop(key, None)
        else:
            items[key] = strategic(items.get(key), one) if isinstance(one, dict) else one
    return list(items.values())


def in_order(field: str, items: list[Any], order: list[Any]) -> list[Any]:
    """The items that the order names in that order; the others keep to the end."""
    rank = {identity(field, one): place for place, one in enumerate(order)}
    return sorted(items, key=lambda one: rank.get(identity(field, one), len(rank)))
