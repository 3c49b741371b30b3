"""Kills: a scenario in which the operator dies at one write, or at one and again at another while the next one recovers."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from reconciler.model.manifests import ObjectId
from tests.faults.oracle import converged, silent_books, stable
from tests.faults.place import Place, reading
from tests.faults.scenarios import Scenario, approving
from tests.faults.simulated import simulate
from tests.flow.operator.conftest import Shelf

Counts = Counter[tuple[str, ObjectId]]


class Kill(NamedTuple):
    """At which write, counted from one in each operator's life; before it, or right after it took effect."""

    at: int
    after: bool


@dataclass(frozen=True)
class Reference:
    """A scenario without any kill: how many writes the operator needs, and what they do."""

    writes: int
    counts: Counts


class _Standing(NamedTuple):
    objects: dict[ObjectId, Any]
    revision: int


@cache
def _stands(scenario: Scenario) -> _Standing:
    """What there is before: made by an operator that was ended in good order."""

    async def made() -> _Standing:
        if scenario.before is None:
            return _Standing({}, 0)
        place = Place(Shelf(scenario.before))
        life = place.start()
        await place.quiet()
        await place.end(life)
        assert not converged(place, scenario.before.revision)
        return _Standing(dict(place.store.objects), place.store.revision)

    with reading():
        return simulate(made())


def _place(scenario: Scenario) -> Place:
    shelf = Shelf(scenario.before or scenario.after)
    if scenario.before is not None:
        shelf.push(scenario.after)
    place, standing = Place(shelf), _stands(scenario)
    place.store.objects.update(standing.objects)
    place.store.revision = standing.revision
    return place


async def _lived(scenario: Scenario, kills: Sequence[Kill]) -> tuple[Place, int]:
    """The place once everything is quiet, and the writes of the first operator."""
    place = _place(scenario)
    async with approving(place) if scenario.approves else contextlib.nullcontext():
        for kill in kills:
            life = place.start()
            life.kill_at, life.kill_after = kill
            await place.killed(life)
        life = place.start()
        await place.quiet()
    return place, life.writes


@cache
def reference(scenario: Scenario) -> Reference:
    """Nobody is killed."""
    stands = _stands(scenario)
    assert stands is not None

    async def run() -> Reference:
        place, writes = await _lived(scenario, ())
        wrong = converged(place, scenario.after.revision) + await stable(place) + silent_books(place)
        assert not wrong, wrong
        await place.close()
        return Reference(writes, place.counts())

    with reading():
        return simulate(run())


def violations(scenario: Scenario, kills: Sequence[Kill]) -> list[str]:
    """What does not hold after these kills that holds without them."""
    expected = reference(scenario)

    async def run() -> list[str]:
        place, _ = await _lived(scenario, kills)
        wrong = converged(place, scenario.after.revision) + _doubled(place.counts(), expected.counts) + _swung(place)
        wrong += await stable(place) + silent_books(place)
        await place.close()
        return wrong

    with reading():
        return simulate(run())


def _doubled(counts: Counts, expected: Counts) -> list[str]:
    """Creations and deletions are those of the reference; nothing is updated more often than there."""
    found = []
    for key in counts.keys() | expected.keys():
        verb, id = key
        if counts[key] > expected[key] or (verb != "update" and counts[key] != expected[key]):
            found.append(f"{verb} of {id}: {counts[key]} times, {expected[key]} without a kill")
    return found


def _swung(place: Place) -> list[str]:
    """Images go from the old one to the new one, and never back: that would be a hold that is lost, or a rollback undone."""
    found = []
    images: dict[ObjectId, list[str]] = {}
    for write in place.history:
        if write.id.kind == "Deployment" and write.after is not None:
            image = write.after["spec"]["template"]["spec"]["containers"][0]["image"]
            seen = images.setdefault(write.id, [])
            if image in seen[:-1]:
                found.append(f"{write.id} went back to {image}")
            if image not in seen:
                seen.append(image)
    return found
