"""A corner of a real API server behind a proxy that breaks what it is told to, and operators there, as a library or as processes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.adapters.cluster import KubernetesCluster, Pace, connect
from reconciler.core.plan import Revision
from reconciler.core.projecting import projection
from reconciler.core.world import Options
from reconciler.flow.bookkeeping import is_settled
from reconciler.flow.equality import Equality
from reconciler.flow.fan import Stop
from reconciler.flow.operator.desire import Lasting, desire
from reconciler.flow.operator.operator import Operator
from reconciler.flow.operator.state import Outfit
from reconciler.flow.planning import make_plan
from reconciler.kinds import KINDS
from reconciler.model.manifests import ObjectId
from reconciler.model.plan import Block
from reconciler.model.projection import READY, Standing
from reconciler.ports import EventKind
from tests.adapters.faults import FaultProxy, fault_proxy
from tests.engines.cluster import ROOT
from tests.engines.cluster import Cluster as Server
from tests.faults.place import SPECIFIED, Killed
from tests.fleets import TODAY, Repo
from tests.flow.operator.conftest import Ears, Forgetful, Shelf
from tests.operator.corner import Wall, small

PACE = Pace(patience=6, first=0.02, longest=0.3, connect=3, answer=3, silence=3)
"""Sooner than in production, so that tests need not be patient, either."""
SYNC = "      sync: {guards: {percent: 100, services: 100}, interval: 3s}\n"


def fleet(prefix: str) -> Repo:
    """A small fleet that looks around often, and whose guards hold little. Nothing in it has a name that another corner uses."""
    files = small(prefix).files
    here = f"      id: {prefix}\n"
    files["fleet.yaml"] = files["fleet.yaml"].replace(here, here + SYNC).replace("policy: default", f"policy: {prefix}")
    files["fleet.yaml"] = files["fleet.yaml"].replace(f"      namespacePrefix: {prefix}-\n", "")
    own = {
        "name: acme": f"name: {prefix}-acme",
        "name: app": f"name: {prefix}-app",
        "image: app": f"image: {prefix}-app",
        "name: default": f"name: {prefix}",
    }
    named = {"images/app": f"images/{prefix}-app", "tenants/acme": f"tenants/{prefix}-acme", "services/acme": f"services/{prefix}-acme"}
    named |= {"policy-packs/default": f"policy-packs/{prefix}"}
    return Repo({_renamed(path, named): _renamed(text, own) if path != "fleet.yaml" else text for path, text in files.items()})


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def edited(repo: Repo) -> Repo:
    """The next commit: one service is new, one is another, one is gone."""
    first = next(path for path in repo.files if path.endswith("/s0.yaml"))
    text = repo.files[first]
    new, last = (first.replace("/s0.", f"/{name}.") for name in ("new", "s1"))
    return repo.having(first, text + "  env: {A: b}\n").having(new, text.replace("name: s0", "name: new")).without([last])


@dataclass
class Corner:
    """One environment on the server. `direct` leads past the proxy, for whoever looks."""

    proxy: FaultProxy
    prefix: str
    shelf: Shelf
    direct: KubernetesCluster
    folder: Path
    ears: Ears = field(default_factory=Ears)
    ledger: Any = field(default_factory=Forgetful)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    @contextlib.asynccontextmanager
    async def running(self, holder: str = "operator one") -> AsyncIterator[Operator]:
        """An operator in this process, behind the proxy, that is shown custom resources by a watch, as Kopf does it."""
        config = self.proxy.kubeconfig(self.folder / f"kubeconfig-{next(self.numbers)}")
        cluster = connect({}, config, pace=PACE)
        outfit = Outfit(
            environment="test",
            holder=holder,
            kinds=KINDS,
            upstream=self.shelf,
            connect=lambda _: cluster,
            clock=Wall(),
            progress=self.ears,
            listener=self.ears,
            ledger=self.ledger,
            new_id=lambda: f"run{next(self.numbers)}",
            monotonic=time.monotonic,
        )
        operator, stop = Operator(outfit), Stop()
        tasks = [asyncio.create_task(operator.run(stop)), asyncio.create_task(_shows(cluster, operator))]
        try:
            yield operator
            assert not tasks[0].done(), tasks[0]
        finally:
            tasks[1].cancel()
            stop.set("the test is over")
            await asyncio.gather(*tasks, return_exceptions=True)
            await cluster.close()

    def push(self, repo: Repo, operator: Operator | None = None) -> None:
        self.shelf.push(repo)
        if operator is not None:
            operator.wake("webhook")

    # ------------------------------------------------------------------ the oracle

    async def wrong(self) -> list[str]:
        """Everything that is not as the newest commit says, by the server's own word."""
        want = desire(self.shelf, self.shelf.head.revision, "test", KINDS, TODAY, Lasting())
        planned = await make_plan(self.direct, want.graph, KINDS, Revision(want.revision), Options(), Equality(), rendered=want.manifests)
        found = [str(step) for step in planned.plan.steps if not isinstance(step, Block)][:3]
        if not found and not is_settled(planned):
            found.append("the inventory is not what a finished run leaves")
        found += [f"{id} is awaited for ever" for id, entry in planned.world.inventory.entries.items() if entry.awaited]
        asked = projection(want.graph, KINDS)
        there = {one.id: one for one in await self.direct.list({"fleetwright.dev/environment": self.prefix}, SPECIFIED)}
        for id in asked.ids.keys() - there.keys():
            found.append(f"{id} has no custom resource")
        for id, live in there.items():
            standing = Standing.model_validate(live.body.get("status") or {})
            ready = {one.type: one for one in standing.conditions}.get(READY)
            if id not in asked.ids:
                found.append(f"{id} is a custom resource that git does not have")
            elif ready is None or ready.status != "True" or standing.observed_generation != live.body["metadata"]["generation"]:
                found.append(f"{id} is {ready}")
        return found

    async def begun(self, seconds: float = 90) -> None:
        """Waits until nothing is wrong."""
        end = time.monotonic() + seconds
        while wrong := await self.wrong():
            assert time.monotonic() < end, f"{wrong}; said {self.ears.said[-3:]}"
            await asyncio.sleep(0.2)

    async def converged(self, seconds: float = 90) -> None:
        """Waits until nothing is wrong; then nothing is written for a while."""
        await self.begun(seconds)
        await self.silent()

    async def silent(self, seconds: float = 4.0, tries: int = 6) -> None:
        """So many seconds without a write but Leases and the journal, which says every second what has happened before."""
        for _ in range(tries):
            before = len(self.writes())
            await asyncio.sleep(seconds)
            if len(self.writes()) == before:
                return
        raise AssertionError(f"writes go on: {self.writes()[-8:]}")

    def writes(self) -> list[str]:
        """Writes that reached the proxy."""
        return [
            line
            for line in self.proxy.seen
            if not line.startswith(("GET ", "WATCH ")) and "dryRun=All" not in line and "/leases" not in line and "/operator-" not in line
        ]

    def deployment(self, name: str) -> ObjectId:
        return ObjectId("apps", "Deployment", f"{self.prefix}-acme", name)

    # ------------------------------------------------------------------ processes

    def repository(self) -> Path:
        """The shelf's head as a git repository, with a target that leads through the proxy."""
        place = self.folder / "fleet"
        config = self.proxy.kubeconfig(self.folder / "kubeconfig-process")
        repo = self.shelf.head
        target = f"      target: {{kubernetes: {{kubeconfig: {config}, simulated: true}}}}\n"
        files = {**repo.files, "fleet.yaml": repo.files["fleet.yaml"].replace("      target: {memory: {}}\n", target)}
        subprocess.run(["git", "init", "-q", "-b", "main", place], check=True)
        self.commit(place, files)
        return place

    def commit(self, place: Path, files: dict[str, str]) -> str:
        for path in place.glob("specs/**/*.yaml"):
            path.unlink()
        for path, text in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text)
        subprocess.run(["git", "-C", place, "add", "-A"], check=True)
        who = ["-c", "user.name=ana", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", place, *who, "commit", "-qm", "next"], check=True)
        found = subprocess.run(["git", "-C", place, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        return found.stdout.strip()

    def process(self, repository: Path, name: str) -> subprocess.Popen[bytes]:
        """`fleet operator run`, in a folder of its own."""
        state = self.folder / name
        state.mkdir()
        code = "import sys; from pipelines.main import main; sys.exit(main())"
        words = ["operator", "run", "--env", "test", "--git", repository.as_uri(), "--trial-git", "--state", str(state)]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", code, *words, "--listen", "127.0.0.1:0", "--logs", "text"],
                cwd=state,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), "POD_NAME": name},
                start_new_session=True,
            )


async def _shows(cluster: KubernetesCluster, operator: Operator) -> None:
    while True:
        with contextlib.suppress(Exception):
            async for event in cluster.watch({}, SPECIFIED):
                if event.observed is not None:
                    operator.projected(event.observed, event.kind is EventKind.GONE)
        await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def corner(server: Server, prefix: str, folder: Path, repo: Repo | None = None) -> AsyncIterator[Corner]:
    """A corner, and nothing of it left behind but its bookkeeping."""
    folder.mkdir(parents=True, exist_ok=True)
    async with fault_proxy(server.url, server.authority, server.token) as proxy:
        direct = connect({}, str(server.kubeconfig))
        found = Corner(proxy, prefix, Shelf(repo or fleet(prefix)), direct, folder)
        try:
            yield found
        finally:
            proxy.heal()
            with contextlib.suppress(Exception):
                for name in (f"{prefix}-acme", f"{prefix}-zeta"):
                    space = await direct.read(ObjectId("", "Namespace", "", name))
                    if space is not None:
                        await direct.delete(space)
                for one in await direct.list({"fleetwright.dev/environment": prefix}, SPECIFIED):
                    await direct.delete(one)
            await direct.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process of ours by its id, stopped or not."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.kill()
    process.wait()


async def until(true: Callable[[], Awaitable[Any]], seconds: float = 60) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.1)


__all__ = ["Corner", "Killed", "corner", "edited", "end", "fleet", "until"]
