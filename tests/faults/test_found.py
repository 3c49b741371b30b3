"""What walks have found, each as its shortest case. In simulated time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from reconciler.core.orders import PAUSED
from reconciler.model.happenings import RunEnded, SourceChanged, SourceState
from reconciler.model.manifests import ObjectId
from reconciler.model.result import Ending
from reconciler.ports import Refused, SourceUnavailable, Unreachable
from tests.faults.oracle import converged, stable
from tests.faults.place import READ, SYSTEM, Place
from tests.faults.scenarios import S0, S1
from tests.faults.test_quarrels import RESOURCE, reason, replicas, simulated
from tests.fleets import service
from tests.flow.conftest import deployment

JOURNAL = ObjectId("", "ConfigMap", SYSTEM, "operator-test.test")


def replaced(place: Place) -> None:
    """One operator after the other."""
    place.lives[-1].kill_at = place.lives[-1].writes + 1
    place.start()


def test_a_record_that_somebody_deletes_comes_back() -> None:
    async def deleted(place: Place) -> None:
        place.store.remove(place.record)
        await place.quiet()
        assert place.record in place.store.objects
        assert not await stable(place)

    simulated(deleted)


def test_a_leader_that_cannot_begin_waits_before_it_tries_again_and_says_why() -> None:
    async def cut_off(place: Place) -> None:
        place.fault = lambda life, request, late: None if late or request.verb != "list" else Unreachable("no listing just now")
        replaced(place)
        start = len(place.lives[-1].cluster.log)
        await asyncio.sleep(120)
        tries = len(place.lives[-1].cluster.log) - start
        assert tries < 1000, f"{tries} requests in two minutes"
        assert "no listing just now" in place.ears.said
        place.fault = lambda life, request, late: None
        await place.quiet()
        assert not converged(place, place.shelf.head.revision)

    simulated(cut_off)


def test_an_operator_that_begins_at_a_broken_fleet_file_says_so_and_reads_no_commit_twice() -> None:
    async def broken(place: Place) -> None:
        good = place.shelf.head
        place.shelf.push(good.having("fleet.yaml", "kind: ["))
        await place.kill(place.lives[0])
        read = READ.count
        place.start()
        await asyncio.sleep(60)
        assert READ.count - read <= 3, "the broken one, the one before it, and what was applied"
        assert place.ears.of(SourceChanged)[-1].state is SourceState.BROKEN
        place.shelf.push(replace(good, revision="c0ffee9"))
        place.wake()
        await place.quiet()
        assert not converged(place, "c0ffee9")

    simulated(broken)


def test_while_the_fleet_file_is_broken_the_commit_before_it_stays_in_force() -> None:
    async def broken(place: Place) -> None:
        place.start()
        await asyncio.sleep(30)
        good = place.shelf.head.revision
        place.shelf.push(place.shelf.head.having("fleet.yaml", "kind: ["))
        place.wake()
        await asyncio.sleep(30)
        await place.kill(place.lives[0])
        await asyncio.sleep(60)
        place.edit(deployment("s0"), replicas(9))
        place.store.remove(deployment("s1"))
        await place.quiet()
        assert not converged(place, good)

    simulated(broken)


def test_a_pause_outlives_the_operator_that_saw_it() -> None:
    async def paused(place: Place) -> None:
        place.start()
        await asyncio.sleep(30)
        place.annotate(RESOURCE, PAUSED, "true")
        await place.quiet()
        place.shelf.push(place.shelf.head.having(S0, service("s0", extra="  replicas: 3\n")))
        await place.kill(place.lives[0])
        await place.quiet()
        live = place.store.get(deployment("s0"))
        assert live is not None
        assert live.body["spec"]["replicas"] == 1
        assert reason(place) == "Paused"

    simulated(paused)


def test_what_is_paused_stays_even_where_git_has_it_no_more_and_goes_when_it_is_resumed() -> None:
    async def paused(place: Place) -> None:
        place.annotate(RESOURCE, PAUSED, "true")
        await place.quiet()
        place.shelf.push(place.shelf.head.without([S0]))
        place.wake()
        await place.quiet()
        assert deployment("s0") in place.live()
        assert reason(place) == "Removed"
        place.annotate(RESOURCE, PAUSED, None)
        await place.quiet()
        assert not converged(place, place.shelf.head.revision)
        assert RESOURCE not in place.store.objects

    simulated(paused)


def test_a_pause_of_everything_holds_deletions_too() -> None:
    async def paused(place: Place) -> None:
        place.annotate(place.record, PAUSED, "true")
        await place.quiet()
        place.shelf.push(place.shelf.head.without([S0]))
        place.wake()
        await place.quiet()
        assert deployment("s0") in place.live()

    simulated(paused)


def test_a_run_whose_operator_died_does_not_go_on_for_ever_in_the_journal() -> None:
    async def killed(place: Place) -> None:
        place.shelf.push(place.shelf.head.having(S0, service("s0", extra="  replicas: 3\n")))
        place.lives[0].kill_at = place.lives[0].writes + 4
        place.store.listeners.append(lambda before, after: None)
        place.wake()
        await place.killed(place.lives[0])
        body = place.store.objects[JOURNAL]
        runs = body["data"]["runs"].replace('"ending":"completed"', '"ending":"running"', 1)
        place.edit(JOURNAL, lambda journal: journal["data"].update(runs=runs))
        place.start()
        await place.quiet()
        assert '"ending":"running"' not in place.store.objects[JOURNAL]["data"]["runs"]
        assert "its operator ended before it did" in place.store.objects[JOURNAL]["data"]["runs"]

    simulated(killed)


def test_a_run_that_is_cut_short_is_told_to_have_ended() -> None:
    async def cut(place: Place) -> None:
        place.store.play(lambda body: None)
        place.shelf.push(place.shelf.head.having(S0, service("s0", extra="  env: {A: b}\n")))
        place.wake()
        await asyncio.sleep(20)
        lease = next(id for id in place.store.objects if id.kind == "Lease")
        place.store.remove(lease)
        await asyncio.sleep(30)
        endings = [one.ending for one in place.ears.of(RunEnded)]
        assert Ending.CANCELLED in endings

    simulated(cut)


def test_a_journal_that_is_refused_once_is_written_later() -> None:
    async def refused(place: Place) -> None:
        def fault(life, request, *, late):
            if request.verb == "apply" and request.id == JOURNAL and not late and asyncio.get_running_loop().time() < end:
                return Refused(500, "InternalError", "not now")
            return None

        end = asyncio.get_running_loop().time() + 300
        place.fault = fault
        revision = place.shelf.push(place.shelf.head.having(S0, service("s0", extra="  replicas: 3\n")))
        place.wake()
        await asyncio.sleep(500)
        assert revision in place.store.objects[JOURNAL]["data"]["runs"]
        assert sum(one.id == JOURNAL for one in place.lives[0].cluster.log) < 30

    simulated(refused)


def test_what_was_refused_is_tried_again_and_not_put_off_by_passes_in_between() -> None:
    async def refused(place: Place) -> None:
        def fault(life, request, *, late):
            if request.verb == "apply" and request.id == deployment("s0") and not late:
                return Refused(403, "Forbidden", "not now")
            return None

        place.fault = fault
        place.shelf.push(place.shelf.head.having(S0, service("s0", extra="  replicas: 3\n")))
        place.wake()
        await asyncio.sleep(1800)
        assert reason(place) == "Refused"
        tries = sum(one.verb == "apply" and one.id == deployment("s0") for one in place.lives[0].cluster.log)
        assert 4 < tries < 20, "ever more seldom"
        place.fault = lambda life, request, late: None
        await asyncio.sleep(1300)
        assert not converged(place, place.shelf.head.revision)

    simulated(refused)


def test_git_that_is_down_for_a_day_stops_no_repair_and_writes_nothing_else() -> None:
    async def down(place: Place) -> None:
        place.shelf.fault = SourceUnavailable("the server does not answer")
        before = place.asked()
        await asyncio.sleep(24 * 3600)
        assert place.asked() - before < 5, "the journal says once that git is down"
        place.store.remove(deployment("s1"))
        await place.quiet()
        assert not converged(place, place.shelf.head.revision)
        assert sum(one.state is SourceState.UNAVAILABLE for one in place.ears.of(SourceChanged)) == 1

    simulated(down)


def test_twenty_commits_in_a_second_are_a_few_runs_and_the_last_one_wins() -> None:
    async def hurried(place: Place) -> None:
        before = len(place.ears.of(RunEnded))
        for number in range(20):
            place.shelf.push(place.shelf.head.having(S1, service("s1", extra=f"  env: {{NUMBER: '{number}'}}\n")))
            place.wake()
            await asyncio.sleep(0.05)
        await place.quiet()
        assert not converged(place, place.shelf.head.revision)
        assert len(place.ears.of(RunEnded)) - before <= 22

    simulated(hurried)


def test_a_custom_resource_whose_spec_is_refused_once_is_written_again() -> None:
    async def refused(place: Place) -> None:
        left = [1]

        def fault(life, request, *, late):
            if request.verb == "apply" and request.id == RESOURCE and not late and left:
                left.pop()
                return Refused(500, "InternalError", "not now")
            return None

        place.annotate(RESOURCE, PAUSED, "true")
        await place.quiet()
        place.fault = fault
        place.shelf.push(place.shelf.head.having(S0, service("s0", wave=10)))
        place.wake()
        await place.quiet()
        assert not left
        assert place.store.objects[RESOURCE]["spec"]["wave"] == 10

    simulated(refused)


def test_a_custom_resource_that_a_deposed_operator_wrote_late_goes() -> None:
    async def late(place: Place) -> None:
        body = place.store.objects[RESOURCE]
        place.shelf.push(place.shelf.head.without([S0]))
        place.wake()
        await place.quiet()
        kept = {name: body[name] for name in ("apiVersion", "kind", "spec")}
        metadata = {name: body["metadata"][name] for name in ("name", "namespace", "labels", "annotations")}
        place.store.apply({**kept, "metadata": metadata})
        await place.quiet()
        assert RESOURCE not in place.store.objects

    simulated(late)
