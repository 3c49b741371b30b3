"""Whoever else writes what we own: another controller, an autoscaler, a webhook, people with forged labels. In simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from reconciler.adapters.memory import MemoryStore
from reconciler.model.happenings import ConflictFound, DriftRepaired
from reconciler.model.manifests import ENVIRONMENT_LABEL, ObjectId
from reconciler.model.projection import Standing
from reconciler.ports import Accepted
from tests.faults.oracle import converged, stable
from tests.faults.place import ENVIRONMENT, Place, lenient, reading
from tests.faults.scenarios import S0, approving
from tests.faults.simulated import simulate
from tests.fleets import Repo, service, tenant
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Shelf

HOUR = 3600.0
RESOURCE = ObjectId("fleetwright.dev", "Service", "acme", "s0")
AUTOSCALE = "  autoscale: {min: 2, max: 5, cpu: 70%}\n"


def simulated(test: Callable[[Place], Any], repo: Repo | None = None, store: MemoryStore | None = None) -> None:
    """Runs a test in a place where an operator has settled."""

    async def run() -> None:
        place = Place(Shelf(lenient(repo or Repo.small(2))), **({"store": store} if store else {}))
        place.start()
        await place.quiet()
        await test(place)
        place.raise_faults()
        await place.close()

    with reading():
        simulate(run())


def replicas(number: int) -> Callable[[dict[str, Any]], None]:
    def mutate(body: dict[str, Any]) -> None:
        body["spec"]["replicas"] = number

    return mutate


def reason(place: Place, id: ObjectId = RESOURCE) -> str:
    found = place.store.get(id)
    assert found is not None
    return {one.type: one.reason for one in Standing.model_validate(found.body["status"]).conditions}["Ready"]


def test_a_controller_that_fights_over_a_field_gets_a_truce_after_three_rounds_and_is_named() -> None:
    async def fought(place: Place) -> None:
        fights = 0

        def insists(before: Any, after: Any) -> None:
            nonlocal fights
            if after and after["kind"] == "Deployment" and after["metadata"]["name"] == "s0" and after["spec"].get("replicas") == 1:
                fights += 1
                asyncio.get_running_loop().call_later(0.5, place.edit, deployment("s0"), replicas(7), "rival")

        start = place.asked()
        place.store.listeners.append(insists)
        place.edit(deployment("s0"), replicas(7), "rival")
        await asyncio.sleep(60)
        assert place.ears.of(ConflictFound)[0].managers == ("rival",)
        assert len(place.ears.of(DriftRepaired)) == 3
        assert reason(place) == "Conflict"
        await asyncio.sleep(12 * HOUR)
        rounds = len(place.ears.of(DriftRepaired))
        assert 3 < rounds < 25, "it tries again, ever more seldom: truces double from a minute to an hour"
        assert place.asked() - start < 6 * rounds + 40, "passes leave it alone, too"
        assert reason(place) == "Conflict"
        place.store.listeners.remove(insists)
        await asyncio.sleep(2 * HOUR)
        live = place.store.get(deployment("s0"))
        assert live is not None
        assert live.body["spec"]["replicas"] == 1, "whoever gives in gets our value back"
        assert reason(place) in ("Healthy", "Unverified")
        assert not converged(place, place.shelf.head.revision) + await stable(place)

    simulated(fought)


class Rewriting(MemoryStore):
    """A server whose mutating webhook always sets a field of ours to its own value."""

    def apply(self, body: Any, *args: Any, **named: Any) -> Any:
        if body["kind"] == "Deployment" and body.get("spec"):
            spec = {**body["spec"], "revisionHistoryLimit": 3}
            body = {**body, "spec": {**spec, "template": {**spec["template"], "spec": {**spec["template"]["spec"], "dnsPolicy": "None"}}}}
        return super().apply(body, *args, **named)


def test_a_webhook_that_rewrites_what_we_write_is_a_steady_state_and_no_fight() -> None:
    async def looked(place: Place) -> None:
        assert not place.ears.of(ConflictFound)
        assert not place.ears.of(DriftRepaired)
        assert not await stable(place, 10 * 60)
        place.edit(deployment("s0"), replicas(4))
        await place.quiet()
        assert len(place.ears.of(DriftRepaired)) == 1
        assert not await stable(place)

    simulated(looked, store=Rewriting())


def test_an_autoscaler_takes_over_without_a_dip_and_gives_back_without_one() -> None:
    async def scaled(place: Place) -> None:
        seen: list[int] = []

        def watch(before: Any, after: Any) -> None:
            if after and after["kind"] == "Deployment" and after["metadata"]["name"] == "s0":
                seen.append(after["spec"].get("replicas", 1))

        place.store.listeners.append(watch)
        place.shelf.push(place.shelf.head.having(S0, service("s0", extra=AUTOSCALE)))
        place.wake()
        await place.quiet()
        place.edit(deployment("s0"), replicas(5), "kube-controller-manager", "scale")
        await place.quiet()
        assert not await stable(place), "what the autoscaler says is not ours to undo"
        assert min(seen) >= 2, seen
        assert seen[-1] == 5
        place.shelf.push(place.shelf.head.having(S0, service("s0", extra="  replicas: 3\n")))
        place.wake()
        await place.quiet()
        assert min(seen) >= 2, seen
        assert seen[-1] == 3
        assert not converged(place, place.shelf.head.revision)

    simulated(scaled, Repo.small(2).having(S0, service("s0", extra="  replicas: 4\n")))


def test_a_namespace_that_never_ends_stops_nobody_else() -> None:
    store = MemoryStore()
    two = Repo.small(2).having("specs/tenants/zeta.yaml", tenant("zeta")).having("specs/services/zeta/z0.yaml", service("z0"))

    async def stuck(place: Place) -> None:
        store.finalises = False
        async with approving(place):
            place.shelf.push(place.shelf.head.without(["specs/tenants/zeta.yaml", "specs/services/zeta/z0.yaml"]))
            place.wake()
            await asyncio.sleep(300)
            place.shelf.push(place.shelf.head.having(S0, service("s0", extra="  replicas: 3\n")))
            place.wake()
            await asyncio.sleep(300)
        live = place.store.get(deployment("s0"))
        assert live is not None
        assert live.body["spec"]["replicas"] == 3
        before = place.asked()
        await asyncio.sleep(HOUR)
        assert place.asked() - before < 150, "no hot loop"
        store.finalises = True
        space = ObjectId("", "Namespace", "", "zeta")
        if space in store.objects:
            store.remove(space)
        await place.quiet()
        assert not converged(place, place.shelf.head.revision)

    simulated(stuck, two, store)


def test_a_forged_owner_label_makes_no_object_ours() -> None:
    async def forged(place: Place) -> None:
        labels = {**place.live()[deployment("s0")].body["metadata"]["labels"], ENVIRONMENT_LABEL: ENVIRONMENT}
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "s0-theirs", "namespace": "acme", "labels": labels},
            "data": {},
        }
        assert isinstance(place.store.apply(body, "somebody"), Accepted)
        id = ObjectId("", "ConfigMap", "acme", "s0-theirs")
        place.foreign[id] = version = place.store.objects[id]["metadata"]["resourceVersion"]
        place.shelf.push(place.shelf.head.without([S0]))
        place.wake()
        await place.quiet()
        assert place.store.objects[id]["metadata"]["resourceVersion"] == version
        assert not converged(place, place.shelf.head.revision) + await stable(place)

    simulated(forged)


def test_what_somebody_else_has_under_a_name_of_ours_is_told_and_left_alone() -> None:
    async def taken(place: Place) -> None:
        place.shelf.push(place.shelf.head.having("specs/services/acme/new.yaml", service("new")))
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "new", "namespace": "acme"}}
        assert isinstance(place.store.apply(body, "somebody"), Accepted)
        id = ObjectId("", "ServiceAccount", "acme", "new")
        version = place.store.objects[id]["metadata"]["resourceVersion"]
        place.wake()
        await asyncio.sleep(600)
        assert place.store.objects[id]["metadata"]["resourceVersion"] == version
        assert reason(place, RESOURCE._replace(name="new")) == "Refused"
        place.store.remove(id)
        await asyncio.sleep(900)
        assert not converged(place, place.shelf.head.revision) + await stable(place)

    simulated(taken)
