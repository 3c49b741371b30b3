"""An operator as it is deployed: the real process, by its own account's token, following a repository that people push to."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from reconciler.core.home import OPERATOR
from reconciler.kinds import KINDS
from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.spec import API_VERSION
from tests.engines.binaries import Tier
from tests.engines.cluster import free_ports, kubeconfig
from tests.story.desk import Desk

T = TypeVar("T")
SECONDS = 90.0
SECRET = "a secret of webhooks"
PLURALS = {kind.name: kind.plural for kind in KINDS}


@dataclass
class Operated:
    """A desk whose `origin` an operator follows."""

    desk: Desk
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    @classmethod
    def set_up(cls, desk: Desk, folder: Path) -> Operated:
        """A served repository, the definitions and rights, and an account's token in a kubeconfig of its own."""
        folder.mkdir()
        desk.git("clone", "-q", "--bare", str(desk.root), str(folder / "upstream.git"))
        desk.git("remote", "add", "origin", str(folder / "upstream.git"))
        desk.git("push", "-q", "--set-upstream", "origin", "main")
        done = desk.fleet("operator", "install", "--env", "trial", "--yes")
        assert done.code == 0, done.said
        (folder / "hooks").mkdir()
        (folder / "hooks" / "github").write_text(SECRET)
        site = cls(desk, folder)
        site.log_in()
        return site

    def log_in(self) -> None:
        """Credentials of the operator's account; where nobody knows rights, the administrator's."""
        server = self.desk.cluster
        if server.tier is Tier.REAL:
            path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{OPERATOR}/token"
            asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            token = self.desk.ask("POST", path, asked)["status"]["token"]
        else:
            token = server.token
        file = self.folder / "root" / ".fleet" / "trial" / "kubeconfig"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(kubeconfig(server.url, server.authority, token))

    def start(self) -> int:
        """One more operator; its number."""
        number = len(self.processes)
        port = free_ports(("operator",))["operator"]
        command = [sys.executable, "-m", "pipelines", "operator", "run", "--env", "trial", "--trial-git", "--logs", "json"]
        command += [
            "--git",
            f"file://{self.folder}/upstream.git",
            "--listen",
            f"127.0.0.1:{port}",
            "--hook-secrets",
            str(self.folder / "hooks"),
        ]
        command += ["--repo", str(self.folder / "root"), "--state", str(self.folder / f"state{number}")]
        with self.log(number).open("ab") as log:
            self.processes.append(
                subprocess.Popen(command, env=self.desk._env({"POD_NAME": f"operator{number}"}), cwd=self.folder, stdout=log, stderr=log)
            )
        self.ports.append(port)
        return number

    def log(self, number: int) -> Path:
        return self.folder / f"operator{number}.log"

    def logs(self) -> str:
        return "\n".join(self.log(number).read_text() for number in range(len(self.processes)))

    def get(self, path: str, number: int = 0) -> tuple[int, str]:
        """What its port answers; 0 where nobody does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[number]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def push(self, message: str) -> str:
        """Commits everything, pushes, and tells the operator as GitHub would; the commit."""
        self.desk.commit(message)
        self.desk.git("push", "-q")
        commit = self.desk.git("rev-parse", "HEAD").strip()
        self.poke(commit)
        return commit

    def poke(self, what: str) -> None:
        body = json.dumps({"ref": "refs/heads/main", "after": what}).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": str(uuid.uuid4())}
        for port, process in zip(self.ports, self.processes, strict=True):
            if process.poll() is None:
                url = f"http://127.0.0.1:{port}/hooks/github"
                request = urllib.request.Request(url, body, {**headers, "X-Hub-Signature-256": f"sha256={signature}"})
                urllib.request.urlopen(request, timeout=10).close()

    def runs(self) -> dict[str, Any]:
        done = self.desk.fleet("runs", "--env", "trial", "-o", "json")
        assert done.code == 0, done.said
        value: dict[str, Any] = json.loads(done.out)
        return value

    def applied(self, commit: str) -> dict[str, Any]:
        """Waits until a run of a commit has ended; the run."""
        return self.until(lambda: next((run for run in self.runs()["runs"] if run["revision"] == commit and run["ended"]), None))

    def resource(self, kind: str, name: str, tenant: str = "agents") -> dict[str, Any] | None:
        """A custom resource, as `kubectl get` would have it."""
        place = f"/namespaces/{self.desk.namespace(tenant)}" if tenant else ""
        listed = self.desk.ask("GET", f"/apis/{API_VERSION}{place}/{PLURALS[kind]}?fieldSelector=metadata.name={name}")
        items: list[dict[str, Any]] = listed["items"]
        return items[0] if items else None

    def condition(self, kind: str, name: str, type: str, tenant: str = "agents") -> dict[str, Any]:
        found = self.resource(kind, name, tenant)
        conditions = (found or {}).get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == type), {})

    def until(self, what: Callable[[], T], seconds: float = SECONDS) -> T:
        """Waits until something is true; what it is."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, self.logs()[-4000:]
            time.sleep(0.2)
        return found

    def end(self, number: int, how: signal.Signals = signal.SIGTERM) -> int:
        process = self.processes[number]
        if process.poll() is None:
            os.kill(process.pid, how)
        return process.wait(timeout=60)

    def end_all(self) -> None:
        for number, process in enumerate(self.processes):
            if process.poll() is None:
                self.end(number)
