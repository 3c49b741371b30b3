"""An operator and a real API server, with every fault between them that a network, a server or a load balancer has."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from reconciler.adapters.cluster.addresses import object_path
from reconciler.core.crds import crds
from reconciler.kinds import KINDS
from reconciler.model.happenings import ConflictFound, DriftRepaired
from reconciler.model.manifests import ENVIRONMENT_LABEL, identify
from tests.adapters.faults import Answer, Delay, FaultProxy, Lines, Reset, event, status
from tests.engines.binaries import Tier
from tests.engines.client import Api
from tests.engines.client import connect as open_api
from tests.engines.cluster import Cluster as Server
from tests.engines.cluster import up
from tests.engines.fixtures import started
from tests.faults.server import Corner, corner, edited, end, fleet, until
from tests.fleets import Repo
from tests.operator.corner import Writer

Arm = Callable[[FaultProxy], None]


def arm(*faults: tuple[object, str, int]) -> Arm:
    def armed(proxy: FaultProxy) -> None:
        for fault, method, times in faults:
            proxy.fail(fault, method, times=times, unless="/leases")  # type: ignore[arg-type]

    return armed


GONE = event("ERROR", {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old"})
FAILED = event("ERROR", {"kind": "Status", "apiVersion": "v1", "code": 500, "reason": "InternalError", "message": "no"})
HTML = Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"})
WRITES = {
    "late": arm((Delay(0.3), "PATCH", 25), (Delay(0.3), "GET", 25)),
    "broken before": arm((Reset(), "PATCH", 6), (Reset(), "PUT", 2), (Reset(), "DELETE", 3)),
    "broken after": arm((Reset(late=True), "PATCH", 12), (Reset(late=True), "PUT", 2), (Reset(late=True), "DELETE", 5)),
    "half an answer": arm((Reset(half=True), "PATCH", 9), (Reset(half=True), "GET", 9), (Reset(half=True), "DELETE", 3)),
    "409": arm((status(409, "Conflict"), "PATCH", 6), (status(409, "Conflict"), "PUT", 1), (status(409, "Conflict"), "DELETE", 3)),
    "429": arm(
        (status(429, "TooManyRequests", Retry_After="1"), "PATCH", 3),
        (status(429, "TooManyRequests", Retry_After=lambda: formatdate(time.time() + 1, usegmt=True)), "PATCH", 3),
        (status(429, "TooManyRequests"), "PATCH", 3),
        (status(429, "TooManyRequests", Retry_After="1"), "GET", 3),
    ),
    "500": arm((status(500, "InternalError"), "PATCH", 12), (status(500, "InternalError"), "GET", 6), (status(500, "InternalError"), "DELETE", 3)),
    "500 after": arm((Answer(500, b"{}", late=True), "PATCH", 9), (Answer(500, b"{}", late=True), "DELETE", 3)),
    "504": arm((status(504, "Timeout"), "PATCH", 9), (status(504, "Timeout"), "PUT", 2), (status(504, "Timeout"), "GET", 9)),
    "504 after": arm((Answer(504, b"", late=True), "PATCH", 9), (Answer(504, b"", late=True), "DELETE", 4)),
    "a load balancer": arm((HTML, "PATCH", 9), (HTML, "GET", 9)),
    "403 for a while": arm((status(403, "Forbidden"), "PATCH", 8), (status(403, "Forbidden"), "DELETE", 2)),
}  # fmt: skip
WATCHES = {
    "410": arm((status(410, "Expired"), "WATCH", 25)),
    "410 as an event": arm((Lines((GONE,), "close"), "WATCH", 25)),
    "500 as an event": arm((Lines((FAILED,), "close"), "WATCH", 25)),
    "429": arm((status(429, "TooManyRequests", Retry_After="1"), "WATCH", 25)),
    "a cut line": arm((Lines((b'{"type":"MODIF',), "cut"), "WATCH", 25)),
    "silence": arm((Lines((), "stay"), "WATCH", 25)),
    "broken after a line": arm((Lines((), "cut", after=1), "WATCH", 25)),
}

FIXED = frozenset({"broken after", "half an answer", "409", "429", "504 after", "410 as an event", "silence", "a cut line"})
"""What `./dev test` runs; `./dev faults` has all of them, and two at once."""


@pytest.fixture
def real(cluster: Server) -> Server:
    if cluster.tier is not Tier.REAL:
        pytest.skip(f"{cluster.tier} has neither server-side preconditions nor admission as a kube-apiserver has them")
    return cluster


async def through(server: Server, prefix: str, folder: Path, armed: Arm, name: str) -> str | None:
    """One commit and some drift while the faults last; what went wrong."""
    try:
        async with corner(server, prefix, folder) as here, here.running() as operator:
            await here.begun()
            armed(here.proxy)
            here.push(edited(here.shelf.head), operator)
            live = await here.direct.read(here.deployment("s0"))
            if live is not None:
                await here.direct.delete(live)
            await here.converged()
    except Exception as fault:  # noqa: BLE001 - told with the name of what led there
        return f"{name}: {type(fault).__name__}: {fault}"
    return None


async def all_through(server: Server, prefix: str, folder: Path, faults: dict[str, Arm]) -> None:
    turns = asyncio.Semaphore(6)

    async def one(number: int, name: str, armed: Arm) -> str | None:
        async with turns:
            return await through(server, f"{prefix}-{number}", folder / str(number), armed, name)

    told = await asyncio.gather(*(one(number, name, armed) for number, (name, armed) in enumerate(faults.items()) if name in FIXED))
    assert not any(told), [text for text in told if text]


async def test_whatever_becomes_of_requests_a_commit_and_drift_come_to_their_end(real: Server, prefix: str, tmp_path: Path) -> None:
    await all_through(real, prefix, tmp_path, WRITES)


async def test_whatever_becomes_of_watches_a_commit_and_drift_come_to_their_end(real: Server, prefix: str, tmp_path: Path) -> None:
    await all_through(real, prefix, tmp_path, WATCHES)


async def test_lists_of_an_older_time_delete_nothing(real: Server, prefix: str, tmp_path: Path) -> None:
    async with corner(real, prefix, tmp_path) as here:
        async with here.running():
            await here.begun()
            old = here.shelf.head
        lists = await _lists(here)
        async with here.running() as operator:
            here.push(edited(old), operator)
            await here.converged()
        before = {one.id: one.uid for one in await here.direct.list({ENVIRONMENT_LABEL: prefix}, [("apps", "Deployment")])}
        for path, body in lists.items():
            here.proxy.fail(Answer(200, body, {"Content-Type": "application/json"}), "GET", path, times=10_000)
        here.proxy.fail(Lines((), "stay"), "WATCH", times=10_000)
        here.proxy.passed.clear()
        async with here.running("operator two") as operator:
            await asyncio.sleep(10)
            now = {one.id: one.uid for one in await here.direct.list({ENVIRONMENT_LABEL: prefix}, [("apps", "Deployment")])}
            assert now == before, "nothing is deleted, nothing made anew"
            here.proxy.heal()
            operator.wake("webhook")
            await here.converged()
        now = {one.id: one.uid for one in await here.direct.list({ENVIRONMENT_LABEL: prefix}, [("apps", "Deployment")])}
        assert now == before


async def _lists(here: Corner) -> dict[str, bytes]:
    """What the LISTs of an operator are answered with now, by path and query."""
    found = {}
    paths = {line.removeprefix("GET ") for line in here.proxy.seen if line.startswith("GET ") and "labelSelector" in line}
    assert paths
    assert here.proxy._session is not None
    for path in paths:
        async with here.proxy._session.get(here.proxy.upstream + path) as answer:
            found[path] = await answer.read()
    return found


async def test_a_token_that_is_changed_is_taken_up(real: Server, prefix: str, tmp_path: Path) -> None:
    async with corner(real, prefix, tmp_path) as here, here.running() as operator:
        await here.converged()
        here.proxy.fail(status(401, "Unauthorized", "Unauthorized"), times=30)
        here.push(edited(here.shelf.head), operator)
        await here.converged()


async def test_a_definition_that_is_taken_away_comes_back_and_nothing_else_is_touched(
    real: Server, prefix: str, api: Api, tmp_path: Path
) -> None:
    async with corner(real, prefix, tmp_path) as here, here.running():
        await here.converged()
        before = await Writer(here.direct).live(prefix)
        body = next(one for one in crds(KINDS) if one["spec"]["names"]["kind"] == "Service")
        assert (await api.delete(object_path(identify(body)))).status == 200
        await here.converged()
        after = await Writer(here.direct).live(prefix)
        assert {id: one.uid for id, one in after.items()} == {id: one.uid for id, one in before.items()}


POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingAdmissionPolicy",
    "spec": {
        "matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}]},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": '[JSONPatch{op: "replace", path: "/spec/replicas", value: 3}]'}}],
    },
}  # fmt: skip


async def test_admission_that_rewrites_our_fields_is_a_steady_state_and_no_fight(
    real: Server, prefix: str, api: Api, tmp_path: Path
) -> None:
    groups = (await api.get("/apis/admissionregistration.k8s.io/v1")).body
    if not any(one["name"] == "mutatingadmissionpolicies" for one in groups["resources"]):
        pytest.skip("this API server has no MutatingAdmissionPolicy")
    base = "/apis/admissionregistration.k8s.io/v1"
    spec = {**POLICY["spec"], "matchConditions": [{"name": "here", "expression": f"object.metadata.namespace == '{prefix}-acme'"}]}
    binding = {"apiVersion": POLICY["apiVersion"], "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": prefix}}
    try:
        got = await api.apply(f"{base}/mutatingadmissionpolicies/{prefix}", {**POLICY, "metadata": {"name": prefix}, "spec": spec})
        assert got.status == 201, got.body
        got = await api.apply(f"{base}/mutatingadmissionpolicybindings/{prefix}", {**binding, "metadata": {"name": prefix}})
        assert got.status == 201, got.body
        async with corner(real, prefix, tmp_path) as here, here.running() as operator:
            await here.converged()
            here.push(edited(here.shelf.head), operator)
            await here.converged()
            await here.silent(8)
            assert not here.ears.of(ConflictFound)
    finally:
        await api.delete(f"{base}/mutatingadmissionpolicybindings/{prefix}")
        await api.delete(f"{base}/mutatingadmissionpolicies/{prefix}")


async def test_another_controller_is_fought_for_three_rounds_then_named_and_left_alone(real: Server, prefix: str, tmp_path: Path) -> None:
    async with corner(real, prefix, tmp_path) as here, here.running():
        await here.converged()
        path = object_path(here.deployment("s0"))
        async with open_api(real.kubeconfig) as hands:
            rounds = 0

            async def insists() -> None:
                nonlocal rounds
                while True:
                    body = (await hands.get(path)).body
                    if body.get("spec", {}).get("replicas") == 1:
                        rounds += 1
                        await hands.ask("PATCH", f"{path}?fieldManager=rival", {"spec": {"replicas": 2}}, "application/merge-patch+json")
                    await asyncio.sleep(0.1)

            task = asyncio.create_task(insists())
            try:
                await until(lambda: _true(bool(here.ears.of(ConflictFound))))
                assert here.ears.of(ConflictFound)[0].managers == ("rival",)
                repairs = len(here.ears.of(DriftRepaired))
                await here.silent(8)
                assert len(here.ears.of(DriftRepaired)) == repairs
                assert rounds <= 4
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _true(value: bool) -> bool:
    return value


async def test_an_operator_that_is_killed_in_the_middle_of_a_run_is_taken_up_by_the_next(real: Server, prefix: str, tmp_path: Path) -> None:
    async with corner(real, prefix, tmp_path, fleet(prefix)) as here:
        repository = here.repository()
        first = here.process(repository, "first")
        second = None

        async def kill() -> None:
            os.kill(first.pid, signal.SIGKILL)

        here.proxy.fail(Reset(late=True), "PATCH", "deployments/s0?fieldManager=fleetwright", meanwhile=kill, unless="dryRun")
        try:
            await asyncio.to_thread(first.wait, 60)
            second = here.process(repository, "second")
            here.shelf.commits[-1] = _as_committed(here, repository)
            await here.converged(120)
        finally:
            for process in (first, second):
                if process is not None:
                    end(process)


async def test_a_leader_that_stood_still_while_another_took_over_does_no_harm(real: Server, prefix: str, tmp_path: Path) -> None:
    async with corner(real, prefix, tmp_path, fleet(prefix)) as here:
        repository = here.repository()
        first = here.process(repository, "first")
        second = None
        try:
            here.shelf.commits[-1] = _as_committed(here, repository)
            await here.converged(90)
            second = here.process(repository, "second")
            os.kill(first.pid, signal.SIGSTOP)
            target = edited(here.shelf.head)
            here.commit(repository, target.files)
            here.shelf.push(_as_committed(here, repository))
            await here.converged(90)
            os.kill(first.pid, signal.SIGCONT)
            await asyncio.sleep(6)
            await here.converged(60)
            assert first.poll() is None, "it stands by"
            assert second.poll() is None
        finally:
            for process in (first, second):
                if process is not None:
                    end(process)


def _as_committed(here: Corner, repository: Path) -> Repo:
    """The repository's head as a commit of the shelf, for the oracle."""
    head = subprocess.run(["git", "-C", repository, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    paths = [repository / "fleet.yaml", *repository.glob("specs/**/*.yaml")]
    return Repo({str(path.relative_to(repository)): path.read_text() for path in paths}, head)


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody else uses: it will not always answer."""
    yield from started(tmp_path_factory.mktemp("own"), Tier.REAL)


async def test_a_store_that_stands_still_and_a_server_that_is_killed_are_sat_out(own: Server, prefix: str, tmp_path: Path) -> None:
    async with corner(own, prefix, tmp_path) as here, here.running() as operator:
        await here.begun()
        etcd, server = own.daemon("etcd").pid(), own.daemon("apiserver").pid()
        assert etcd
        assert server
        os.kill(etcd, signal.SIGSTOP)
        try:
            here.push(edited(here.shelf.head), operator)
            await asyncio.sleep(12)
        finally:
            os.kill(etcd, signal.SIGCONT)
        await here.converged()
        live = await here.direct.read(here.deployment("s0"))
        assert live is not None
        await here.direct.delete(live)
        os.kill(server, signal.SIGKILL)
        await until(lambda: _true(own.daemon("apiserver").pid() is None))
        here.push(fleet(prefix).having("specs/policy-packs/x.yaml", "kind: ["), operator)
        await asyncio.sleep(3)
        await asyncio.to_thread(up, own.state, Tier.REAL, tied=True)
        here.push(Repo(fleet(prefix).files, "d00d005"), operator)
        await here.converged()
