"""The oracle: what holds once everything is quiet, whatever happened before."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reconciler.core.differ import differ
from reconciler.core.handover import handed_over
from reconciler.core.inventory import INVENTORY_LABEL, Entry, decode
from reconciler.core.journal import decode as read_journal
from reconciler.core.projecting import Whose, mark, projection, whose
from reconciler.flow.operator.desire import Desire, Lasting
from reconciler.kinds import KINDS
from reconciler.model.manifests import ENVIRONMENT_LABEL, Manifest, ObjectId
from reconciler.model.projection import READY, Standing
from tests.faults.place import ENVIRONMENT, READ, SPECIFIED, SYSTEM, Place

CANARY = "hunter2-canary"
"""A secret that may turn up nowhere."""


@dataclass(frozen=True)
class Expected:
    """What may differ from plain "live is desired", and has to do so for a reason."""

    kept: frozenset[ObjectId] = frozenset()
    """Objects that nobody declares now and that must stay as they are: of what is broken, or what a guard holds."""
    loose: Collection[str] = ()
    """Owners (`Service/acme/s0`) that are paused: nothing is said of their objects."""
    prunes: bool = True
    """Whether anything is pruned: not while a file is broken."""


def desired(place: Place, revision: str) -> Desire:
    """What a commit asks for."""
    lives = [life for life in place.lives if not life.dead and life.operator.state.desire is not None]
    before = lives[0].operator.state.lasting if lives else Lasting(revision)
    return READ(place.shelf, revision, "test", KINDS, place.clock.now().date(), before)


def converged(place: Place, revision: str, expected: Expected | None = None) -> list[str]:
    """Everything that is not as the commit says."""
    expected = expected or Expected()
    want, live = desired(place, revision), place.live()
    manifests = [one for one in want.manifests if str(one.owner) not in expected.loose]
    found = [f"{one.id} is missing" for one in manifests if one.id not in live]
    found += [f"{one.id} is not as desired" for one in _differing(manifests, place)]
    known = {one.id for one in want.manifests} | expected.kept
    found += [f"{id} is an orphan" for id in live if id not in known and expected.prunes]
    found += [f"{id} was to be kept and is gone" for id in expected.kept - live.keys()]
    return found + _inventory(place, expected) + _projected(place, want, expected) + place.violations


def _differing(manifests: list[Manifest], place: Place) -> tuple[Manifest, ...]:
    live = place.live()
    there = tuple(handed_over(one, live[one.id]) for one in manifests if one.id in live)
    return differ(there, live)


def inventory(place: Place) -> Mapping[ObjectId, Entry]:
    """What the operator says that there is."""
    shards = place.store.select({ENVIRONMENT_LABEL: ENVIRONMENT, INVENTORY_LABEL: "true"}, [("", "ConfigMap")])
    return decode(shards).entries


def _inventory(place: Place, expected: Expected) -> list[str]:
    entries, live = inventory(place), place.live()
    found = [f"{id} is live and in no inventory" for id in live.keys() - entries.keys()]
    unlabelled = place.store.objects.keys() if expected.loose else frozenset()  # while they are paused nobody puts a label back
    found += [f"{id} is in the inventory and not live" for id in entries.keys() - live.keys() - unlabelled]
    found += [f"{id} has another uid in the inventory" for id, entry in entries.items() if id in live and live[id].uid != entry.uid]
    found += [f"{id} is awaited for ever" for id, entry in entries.items() if entry.awaited]
    return found + _journal(place) + (["there is no record of the environment"] if place.record not in place.store.objects else [])


def _journal(place: Place) -> list[str]:
    """No run goes on that nobody carries out."""
    journal = read_journal(place.store.get(ObjectId("", "ConfigMap", SYSTEM, "operator-test.test")))
    return [f"the journal says that run {one.id} goes on" for one in journal.runs if one.ending == "running"]


def _projected(place: Place, want: Desire, expected: Expected) -> list[str]:
    """Every custom resource is there as git has it, and its status is about what it is now."""
    asked = projection(want.graph, KINDS)
    there = {one.id: one for one in place.store.select({}, SPECIFIED)}
    found = []
    for id, ref in asked.ids.items():
        body, live = asked.body(ref), there.get(id)
        if live is None:
            found += [f"{id} has no custom resource"] if body is not None else []
            continue
        if body is not None and mark(body) != mark(live.body):
            found.append(f"{id} says something else than git")
        standing = Standing.model_validate(live.body.get("status") or {})
        ready = {one.type: one for one in standing.conditions}.get(READY)
        if ready is None:
            found.append(f"{id} has no condition Ready")
            continue
        if body is not None and standing.observed_generation != live.body["metadata"]["generation"]:
            found.append(f"{id}: its status is about another generation")
        wanted = _ready(ref, want, expected)
        if ready.status != wanted:
            found.append(f"{id} is Ready={ready.status} ({ready.reason}: {ready.message}), and should be {wanted}")
    gone = {id for id, one in there.items() if id not in asked.ids and whose(one.body, ENVIRONMENT) is Whose.OURS}
    return found + ([f"{id} is a custom resource that git does not have" for id in gone] if asked.prunes and not expected.loose else [])


def _ready(ref: object, want: Desire, expected: Expected) -> str:
    if ref not in want.graph.resources:
        return "False"
    return "Unknown" if str(ref) in expected.loose else "True"


def silent_books(place: Place) -> list[str]:
    """No secret in what was told or written."""
    found = [f"the secret is in: {text}" for text in place.ears.said if CANARY in text]
    found += [f"the secret is in: {one}" for one in place.ears.happenings if CANARY in repr(one)]
    return found + [f"the secret is in {id}" for id, body in place.store.objects.items() if id.namespace == SYSTEM and CANARY in repr(body)]


async def stable(place: Place, seconds: float = 200.0) -> list[str]:
    """Once it is quiet it stays so: for so long, resyncs and asked-for passes included, nothing but the Lease is written."""
    before, start = place.asked(), len(place.history)
    place.wake()
    await asyncio.sleep(seconds / 2)
    place.wake()
    await asyncio.sleep(seconds / 2)
    place.raise_faults()
    if place.asked() == before:
        return []
    return [
        f"{place.asked() - before} writes although nothing is to be done: {[(one.verb, str(one.id)) for one in place.history[start:]][:8]}"
    ]
