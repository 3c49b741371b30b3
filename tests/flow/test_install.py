"""Installing: what is found, what is written, and what ends it."""

from __future__ import annotations

import pytest

from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.adapters.memory.players import nobody
from reconciler.core.home import NAMESPACE
from reconciler.core.installation import Part, Running, installation
from reconciler.flow.fan import Stop
from reconciler.flow.install import Action, Installed, install, survey
from reconciler.kinds import KINDS
from reconciler.model.manifests import ObjectId, identify
from tests.flow.conftest import Heard, Ticking

RUNNING = Running("registry.example/fleetwright:1", "trial", "https://git.example/fleet.git", "main")
BODIES = installation(KINDS, RUNNING, [Part.RBAC, Part.OPERATOR])
ROLE = ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "fleetwright-operator")


class Site:
    """A cluster that an installation goes to, and somebody else's hands on it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.ours = MemoryCluster(self.store)
        self.other = MemoryCluster(self.store, manager="other")
        self.stop = Stop()

    async def actions(self, bodies=BODIES, adopt=False) -> dict[ObjectId, Action]:
        return {item.id: item.action for item in await survey(self.ours, bodies, adopt=adopt)}

    async def install(self, bodies=BODIES, adopt=False) -> Installed:
        return await install(self.ours, Ticking(), await survey(self.ours, bodies, adopt=adopt), Heard(), self.stop)


@pytest.fixture
def site() -> Site:
    return Site()


async def test_everything_is_created_and_a_second_time_nothing(site: Site):
    assert set((await site.actions()).values()) == {Action.CREATE}
    done = await site.install()
    assert (done.written, done.failed) == (len(BODIES), {})
    before = site.store.revision
    assert set((await site.actions()).values()) == {Action.NOTHING}
    assert (await site.install()).written == 0
    assert site.store.revision == before


async def test_looking_writes_nothing(site: Site):
    before = site.store.revision
    await site.actions()
    assert site.store.revision == before


async def test_what_drifted_is_put_back_and_named(site: Site):
    await site.install()
    body = next(body for body in BODIES if identify(body) == ROLE)
    await site.other.apply({**body, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}, dry_run=False, force=True)
    items = {item.id: item for item in await survey(site.ours, BODIES, adopt=False)}
    assert [id for id, item in items.items() if item.action is Action.UPDATE] == [ROLE]
    assert {change.path for change in items[ROLE].changes} == {"/rules"}
    assert (await site.install()).written == 1
    live = await site.ours.read(ROLE)
    assert live is not None
    assert live.body["rules"] == body["rules"]


async def test_what_others_made_is_left_alone_unless_it_is_to_be_adopted(site: Site):
    await site.other.apply(NAMESPACE, dry_run=False, force=False)
    body = next(body for body in BODIES if identify(body) == ROLE)
    await site.other.apply({**body, "rules": []}, dry_run=False, force=False)
    blocked = {item.id: item.reason for item in await survey(site.ours, BODIES, adopt=False) if item.action is Action.BLOCKED}
    assert blocked.keys() == {ROLE, identify(NAMESPACE)}
    assert all("not ours (other)" in reason for reason in blocked.values())
    assert (await site.actions(adopt=True))[ROLE] is Action.UPDATE
    assert (await site.install(adopt=True)).failed == {}
    assert (await site.actions())[ROLE] is Action.NOTHING


async def test_a_stop_ends_it_between_two_writes(site: Site):
    site.stop.set("interrupted")
    done = await site.install()
    assert (done.written, done.stopped) == (0, True)
    assert set((await site.actions()).values()) == {Action.CREATE}


async def test_a_refusal_ends_it_and_is_told(site: Site):
    items = await survey(site.ours, BODIES[1:], adopt=False)  # nobody makes the namespace
    refused = {item.id for item in items if item.action is Action.BLOCKED}
    assert refused
    assert all(id.namespace for id in refused)
    forced = [item if item.action is Action.CREATE else type(item)(item.id, item.body, Action.CREATE) for item in items]
    done = await install(site.ours, Ticking(), forced, Heard(), site.stop)
    assert len(done.failed) == 1
    assert "404" in next(iter(done.failed.values()))


async def test_a_definition_that_is_never_served_is_told(site: Site):
    site.store.play(nobody)
    done = await site.install(installation(KINDS, None, [Part.CRDS])[:1])
    assert done.written == 1
    assert "not served" in next(iter(done.failed.values()))


def test_the_operators_part_needs_to_know_what_runs():
    with pytest.raises(ValueError, match="what the operator is to run"):
        installation(KINDS, None)
