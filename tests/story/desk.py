"""A platform engineer's desk: a clone of the reference fleet, the `fleet` command, and a cluster to apply it to."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.model.manifests import SHAPES
from tests.engines.client import MERGE, connect
from tests.engines.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
DECLARED = ("fleet.yaml", "specs", "policies", "images")


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass
class Desk:
    """A clone with its own corner of a cluster: an environment id and a prefix of namespaces that no other test has."""

    root: Path
    cluster: Cluster
    prefix: str
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def set_up(cls, root: Path, cluster: Cluster, prefix: str) -> Desk:
        """The reference fleet in a repository of its own, its trial pointed at this cluster."""
        root.mkdir()
        for name in DECLARED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name)
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, root / name)
        fleet = (root / "fleet.yaml").read_text()
        here = f"      id: {prefix}\n      namespacePrefix: {prefix}-\n      target: {{kubernetes: {{kubeconfig: {cluster.kubeconfig}, simulated: true}}}}\n"
        before = "      target: {kubernetes: {kubeconfig: .fleet/trial/kubeconfig, simulated: true}}\n"
        assert fleet.count(before) == 1
        named = fleet.replace("metadata: {name: reference}", f"metadata: {{name: {prefix}}}")  # its target remembers the id of each fleet
        (root / "fleet.yaml").write_text(named.replace(before, here))
        (root / ".gitignore").write_text("/.fleet/\n")
        desk = cls(root, cluster, prefix)
        desk.git("init", "-q", "-b", "main")
        desk.commit("the reference fleet")
        return desk

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=ana", "-c", "user.email=ana@fleet.example", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def fleet(self, *arguments: str, **env: str) -> Done:
        """Runs `fleet` as a person would, without a terminal."""
        done = subprocess.run(self._command(arguments), cwd=self.root, env=self._env(env), capture_output=True, text=True, timeout=300)
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def apply(self, *arguments: str) -> Done:
        return self.fleet("apply", "--yes", *arguments)

    def killed(self, after: float, how: signal.Signals, *arguments: str) -> int:
        """An apply that gets a signal after so many seconds, if it is still there; its exit code."""
        process = subprocess.Popen(
            self._command(("apply", "--yes", *arguments)),
            cwd=self.root,
            env=self._env({}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(after)
        process.send_signal(how)
        return process.wait(timeout=60)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def plan(self, *arguments: str) -> dict[str, Any]:
        """The plan as JSON."""
        done = self.fleet("plan", "-o", "json", *arguments)
        assert done.out, done.err
        value: dict[str, Any] = json.loads(done.out)
        return value

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """One request to the API server, past the fleet: what a person does with kubectl."""

        async def once() -> Any:
            async with connect(self.cluster.kubeconfig) as api:
                answer = await api.ask(method, path, body, kind)
                assert answer.status < 400, answer.body
                return answer.body

        return asyncio.run(once())

    def deployment(self, name: str, tenant: str = "agents") -> str:
        """The path of a service's Deployment."""
        return f"/apis/apps/v1/namespaces/{self.namespace(tenant)}/deployments/{name}"

    def stage(self, name: str, stage: str | None, tenant: str = "agents") -> None:
        """Sets what becomes of a workload."""
        annotations = {"stages.fleetwright.dev/stage": stage}
        self.ask(
            "PATCH", self.deployment(name, tenant) + "?fieldManager=kubectl-annotate", {"metadata": {"annotations": annotations}}, MERGE
        )

    def live(self) -> dict[str, str]:
        """Every object of this environment: what it is -> its resourceVersion."""
        found = {}
        for (group, kind), shape in SHAPES.items():
            base = f"/apis/{group}/{shape.version}" if group else f"/api/{shape.version}"
            listed = self.ask("GET", f"{base}/{shape.plural}?labelSelector=fleetwright.dev/environment={self.prefix}")
            for item in listed["items"]:
                metadata = item["metadata"]
                if metadata.get("namespace") == "fleetwright-system":
                    continue
                if kind == "ResourceQuota":  # its status is counted by the server, whoever writes
                    metadata["resourceVersion"] = metadata["uid"]
                found[f"{kind}/{metadata.get('namespace', '')}/{metadata['name']}"] = metadata["resourceVersion"]
        return found

    def inventory(self) -> set[str]:
        """What the inventory says is there."""
        listed = self.ask(
            "GET", f"/api/v1/namespaces/fleetwright-system/configmaps?labelSelector=fleetwright.dev/environment={self.prefix}"
        )
        found = set()
        for shard in listed["items"]:
            for kind, lines in shard["data"].items():
                for line in lines.splitlines():
                    namespace, _, name = line.split(" ")[0].rpartition("/")
                    found.add(f"{kind.partition('.')[0]}/{namespace}/{name}")
        return found

    def namespace(self, tenant: str) -> str:
        return f"{self.prefix}-{tenant}"

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "pipelines", *arguments]

    def _env(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLEET_", "FORCE_", "GITHUB_", "KUBE"))}
        who = {
            "GIT_AUTHOR_NAME": "ana",
            "GIT_AUTHOR_EMAIL": "ana@fleet.example",
            "GIT_COMMITTER_NAME": "ana",
            "GIT_COMMITTER_EMAIL": "ana@fleet.example",
        }
        return {**kept, **who, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **self.env, **more}
