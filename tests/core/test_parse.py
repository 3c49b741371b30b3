"""Parsing: what is broken is kept by name, and hides nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.parse import parse
from reconciler.model.documents import SourceTree
from reconciler.model.refs import Ref
from tests.core.kinds import GROUND, KINDS, document, tree

GOOD = {f"specs/services/acme/s{index}.yaml": document("Service", f"s{index}", image="base") for index in range(4)}
BAD = {
    "specs/services/acme/b0.yaml": b"a: [",
    "specs/services/acme/b1.yaml": b"\x00",
    "specs/services/acme/b2.yaml": document("Service", "b2", image="base", replica=1),
    "specs/services/acme/b3.yaml": document("Service", "other", image="base"),
    "specs/services/acme/b4.yaml": document("Service", "b4", image="yes"),
    "specs/services/acme/b5.yaml": b"[" * 30_000,
}


def test_resource_has_what_its_document_says() -> None:
    text = b"apiVersion: fleetwright.dev/v1alpha1\nkind: Service\nmetadata: {name: web, labels: {a: b}, annotations: {c: d}}\nspec: {image: base}\n"
    fleet = parse(tree({"specs/services/acme/web.yaml": text}), KINDS)
    resource = fleet.resources[Ref("Service", "web", "acme")]
    assert (resource.tenant, resource.labels, resource.annotations) == ("acme", {"a": "b"}, {"c": "d"})
    assert resource.document.path == "specs/services/acme/web.yaml"
    assert fleet.name == "reference"
    assert fleet.spec is not None


def test_finding_in_one_file_hides_none_in_another() -> None:
    alone = [parse(tree({path: data}), KINDS).findings for path, data in BAD.items()]
    together = parse(tree({**GOOD, **BAD}), KINDS)
    assert all(alone)
    assert set(together.findings) == {finding for findings in alone for finding in findings}
    assert {str(ref) for ref in together.broken} == {f"Service/acme/b{index}" for index in range(6)}
    assert {ref.name for ref in together.resources if ref.kind == "Service"} == {"s0", "s1", "s2", "s3"}


@given(st.permutations(sorted({**GROUND, **GOOD, **BAD})))
@settings(max_examples=20, deadline=None, database=None)
def test_order_of_files_does_not_matter(paths: list[str]) -> None:
    files = {**GROUND, **GOOD, **BAD}
    fleet = parse(SourceTree("r", False, {path: files[path] for path in paths}), KINDS)
    wanted = parse(SourceTree("r", False, files), KINDS)
    assert list(fleet.resources) == list(wanted.resources)
    assert (fleet.findings, fleet.broken) == (wanted.findings, wanted.broken)


@given(st.text(max_size=30), st.binary(max_size=60))
@settings(max_examples=100, deadline=None, database=None)
def test_no_path_and_no_content_is_lost(name: str, data: bytes) -> None:
    path = f"specs/{name}"
    fleet = parse(tree({path: data}), KINDS)
    if path in GROUND or path.rpartition("/")[2] in ("README.md", ".gitkeep", ".gitignore", ".gitattributes"):
        return
    assert fleet.broken
    assert any(finding.is_error and finding.place.path == path for finding in fleet.findings)


def test_guessed_path_displaces_no_spec_that_stands() -> None:
    fleet = parse(tree({"specs/servces/acme/s0.yaml": b"", "specs/services/acme/s0.yaml": GOOD["specs/services/acme/s0.yaml"]}), KINDS)
    assert Ref("Service", "s0", "acme") in fleet.resources
    assert Ref("File", "specs/servces/acme/s0.yaml") in fleet.broken


def test_spec_is_broken_where_two_files_are_it() -> None:
    fleet = parse(tree({"specs/services/acme/s0.yml": b"", "specs/services/acme/s0.yaml": GOOD["specs/services/acme/s0.yaml"]}), KINDS)
    assert Ref("Service", "s0", "acme") in fleet.broken
    assert Ref("Service", "s0", "acme") not in fleet.resources


def test_document_keeps_the_mention_of_a_value_that_the_spec_has() -> None:
    fleet = parse(tree({"specs/services/acme/web.yaml": document("Service", "web", image="base", replicas="${env.REPLICAS}")}), KINDS)
    resource = fleet.resources[Ref("Service", "web", "acme")]
    assert getattr(resource.spec, "replicas", None) == 2
    assert resource.document.value["spec"]["replicas"] == "${env.REPLICAS}"


def test_broken_fleet_file_leaves_specs_readable() -> None:
    fleet = parse(tree({**GOOD, "fleet.yaml": b"spec: ["}), KINDS)
    assert fleet.spec is None
    assert len([ref for ref in fleet.resources if ref.kind == "Service"]) == 4
