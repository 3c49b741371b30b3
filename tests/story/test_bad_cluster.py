"""Clusters that misbehave, and people who do: each time a sentence, the right exit code, and nothing written that should not be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.faults import Answer, Delay, Fault, FaultProxy, Reset, fault_proxy, status
from tests.engines.binaries import Tier
from tests.engines.client import MERGE
from tests.engines.cluster import Cluster
from tests.story.desk import Desk, Done
from tests.story.small import S0, as_admin, as_somebody, edited, small_desk

HTML = b"<html><head><title>Sign in</title></head><body>who are you?</body></html>"
DRY_RUN = "dryRun=All"
NEW = "newcomer"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Desk:
    """A small fleet, applied once for all tests that leave it as it is."""
    desk = small_desk(tmp_path_factory.mktemp("bad") / "fleet", cluster, f"bad-{os.getpid():x}")
    done = desk.apply()
    assert done.code == 0, done.said
    return desk


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    """The small fleet with one edit to apply; afterwards as it was."""
    edited(shared, "one")
    yield shared
    as_admin(shared)
    shared.git("checkout", "-q", ".")
    shared.git("clean", "-qfd", "specs")
    again = shared.apply("--allow-delete=1")
    assert again.code == 0, again.said


@dataclass(frozen=True)
class Case:
    """What the server does, and what a person must be told."""

    name: str
    fault: Fault
    method: str
    path: str
    says: str
    fix: str
    code: int = 2
    times: int = 99


CASES = (
    Case("a login page", Answer(403, HTML), "GET", "deployments", "an HTML page (Sign in)", "rights"),
    Case("a page where a list should be", Answer(200, HTML), "GET", "deployments", "an HTML page (Sign in)", "doctor"),
    Case("nothing where a list should be", Answer(200), "GET", "deployments", "an empty answer", "doctor"),
    Case("expired credentials", status(401, "Unauthorized"), "GET", "", "does not accept the credentials", "log in again"),
    Case("a webhook that fails", status(500, "InternalError", "no route to hook"), "PATCH", DRY_RUN, "no route to hook", "try again", 1),
    Case("a quota", status(403, "Forbidden", "exceeded quota: x"), "PATCH", DRY_RUN, "exceeded quota", "raise the tenant's quotas", 1),
    Case("admission", status(403, "Forbidden", "denied by policy x"), "PATCH", DRY_RUN, "denied by policy x", "does not admit it", 1),
    Case("a conflict", status(409, "Conflict", "the object moved"), "PATCH", DRY_RUN, "the object moved", "try again", 1),
    Case("gone", status(410, "Expired", "too old"), "PATCH", DRY_RUN, "too old", "try again", 1),
    Case("invalid", status(422, "Invalid", "spec.x: no"), "PATCH", DRY_RUN, "spec.x: no", "correct the spec", 1),
    Case("control characters", status(422, "Invalid", "\x1b[31mred"), "PATCH", DRY_RUN, "red", "correct the spec", 1),
    Case("no Lease", status(403, "Forbidden", "User x cannot update leases"), "PUT", "leases", "the Lease cannot be written", "right"),
)


async def through(desk: Desk, proxy: FaultProxy, *arguments: str) -> Done:
    """A command through the proxy."""
    proxy.kubeconfig(desk.root.parent / "kubeconfig")
    return await asyncio.to_thread(desk.fleet, *arguments)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_an_answer_that_helps_nobody_is_told_and_nothing_is_written(desk: Desk, case: Case) -> None:
    before = await asyncio.to_thread(desk.live)
    async with fault_proxy(desk.cluster.url, desk.cluster.authority, desk.cluster.token) as proxy:
        proxy.fail(case.fault, case.method, case.path, times=case.times)
        done = await through(desk, proxy, "apply", "--yes")
    assert done.code == case.code, done.said
    assert case.says in done.said
    assert case.fix in done.said
    assert "othing was written" in done.said
    assert "\x1b" not in done.said
    assert await asyncio.to_thread(desk.live) == before


async def test_what_passes_by_itself_is_waited_out(desk: Desk) -> None:
    async with fault_proxy(desk.cluster.url, desk.cluster.authority, desk.cluster.token) as proxy:
        proxy.fail(status(429, "TooManyRequests", Retry_After="1"), "PATCH", times=2)
        proxy.fail(Reset(late=True), "PATCH", "fieldManager", times=2)
        proxy.fail(status(500, "InternalError"), "GET", times=2)
        proxy.fail(Answer(503, HTML), "PUT", times=2)
        done = await through(desk, proxy, "apply", "--yes")
    assert done.code == 0, done.said


async def test_credentials_that_end_in_the_middle_leave_an_account_and_a_way_on(desk: Desk) -> None:
    for name in ("s1", "s2"):
        desk.write(f"specs/services/acme/{name}.yaml", desk.read(S0).replace("name: s0", f"name: {name}"))
    async with fault_proxy(desk.cluster.url, desk.cluster.authority, desk.cluster.token) as proxy:

        async def expire() -> None:
            proxy.tokens = {"another"}

        proxy.fail(Delay(0), "PATCH", "deployments/s0", meanwhile=expire, unless=DRY_RUN)
        cut = await through(desk, proxy, "apply", "--yes")
    assert cut.code == 3, cut.said
    assert "does not accept the credentials" in cut.said
    assert " updated so far" in cut.said
    assert "Log in again, or choose another context, then apply again" in cut.said
    assert set(await asyncio.to_thread(desk.live)) <= await asyncio.to_thread(desk.inventory)
    as_admin(desk)
    await asyncio.to_thread(lease_ends, desk)
    done = await asyncio.to_thread(desk.apply)
    assert done.code == 0, done.said
    assert await asyncio.to_thread(desk.inventory) == set(await asyncio.to_thread(desk.live))


async def test_one_write_that_fails_is_named_and_the_next_apply_mends_it(desk: Desk) -> None:
    desk.write("specs/services/acme/s1.yaml", desk.read(S0).replace("name: s0", "name: s1"))
    async with fault_proxy(desk.cluster.url, desk.cluster.authority, desk.cluster.token) as proxy:
        proxy.fail(status(422, "Invalid", "forbidden meanwhile"), "PATCH", "deployments/s1", unless=DRY_RUN)
        failed = await through(desk, proxy, "apply", "--yes")
        assert failed.code == 3, failed.said
        assert "1 write failed (1 updated so far" in failed.err
        assert "deployments/s1" not in failed.err
        assert "acme/s1: 422 Invalid: forbidden meanwhile" in failed.err
        done = await through(desk, proxy, "apply", "--yes")
    assert done.code == 0, done.said
    assert "1 updated" in done.out


def test_without_preflight_a_fleet_is_written_unasked_and_a_refusal_is_found_on_the_way(tmp_path: Path, cluster: Cluster) -> None:
    desk = small_desk(tmp_path / "fleet", cluster, f"unasked-{os.getpid():x}")
    desk.write("fleet.yaml", desk.read("fleet.yaml").replace("name: test", "name: unasked", 1))
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"count/deployments.apps": "0"}}}
    done = desk.apply("--no-preflight")
    assert done.code == 0, done.said
    assert "preflight: " not in done.said
    assert "No changes" in desk.apply().said
    if desk.cluster.tier is not Tier.REAL:
        return
    desk.ask("POST", f"/api/v1/namespaces/{desk.namespace('acme')}/resourcequotas", quota)
    new = f"specs/services/acme/{NEW}.yaml"
    desk.write(new, desk.read(S0).replace("name: s0", f"name: {NEW}"))
    assert desk.apply().code == 1
    failed = desk.apply("--no-preflight")
    assert failed.code == 3, failed.said
    assert "exceeded quota" in failed.err
    assert "created so far" in failed.err
    desk.ask("DELETE", f"/api/v1/namespaces/{desk.namespace('acme')}/resourcequotas/none")
    assert desk.apply().code == 0


def test_an_account_without_rights_is_told_which_and_reads_all_the_same(desk: Desk) -> None:
    if desk.cluster.tier is not Tier.REAL:
        pytest.skip(f"no RBAC in {desk.cluster.tier}")
    before = desk.live()
    as_somebody(desk, account(desk, [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]))
    done = desk.apply()
    assert done.code == 1, done.said
    assert 'cannot patch resource "deployments"' in done.said
    assert "`fleet doctor` lists all that are missing" in done.said
    assert "create, patch, delete deployments.apps" in desk.fleet("doctor").out
    assert desk.live() == before
    desk.git("checkout", "-q", ".")
    unchanged = desk.apply()
    assert unchanged.code == 0, unchanged.said
    assert "No changes" in unchanged.said


def account(desk: Desk, rules: list[dict[str, Any]]) -> str:
    """The token of a new service account with these rights."""
    name, namespace = f"poor-{desk.prefix}", desk.namespace("acme")
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    desk.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    desk.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {**rbac, "kind": "ClusterRole", "rules": rules})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    binding = {**rbac, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]}
    desk.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    token: str = desk.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", {"spec": {}})["status"]["token"]
    return token


def test_a_stranger_is_left_alone_until_somebody_says_adopt(desk: Desk) -> None:
    desk.git("checkout", "-q", ".")
    desk.ask("DELETE", f"/api/v1/namespaces/{desk.namespace('acme')}/services/s0")
    port = {"name": "other", "port": 80, "protocol": "TCP"}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s0"}, "spec": {"ports": [port], "selector": {"theirs": "yes"}}}
    desk.ask("POST", f"/api/v1/namespaces/{desk.namespace('acme')}/services?fieldManager=helm", theirs)
    for how in ("--preflight", "--no-preflight"):
        refused = desk.apply(how)
        assert refused.code == 1, refused.said
        assert "it exists and is not ours; it is managed by helm" in refused.said
        assert "--adopt" in refused.said
    assert "taken over from helm" in desk.fleet("plan", "--adopt").out
    adopted = desk.apply("--adopt")
    assert adopted.code == 0, adopted.said
    assert "No changes" in desk.apply().said


def test_a_label_that_somebody_took_away_comes_back(desk: Desk) -> None:
    desk.git("checkout", "-q", ".")
    taken = {"metadata": {"labels": {"fleetwright.dev/environment": None}}}
    desk.ask("PATCH", desk.deployment("s1", "acme") + "?fieldManager=kubectl-label", taken, MERGE)
    assert desk.fleet("drift").code == 1
    done = desk.apply()
    assert done.code == 0, done.said
    assert "1 updated" in done.said
    assert desk.fleet("drift").code == 0


def test_a_namespace_that_is_going_away_is_waited_for_by_a_person(desk: Desk) -> None:
    if desk.cluster.tier is not Tier.REAL:
        pytest.skip(f"no admission in {desk.cluster.tier}")
    namespace = f"/api/v1/namespaces/{desk.namespace('acme')}"
    kept = {"metadata": {"name": "kept", "finalizers": ["test.example/hold"]}}
    desk.ask("POST", f"{namespace}/configmaps", kept)
    desk.ask("DELETE", namespace)
    refused = desk.apply()
    desk.ask("PATCH", f"{namespace}/configmaps/kept", {"metadata": {"finalizers": None}}, MERGE)
    assert refused.code == 1, refused.said
    assert "being terminated" in refused.said
    assert "then apply again" in refused.said
    codes = [desk.apply().code for _ in range(3)]
    assert codes[-1] == 0


def test_another_id_is_refused_by_every_command(desk: Desk) -> None:
    before = desk.live()
    desk.write("fleet.yaml", desk.read("fleet.yaml").replace(f"id: {desk.prefix}\n", "id: another\n"))
    for command in (("plan",), ("apply", "--yes", "--adopt"), ("drift",), ("status",)):
        done = desk.fleet(*command)
        assert done.code == 1, done.said
        assert "fleet.yaml:14:11: [ENV003]" in done.err
        assert f"write `id: {desk.prefix}` there" in done.err
    assert desk.fleet("plan", "--against", "HEAD").code == 1
    assert desk.live() == before


def lease(desk: Desk, **spec: object) -> None:
    """Somebody else's hold on the environment."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/fleetwright-system/leases/fleetwright-{desk.prefix}"
    desk.ask("PATCH", path, {"spec": spec}, MERGE)


def ago(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def lease_ends(desk: Desk) -> None:
    lease(desk, holderIdentity="", leaseDurationSeconds=15, renewTime=ago(60))


def test_a_writer_that_died_is_waited_for_and_one_that_lives_is_not_overruled(desk: Desk) -> None:
    lease(desk, holderIdentity="bob", leaseDurationSeconds=15, renewTime=ago(2))
    done = desk.apply()
    assert done.code == 0, done.said
    assert "bob holds the Lease; waiting up to 15 s" in done.err
    edited(desk, "two")
    lease(desk, holderIdentity="bob", leaseDurationSeconds=600, renewTime=ago(0))
    locked = desk.apply("--no-lease-wait")
    assert locked.code == 5, locked.said
    assert "Nothing was written" in locked.err
    waiting = subprocess.Popen(desk._command(("apply", "--yes")), cwd=desk.root, env=desk._env({}), stderr=subprocess.PIPE, text=True)
    assert waiting.stderr is not None
    while "waiting up to 15 s" not in (line := waiting.stderr.readline()):
        assert line
    waiting.send_signal(signal.SIGINT)
    said = waiting.stderr.read()
    waiting.stderr.close()
    assert waiting.wait(timeout=20) == 130
    assert "Stopped: interrupted (nothing was written)" in said
    lease_ends(desk)


def test_ctrl_c_at_the_question_ends_it(desk: Desk) -> None:
    before = desk.live()
    master, slave = pty.openpty()
    process = subprocess.Popen(
        desk._command(("apply",)),
        cwd=desk.root,
        env=desk._env({}),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen = b""
    while b"Apply this?" not in seen:
        seen += os.read(master, 1000)
    code = None
    while code is None:  # a signal just before the program begins to read a line is heard only with the next one
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout=5)
    assert code == 130
    seen += os.read(master, 1000)
    assert b"nothing was written" in seen
    assert desk.live() == before
    assert process.stdout is not None
    process.stdout.close()
    os.close(master)


def test_a_reader_that_is_gone_stops_no_apply(desk: Desk) -> None:
    process = subprocess.Popen(
        desk._command(("apply", "--yes")), cwd=desk.root, env=desk._env({}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert "VALUE" in json.dumps(desk.ask("GET", desk.deployment("s0", "acme")))


def test_an_inventory_and_a_lease_that_somebody_spoiled_are_no_tracebacks(desk: Desk) -> None:
    shards = f"/api/v1/namespaces/fleetwright-system/configmaps/inventory-{desk.prefix}-acme"
    desk.ask("PATCH", shards, {"metadata": {"annotations": {"fleetwright.dev/fence": "x", "fleetwright.dev/guards": "{"}}}, MERGE)
    lease(desk, holderIdentity="bob", renewTime=None, leaseTransitions=None)
    (desk.root / "specs/services/acme/s2.yaml").unlink()
    held = desk.apply()
    assert held.code == 3, held.said
    assert "--allow-delete=" in held.said


def test_no_secret_is_in_any_output_or_record(desk: Desk) -> None:
    edited(desk, "x")
    secret = "hunter2canary"
    desk.write(
        S0, desk.read(S0).replace('VALUE: "x"', f"DB_PASSWORD: {secret}, DB_URL: 'postgres://ana:{secret}@db/x', KEY: AKIACANARYCANARYCANA")
    )
    plan = desk.root / ".fleet" / "plan.json"
    said = [desk.fleet(*words).said for words in (("lint",), ("plan", "-v", "--out", str(plan)), ("plan", "-o", "markdown"), ("diff",))]
    said.append(desk.apply("-v").said)
    said.append(desk.fleet("history").said)
    kept = [file.read_bytes().decode(errors="replace") for file in (desk.root / ".fleet").rglob("*") if file.is_file()]
    assert len(kept) > 1
    token = desk.cluster.token
    for text in (*said, *kept):
        assert "canary" not in text.lower()
        assert token not in text
    assert secret in json.dumps(desk.ask("GET", desk.deployment("s0", "acme")))
