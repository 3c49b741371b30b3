"""What an operator does by itself: applies commits, repairs drift, leaves alone what it should, and tells of it once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from reconciler.core.approval import brief
from reconciler.core.orders import APPROVED, PAUSED, RECONCILE
from reconciler.flow.operator.operator import Operator
from reconciler.model.happenings import ConflictFound, DriftRepaired, LeaseChanged, RunEnded, SourceChanged, SourceState
from reconciler.model.manifests import ObjectId
from reconciler.model.result import Ending
from reconciler.ports import BranchGone, SourceUnavailable
from tests.fleets import Repo, service
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Site, until


def ended(site: Site) -> list[RunEnded]:
    return site.ears.of(RunEnded)


async def settled(site: Site, operator, revision: str) -> None:
    await until(lambda: operator.state.applied == revision and operator.vitals().queue == 0 and operator.state.result is not None)


async def test_the_first_commit_is_applied(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
    assert deployment("s0") in await site.live()
    assert [one.ending for one in ended(site)] == [Ending.COMPLETED]
    assert [one.held for one in site.ears.of(LeaseChanged)] == [True, False]


async def test_a_new_commit_is_applied_when_a_wake_says_so(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        revision = site.shelf.push(site.shelf.head.having("specs/services/acme/s9.yaml", service("s9")))
        operator.wake("webhook")
        await settled(site, operator, revision)
        assert deployment("s9") in await site.live()


async def test_a_second_pass_with_nothing_to_do_writes_nothing_and_is_no_run(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        before, versions = site.cluster.writes, await site.versions()
        operator.wake("asked")
        await until(lambda: site.shelf.fetches > 1)
        await asyncio.sleep(0.6)
        await settled(site, operator, site.shelf.head.revision)
        assert site.cluster.writes - before <= 1, "at most a renewal of the Lease"
        assert await site.versions() == versions
    assert len(ended(site)) == 1
    assert site.ledger.begun == 1


async def test_a_deleted_object_comes_back_and_a_changed_field_is_put_back(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        live = (await site.live())[deployment("s0")]
        await site.cluster.delete(live)
        await until(lambda: len(site.ears.of(DriftRepaired)) == 1)

        def two(body: dict) -> None:
            body["spec"]["replicas"] = 7

        site.store.edit(deployment("s1"), "somebody", two)
        await until(lambda: len(site.ears.of(DriftRepaired)) == 2)
        gone, changed = site.ears.of(DriftRepaired)
        assert (gone.id, gone.fields) == (deployment("s0"), ())
        assert (changed.id, changed.fields, changed.managers) == (deployment("s1"), ("/spec/replicas",), ("somebody",))
        assert (await site.live())[deployment("s1")].body["spec"]["replicas"] == 1
    assert len(ended(site)) == 1, "a repair is no run"


async def test_what_others_own_is_left_alone(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)

        def annotate(body: dict) -> None:
            body["metadata"].setdefault("annotations", {})["example.com/theirs"] = "1"

        site.store.edit(deployment("s0"), "somebody", annotate)
        await asyncio.sleep(0.3)
        assert not site.ears.of(DriftRepaired)
        assert (await site.live())[deployment("s0")].body["metadata"]["annotations"]["example.com/theirs"] == "1"


async def test_one_broken_spec_keeps_its_resource_and_everything_else_goes_on(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        before = (await site.versions())[deployment("s0")]
        broken = site.shelf.head.having("specs/services/acme/s0.yaml", "kind: [").having("specs/services/acme/s9.yaml", service("s9"))
        site.shelf.push(broken)
        operator.wake("webhook")
        await settled(site, operator, broken.revision)
        assert deployment("s9") in await site.live()
        assert (await site.versions())[deployment("s0")] == before
        assert operator.state.desire is not None
        assert any("s0.yaml" in str(finding.place) for finding in operator.state.desire.graph.findings)


async def test_a_broken_fleet_file_or_an_empty_source_changes_nothing(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        versions = await site.versions()
        for repo in (site.shelf.head.having("fleet.yaml", "kind: ["), Repo({"fleet.yaml": site.shelf.head.files["fleet.yaml"]}, "ffff001")):
            site.shelf.push(repo)
            operator.wake("webhook")
            await until(lambda: site.ears.of(SourceChanged)[-1].state is SourceState.BROKEN)
            assert await site.versions() == versions
            site.shelf.push(site.shelf.commits[0])
            operator.wake("webhook")
            await until(lambda: site.ears.of(SourceChanged)[-1].state is SourceState.FOLLOWED)
    assert len(ended(site)) == 1


async def test_a_source_that_is_down_or_without_its_branch_changes_nothing_and_says_so_once(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        versions = await site.versions()
        for fault, state in (
            (SourceUnavailable("the server does not answer"), SourceState.UNAVAILABLE),
            (BranchGone("main"), SourceState.GONE),
        ):
            site.shelf.fault = fault
            fetches = site.shelf.fetches
            operator.wake("webhook")
            await until(lambda: site.shelf.fetches > fetches)  # noqa: B023
            operator.wake("webhook")
            await until(lambda: site.shelf.fetches > fetches + 1)  # noqa: B023
            await asyncio.sleep(0.4)
            assert site.ears.of(SourceChanged)[-1].state is state
        states = [one.state for one in site.ears.of(SourceChanged)]
        assert states == [SourceState.FOLLOWED, SourceState.UNAVAILABLE, SourceState.GONE]
        assert await site.versions() == versions


async def test_a_new_process_keeps_what_was_applied_while_fleet_yaml_is_broken(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
    applied = site.shelf.head
    never = applied.having("specs/services/acme/s9.yaml", service("s9"))
    for repo in (never, never.having("fleet.yaml", "kind: ["), never.having("fleet.yaml", "").having("README.md", "")):
        site.shelf.push(repo)
    async with site.running() as operator:
        await until(lambda: operator.vitals().leading and operator.vitals().caches)
        await site.cluster.delete((await site.live())[deployment("s0")])
        await until(lambda: bool(site.ears.of(DriftRepaired)))
        assert {deployment("s0"), deployment("s1")} <= (await site.live()).keys()
        assert deployment("s9") not in await site.live(), "that commit was never in force"
        assert operator.state.applied == applied.revision
        assert SourceState.BROKEN in {one.state for one in site.ears.of(SourceChanged)}
        site.shelf.push(
            never.having("README.md", "mended").having("README.md", "again").having("README.md", "thrice").having("README.md", "x")
        )
        operator.wake("webhook")
        await settled(site, operator, site.shelf.head.revision)
        assert deployment("s9") in await site.live()


async def test_where_nothing_was_applied_a_broken_fleet_yaml_leads_nowhere_and_is_looked_at_once(site: Site) -> None:
    site.shelf.push(site.shelf.head.having("fleet.yaml", "kind: ["))
    async with site.running() as operator:
        await until(lambda: SourceState.BROKEN in {one.state for one in site.ears.of(SourceChanged)})
        await asyncio.sleep(1.0)
        held = [one for one in site.ears.of(LeaseChanged) if one.held]
        assert len(held) <= 1
        assert not operator.vitals().leading
        assert not await site.live()


async def rewound(site: Site, operator: Operator) -> Repo:
    """A commit with a service more is applied, and then the branch is at the one before it again."""
    first = site.shelf.head
    site.shelf.push(first.having("specs/services/acme/s9.yaml", service("s9")))
    await settled(site, operator, site.shelf.head.revision)
    site.shelf.rewind()
    return first


async def test_a_rewound_branch_waits_for_a_person(site: Site) -> None:
    async with site.running() as operator:
        await rewound(site, operator)
        operator.wake("webhook")
        await until(lambda: site.ears.of(SourceChanged)[-1].state is SourceState.REWOUND)
        await asyncio.sleep(0.4)
        assert deployment("s9") in await site.live()
        assert "fleet approve" in site.ears.of(SourceChanged)[-1].message


async def test_what_is_pushed_onto_an_approved_branch_is_approved_with_it(site: Site) -> None:
    async with site.running() as operator:
        first = await rewound(site, operator)
        meant = replace(first, revision="a" * 40)
        site.shelf.push(meant)
        site.shelf.push(replace(meant.having("specs/services/acme/s8.yaml", service("s8")), revision="b" * 40))
        operator.wake("webhook")
        await until(lambda: site.ears.of(SourceChanged)[-1].state is SourceState.REWOUND)
        operator.ordered("all", {"metadata": {"annotations": {APPROVED: meant.revision}}})
        operator.wake("webhook")
        await settled(site, operator, "b" * 40)
        assert deployment("s8") in await site.live()


async def test_a_pause_stops_writes_of_what_it_names_and_ends_with_its_order(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        operator.ordered("Service/acme/s0", {"metadata": {"annotations": {}}})
        operator.ordered("Service/acme/s0", {"metadata": {"annotations": {PAUSED: "true"}}})
        await site.cluster.delete((await site.live())[deployment("s0")])
        await site.cluster.delete((await site.live())[deployment("s1")])
        await until(lambda: bool(site.ears.of(DriftRepaired)))
        await asyncio.sleep(0.5)
        assert [one.id for one in site.ears.of(DriftRepaired)] == [deployment("s1")]
        assert deployment("s0") not in await site.live()
        operator.ordered("Service/acme/s0", {"metadata": {"annotations": {RECONCILE: "now"}}})
        async with asyncio.timeout(10):
            while deployment("s0") not in await site.live():
                await asyncio.sleep(0.05)


async def test_twenty_edits_in_a_second_are_a_few_runs_and_the_last_one_wins(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        for number in range(20):
            site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra=f"  env: {{NUMBER: '{number}'}}\n")))
            operator.wake("webhook")
            await asyncio.sleep(0.03)
        await settled(site, operator, site.shelf.head.revision)
        env = (await site.live())[deployment("s0")].body["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {"name": "NUMBER", "value": "19"} in env


async def test_removed_services_beyond_the_guards_wait_and_the_rest_is_applied(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        site.shelf.push(site.shelf.head.without(["specs/services/acme/s0.yaml", "specs/services/acme/s1.yaml"]))
        operator.wake("webhook")
        await settled(site, operator, site.shelf.head.revision)
        assert {deployment("s0"), deployment("s1")} <= (await site.live()).keys()
        assert ended(site)[-1].ending is Ending.HELD
        [question] = operator.state.asked
        asked = question.hash
        operator.ordered("all", {"metadata": {"annotations": {}}})
        operator.ordered("all", {"metadata": {"annotations": {"fleetwright.dev/approved": brief(asked)}}})
        async with asyncio.timeout(10):
            while deployment("s0") in await site.live():
                await asyncio.sleep(0.05)
        await until(lambda: ended(site)[-1].ending is Ending.COMPLETED)


async def test_what_a_broken_file_said_to_others_holds_until_it_is_mended(site: Site) -> None:
    calls = site.shelf.head.having("specs/services/acme/s1.yaml", service("s1", extra="  dependsOn: [s0]\n"))
    site.shelf.push(calls)
    async with site.running() as operator:
        await settled(site, operator, calls.revision)
        live = await site.versions()
        broken = calls.having("specs/services/acme/s1.yaml", "kind: [")
        site.shelf.push(broken)
        operator.wake("webhook")
        await settled(site, operator, broken.revision)
        assert await site.versions() == live, "its caller may still be called by s1"
        more = broken.having("specs/services/acme/s9.yaml", service("s9"))
        site.shelf.push(more)
        operator.wake("webhook")
        await settled(site, operator, more.revision)
        kept = await site.versions()
        assert {id: kept[id] for id in live} == live
    async with site.running(holder="operator two") as operator:
        await settled(site, operator, more.revision)
        assert await site.versions() == kept, "also after a restart"
        mended = more.having("specs/services/acme/s1.yaml", service("s1"))
        site.shelf.push(mended)
        operator.wake("webhook")
        await settled(site, operator, mended.revision)
        after = await site.versions()
        assert {id.kind for id in kept if kept[id] != after.get(id)} == {"NetworkPolicy"}


async def test_a_pause_of_everything_or_of_one_holds_from_the_first_pass_after_a_restart(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        record = ObjectId("", "ConfigMap", "fleetwright-system", "environment-test.test")
        await until(lambda: site.store.get(ObjectId("fleetwright.dev", "Service", "acme", "s0")) is not None)
    for id in (record, ObjectId("fleetwright.dev", "Service", "acme", "s0")):
        versions = await site.versions()
        await site.cluster.annotate(id, {PAUSED: "true"})
        changed = site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra=f"  replicas: {len(id.kind)}\n"))
        site.shelf.push(changed)
        async with site.running() as operator:
            await settled(site, operator, changed.revision)
            assert await site.versions() == versions
            await site.cluster.annotate(id, {PAUSED: None})
            if id is not record:  # the record is watched by the operator itself, custom resources by Kopf
                operator.projected(site.store.get(id), False)
            await until(lambda: site.store.get(deployment("s0")).body["spec"]["replicas"] == len(id.kind))  # noqa: B023


async def test_whoever_takes_over_again_starts_from_what_stands_and_undoes_nothing_of_the_others_work(site: Site) -> None:
    async with site.running(holder="operator one") as one:
        await settled(site, one, site.shelf.head.revision)
        lease = next(id for id in site.store.objects if id.kind == "Lease")

        def stolen(body: dict) -> None:
            body["spec"] |= {"holderIdentity": "operator two", "leaseTransitions": 7, "renewTime": "2020-01-01T00:00:00.000000Z"}

        site.store.edit(lease, "two", stolen)
        site.shelf.push(site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra="  replicas: 4\n")))
        await until(lambda: len([told for told in site.ears.of(LeaseChanged) if told.held]) == 2, 40)
        await settled(site, one, site.shelf.head.revision)
        assert (await site.live())[deployment("s0")].body["spec"]["replicas"] == 4
        assert not site.ears.of(DriftRepaired)


async def test_a_field_that_somebody_keeps_writing_is_left_to_them_for_a_while_and_they_are_named(site: Site) -> None:
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)

        def seven(body: dict) -> None:
            body["spec"]["replicas"] = 7

        for number in range(1, 4):
            site.store.edit(deployment("s0"), "insistent", seven)
            await until(lambda: len(site.ears.of(DriftRepaired)) == number)  # noqa: B023
        (conflict,) = site.ears.of(ConflictFound)
        assert (conflict.id, conflict.managers) == (deployment("s0"), ("insistent",))
        site.store.edit(deployment("s0"), "insistent", seven)
        operator.wake("asked")
        await asyncio.sleep(1)
        assert (await site.live())[deployment("s0")].body["spec"]["replicas"] == 7
        changed = site.shelf.head.having("specs/services/acme/s0.yaml", service("s0", extra="  replicas: 2\n"))
        site.shelf.push(changed)
        operator.wake("webhook")
        await until(lambda: site.store.get(deployment("s0")).body["spec"]["replicas"] == 2)
