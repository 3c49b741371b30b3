"""The fleet of this repository in a corner of a cluster, applied by the operator's account as the loop does it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from reconciler.adapters.cluster.addresses import object_path
from reconciler.adapters.cluster.credentials import Token
from reconciler.adapters.cluster.kubeconfig import Access
from reconciler.core.home import OPERATOR
from reconciler.core.installation import Part, installation
from reconciler.core.plan import Revision
from reconciler.core.world import Options
from reconciler.flow.apply import Settings, apply
from reconciler.flow.equality import Equality
from reconciler.flow.fan import Stop
from reconciler.flow.planning import Planned, make_plan
from reconciler.kinds import KINDS
from reconciler.model.manifests import ENVIRONMENT_LABEL, MANAGER, SHAPES, ObjectId, Observed, identify
from reconciler.model.result import Result
from reconciler.ports import Cluster
from tests.engines.client import Api
from tests.engines.cluster import Cluster as Server
from tests.fleets import Repo
from tests.flow.conftest import Heard
from tests.operator.accounts import TOKENS, account, config
from tests.operator.resources import ROOT, served

_TARGET = "      target: {kubernetes: {kubeconfig: .fleet/trial/kubeconfig, simulated: true}}\n"


@cache
def reference(prefix: str) -> Repo:
    """The repository's own fleet, its trial with an id and namespaces that nobody else has."""
    paths = [ROOT / "fleet.yaml", *ROOT.glob("specs/**/*.yaml"), *(path for path in ROOT.glob("policies/**/*") if path.is_file())]
    files = {str(path.relative_to(ROOT)): path.read_text() for path in paths}
    fleet = files["fleet.yaml"].replace("metadata: {name: reference}", f"metadata: {{name: {prefix}}}")
    assert fleet.count(_TARGET) == 1
    files["fleet.yaml"] = fleet.replace(_TARGET, f"      id: {prefix}\n      namespacePrefix: {prefix}-\n{_TARGET}")
    return Repo(files)


def small(prefix: str, services: int = 2) -> Repo:
    """A small fleet with an id and namespaces that nobody else has."""
    repo = Repo.small(services)
    fleet = repo.files["fleet.yaml"].replace("metadata: {name: test}", f"metadata: {{name: {prefix}}}")
    here = f"      id: {prefix}\n      namespacePrefix: {prefix}-\n      target: {{memory: {{}}}}\n"
    return Repo({**repo.files, "fleet.yaml": fleet.replace("      target: {memory: {}}\n", here)})


class Wall:
    """Time as it is."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - a server's clock is the wall's

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Writer:
    """One who applies to a cluster, by name."""

    cluster: Cluster
    holder: str = "operator"
    equality: Equality = field(default_factory=Equality)
    heard: Heard = field(default_factory=Heard)
    stop: Stop = field(default_factory=Stop)
    clock: Wall = field(default_factory=Wall)

    async def plan(self, repo: Repo, **options: object) -> Planned:
        graph = repo.graph()
        return await make_plan(self.cluster, graph, KINDS, Revision(repo.revision), Options(**options), self.equality)

    async def apply(self, repo: Repo, **options: object) -> Result:
        return await self.carry_out(await self.plan(repo, **options))

    async def carry_out(self, planned: Planned) -> Result:
        settings = Settings(self.holder, planned.plan.revision, wave_seconds=120)
        return await apply(planned, self.cluster, self.clock, self.heard, self.stop, settings)

    async def live(self, environment: str) -> dict[ObjectId, Observed]:
        found = await self.cluster.list({ENVIRONMENT_LABEL: environment}, SHAPES)
        return {one.id: one for one in found if one.id.namespace != "fleetwright-system"}


async def token(api: Api, name: str) -> str:
    """A token of an account of the system namespace."""
    got = await api.ask("POST", f"{TOKENS}/{name}/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    assert got.status == 201, got.body
    return str(got.body["status"]["token"])


def access(server: Server, token: str) -> Access:
    """Access to a server by a token."""
    return Access("kubernetes, the operator", server.url, Token(token), authority=server.authority.read_text())


async def install(api: Api) -> None:
    """Installs definitions and rights, and waits until the server has taken them up."""
    for body in installation(KINDS, None, [Part.CRDS, Part.RBAC]):
        got = await api.apply(object_path(identify(body)), dict(body), manager=MANAGER, query="&force=true&fieldValidation=Strict")
        assert got.status in (200, 201), got.body["message"]
    for kind in KINDS:
        await served(api, kind)
    async with account(api, OPERATOR) as operator, asyncio.timeout(30):
        while "own namespaces only" not in (await operator.apply(config("default"), query="&dryRun=All")).body.get("message", ""):
            await asyncio.sleep(0.1)
