"""What was compared once is not compared again, as long as neither side is another."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.differ import differ
from reconciler.flow.equality import Equality
from reconciler.model.manifests import MANAGER, Manifest, Observed, Stage, identify
from reconciler.model.refs import Ref

BODY: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "web"}}
WANTED = Manifest(identify(BODY), "v1", BODY, "sha256:a", Ref("Tenant", "web"), Stage.TENANCY, 0)
LIVE = Observed(identify(BODY), "uid", "7", BODY)


@pytest.fixture
def equality() -> Equality:
    """After a look that found the two alike."""
    made = Equality()
    made.look(1)
    made.alike(WANTED, LIVE)
    made.look(1)
    return made


def test_what_was_found_alike_is_known(equality: Equality) -> None:
    assert equality.is_equal(WANTED, LIVE)


def test_another_version_another_object_or_another_wish_is_compared(equality: Equality) -> None:
    assert not equality.is_equal(WANTED, replace(LIVE, resource_version="8"))
    assert not equality.is_equal(WANTED, replace(LIVE, uid="another"))
    assert not equality.is_equal(replace(WANTED, digest="sha256:b"), LIVE)


def test_what_is_known_of_the_past_is_let_go_before_it_is_most_of_all(equality: Equality) -> None:
    for version in range(8, 10):
        equality.alike(WANTED, replace(LIVE, resource_version=str(version)))
    equality.look(1)
    assert not equality.is_equal(WANTED, LIVE)


def test_what_a_dry_run_found_equal_is_worth_keeping_for_as_long_as_somebody_asks() -> None:
    equality = Equality(["uid 7 sha256:a", "gone 1 sha256:z"])
    assert equality.is_equal(WANTED, LIVE)
    assert equality.kept() == {"uid 7 sha256:a"}


def test_an_object_that_a_person_took_fields_of_is_looked_at_whatever_is_known_of_its_version(equality: Equality) -> None:
    ours = {"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:data": {}}}
    edited = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {}}}
    metadata = {**BODY["metadata"], "managedFields": [ours, edited]}
    assert differ((WANTED,), {WANTED.id: replace(LIVE, body={**BODY, "metadata": metadata})}, equality.is_equal) == (WANTED,)
    assert (
        differ((WANTED,), {WANTED.id: replace(LIVE, body={**BODY, "metadata": {**metadata, "managedFields": [ours]}})}, equality.is_equal)
        == ()
    )
