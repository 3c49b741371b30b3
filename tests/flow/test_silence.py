"""A target that falls silent in the middle, and writers that wait for one another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.flow.lease import SECONDS
from reconciler.model.manifests import Observed
from reconciler.model.result import Ending, Status
from reconciler.ports import Unreachable
from tests.fleets import Repo
from tests.flow.conftest import Person, deployment

SILENT = Unreachable("the server does not answer", "start it")


def lease_of(person: Person) -> Observed:
    return next(iter(person.store.select({}, [("coordination.k8s.io", "Lease")])))


def hold(person: Person, ahead: float = 0, **spec: object) -> None:
    """Somebody else takes the Lease, by a clock that may be ahead of ours."""
    when = person.clock.now() + timedelta(seconds=ahead)
    renewed = {"holderIdentity": "other", "renewTime": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")} | spec
    found = lease_of(person).body
    person.store.put({**found, "spec": {**found["spec"], **renewed}}, "other")


async def test_silence_before_the_first_write_says_that_nothing_was_written(person: Person) -> None:
    planned = await person.plan(Repo.small())
    person.cluster.fail_next(SILENT, "apply", "put", "read", times=99)
    with pytest.raises(Unreachable, match="Nothing was written") as told:
        await person.carry_out(planned)
    assert told.value.fix == "start it"


async def test_silence_in_the_middle_is_a_failed_run_that_tells_what_it_wrote(person: Person) -> None:
    repo = Repo.small()
    planned = await person.plan(repo)
    person.cluster.before = lambda request: SILENT if person.cluster.requests["apply"] > 20 else None
    result = await person.carry_out(planned)
    person.cluster.fail_next(SILENT, times=0)
    assert result.ending is Ending.FAILED
    done = result.count(Status.DONE)
    assert done > 3
    assert f"{done} created so far" in result.message
    assert "the server does not answer" in result.message
    assert "Start it, then apply again" in result.message
    world = await person.world(repo)
    assert set(await person.live()) <= set(world.inventory.entries)
    person.clock.time += timedelta(seconds=SECONDS + 1)
    assert (await person.apply(repo)).ending is Ending.COMPLETED


async def test_a_silent_target_is_not_asked_to_take_the_lease_back(person: Person) -> None:
    planned = await person.plan(Repo.small())
    person.cluster.before = lambda request: SILENT if person.cluster.requests["apply"] > 20 else None
    await person.carry_out(planned)
    last = [request.verb for request in person.cluster.log][-1]
    assert last == "apply"


async def test_the_wait_for_a_lease_ends_when_somebody_asks_to_stop(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    hold(person, leaseDurationSeconds=3600)
    person.store.remove(deployment("s0"))
    planned = await person.plan(repo)
    person.stop.set("interrupted")
    result = await person.carry_out(planned)
    assert result.ending is Ending.CANCELLED
    assert "nothing was written" in result.message


async def test_a_holder_that_does_not_renew_has_lost_the_lease_whatever_its_clock_says(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    hold(person, ahead=3600)
    person.store.remove(deployment("s0"))
    before = person.clock.now()
    assert (await person.apply(repo)).ending is Ending.COMPLETED
    assert person.clock.now() - before >= timedelta(seconds=SECONDS)
    assert any("waiting up to 15 s" in said for said in person.heard.said)


async def test_a_lease_that_somebody_edited_stops_nobody(person: Person) -> None:
    repo = Repo.small()
    await person.apply(repo)
    hold(person, renewTime=None, leaseTransitions=None, leaseDurationSeconds=None)
    person.store.remove(deployment("s0"))
    assert (await person.apply(repo)).ending is Ending.COMPLETED
