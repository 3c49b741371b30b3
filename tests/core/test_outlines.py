"""An object that is as its manifest says is kept as an outline: enough to know whose it is, and not more than that."""

from typing import Any

from reconciler.core.ownership import is_ours
from reconciler.core.world import Outlines
from reconciler.model.manifests import MANAGER, Manifest, Observed, Stage, identify
from reconciler.model.refs import Ref

FIELDS = {"f:data": {"f:a": {}}}


def body(name: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    entries = [{"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}] if fields is not None else []
    metadata = {
        "name": name,
        "namespace": "web",
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        "labels": {"app": "web"},
        "annotations": {"revision": "abc"},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"managedFields": entries}, "data": {"a": "1"}}


def seen(name: str, fields: dict[str, Any] | None) -> Observed:
    live = body(name, fields)
    return Observed(identify(live), f"uid-{name}", "7", live)


def wanted(name: str) -> Manifest:
    said = body(name)
    del said["metadata"]["managedFields"]
    return Manifest(identify(said), "v1", said, "sha256:0", Ref("Service", "web", "web"), Stage.WORKLOADS, 0)


def test_an_outline_says_who_and_whose_an_object_is_and_nothing_of_what_is_in_it() -> None:
    outline = Outlines()(seen("one", FIELDS), wanted("one"))
    assert is_ours(outline.body)
    assert (outline.uid, outline.resource_version) == ("uid-one", "7")
    assert outline.body["metadata"]["annotations"] == {"revision": "abc"}
    assert "data" not in outline.body


def test_what_it_has_in_common_with_its_manifest_and_with_others_is_there_once() -> None:
    outlines, manifest = Outlines(), wanted("one")
    one, two = outlines(seen("one", FIELDS), manifest), outlines(seen("two", FIELDS), wanted("two"))
    assert one.body["metadata"]["labels"] is manifest.body["metadata"]["labels"]
    assert one.body["metadata"]["managedFields"] is two.body["metadata"]["managedFields"]


def test_an_object_that_we_have_never_applied_does_not_become_ours_by_being_outlined() -> None:
    assert not is_ours(Outlines()(seen("forged", None), wanted("forged")).body)


def test_two_field_sets_are_kept_apart() -> None:
    outlines = Outlines()
    one, two = outlines(seen("one", FIELDS), wanted("one")), outlines(seen("two", {"f:data": {}}), wanted("two"))
    assert one.body["metadata"]["managedFields"][0]["fieldsV1"] == FIELDS
    assert two.body["metadata"]["managedFields"][0]["fieldsV1"] == {"f:data": {}}
