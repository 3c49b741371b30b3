"""The whole fleet under the generated rights: written by the operator and by the account of each tenant, whoever has the operator's token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.adapters.cluster.addresses import object_path
from reconciler.core.acting import tenant_account
from reconciler.model.manifests import Stage
from reconciler.model.result import Ending
from tests.operator.story import Story, edited


def test_the_whole_fleet_is_applied_mended_and_pruned_with_these_rights(story: Story) -> None:
    assert {act: result.ending for act, result in story.results.items()} == dict.fromkeys(
        ("first", "again", "mended", "mended after all", "pruned"), Ending.COMPLETED
    ), [result.message for result in story.results.values()]
    assert len(story.manifests) > 150
    assert [one for one in story.all if one.status not in {200, 201, 202, 404, 409}] == []


def test_what_the_server_itself_changed_meanwhile_is_looked_at_again(story: Story) -> None:
    """A quota counts what its namespace holds, so that its deletion may meet a newer version of it."""
    late = {(one.method, one.path, one.user) for one in story.all if one.status == 409}
    assert late <= {(one.method, one.path, one.user) for one in story.all if one.status in {200, 202}}


def test_a_second_pass_writes_nothing(story: Story) -> None:
    assert [one for one in story.sent["again"] if one.method != "GET"] == []


def test_each_object_is_written_previewed_and_deleted_by_whom_it_belongs_to(story: Story) -> None:
    by_path = {object_path(one.id): one for one in story.manifests}
    seen: dict[str, set[str]] = {}
    for one in story.all:
        path = one.path.partition("?")[0]
        if one.method == "GET" or path not in by_path:
            assert one.user == "", one
            continue
        manifest = by_path[path]
        wanted = tenant_account(manifest.id.namespace) if manifest.stage is Stage.WORKLOADS else ""
        assert one.user == wanted, one
        seen.setdefault(one.method, set()).add(path)
    assert seen["PATCH"] == by_path.keys()
    assert seen["DELETE"] >= {path for path, one in by_path.items() if one.stage is Stage.WORKLOADS}


def test_what_hands_left_is_taken_away_once_the_tenants_account_has_its_rights_back(story: Story) -> None:
    mended = [*story.results["mended"].outcomes, *story.results["mended after all"].outcomes]
    assert {one.id for one in mended if one.action == "update"} == {one.id for one in edited(story.manifests)}
    assert len(mended) == len(edited(story.manifests)) + 1


def writes(story: Story) -> Iterator[Any]:
    return (one for one in story.all if one.writes)


def test_nothing_is_replaced_but_inventories_and_the_lease(story: Story) -> None:
    put = [one for one in writes(story) if one.method == "PUT"]
    assert put
    assert all("/namespaces/fleetwright-system/" in one.path and one.user == "" for one in put)
