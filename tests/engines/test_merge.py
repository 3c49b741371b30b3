"""Strategic merge patches, as kubectl sends them."""

from typing import Any

import pytest

from tests.engines.merge import strategic

POD = {
    "containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 80, "name": "http"}]}, {"name": "b", "image": "b:1"}],
    "x": {"y": 1},
}
CASES: dict[str, tuple[Any, Any]] = {
    "a field of an item": ({"containers": [{"name": "b", "image": "b:2"}]}, {**POD, "containers": [POD["containers"][0], {"name": "b", "image": "b:2"}]}),
    "a new item": ({"containers": [{"name": "c"}]}, {**POD, "containers": [*POD["containers"], {"name": "c"}]}),
    "an item less": ({"containers": [{"name": "a", "$patch": "delete"}]}, {**POD, "containers": POD["containers"][1:]}),
    "a whole list": ({"containers": [{"$patch": "replace"}, {"name": "z"}]}, {**POD, "containers": [{"name": "z"}]}),
    "a field less": ({"x": None}, {"containers": POD["containers"]}),
    "a whole map": ({"x": {"$patch": "replace", "z": 2}}, {**POD, "x": {"z": 2}}),
    "only the kept keys": ({"x": {"$retainKeys": ["z"], "z": 2}}, {**POD, "x": {"z": 2}}),
    "another order": (
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "b:1"}]},
        {**POD, "containers": [POD["containers"][1], POD["containers"][0]]},
    ),
    "a nested list": (
        {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "web"}]}]},
        {**POD, "containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 80, "name": "web"}]}, POD["containers"][1]]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_patch_changes_only_what_it_names(case: str):
    patch, expected = CASES[case]
    assert strategic(POD, patch) == expected


def test_primitive_items_are_added_and_deleted():
    current = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}
    assert strategic(current, patch) == {"metadata": {"finalizers": ["b", "c"]}}
