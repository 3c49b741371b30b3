"""The operator, as the process that people run: it follows a repository of its own, and is timed from outside, from a push to the last write."""

import hashlib
import hmac
import re
import secrets
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import drift, fleets, pace, servers
from bench.processes import FLEET, Failed, Running
from reconciler.flow.operator.leader import SETTLE
from tests.engines.cluster import free_ports

SAMPLES = 200
"""Drifts."""
QUIET = 2.5
"""Seconds without a write after which it is done; ten thousand services take longer to look at."""
PATIENCE = 2_400.0
_PULSE = 0.1
_BUSY = 10
"""Writes in half a second that are more than Leases and a journal. While there are so many it has not come to rest, and looking which they are
would cost the machine that is measured as much as several of them."""
_ASIDE = re.compile(r"^/registry/(leases/|events/|configmaps/fleetwright-system/operator-)")
"""What is no part of the work: Leases, events for people, the operator's journal, which is written once a second at most."""
_CHILD = re.compile(r"^/registry/(leases/|events/|fleetwright\.dev/|configmaps/fleetwright-system/)")
_NOT_DEPLOYMENT = re.compile(r"^(?!/registry/deployments/)")
_SUCCESS = re.compile(r"^fleetwright_last_success_age_seconds (\S+)$", re.MULTILINE)


class Done(NamedTuple):
    """From a push to the last write: seconds, seconds until the last write of a child, CPU seconds of operator and server, MiB at most."""

    wall: float
    children: float
    cpu: float
    own: float
    """CPU seconds of the operator alone."""
    rss: float
    speed: float
    """Of the machine meanwhile."""


class Idle(NamedTuple):
    """One pass that has nothing to do, the git fetch beside it, without the wait that collects wakes: seconds, the operator's CPU seconds."""

    wall: float
    cpu: float
    speed: float


class Operated(NamedTuple):
    """One life of an operator. Times in seconds, memory in MiB."""

    nothing: Done
    noop: Idle
    steady: float
    """Memory once everything is applied and a pass had nothing to do."""
    drift: list[float]
    image: Done
    rollback: float
    peak: float
    """Memory at most, in all of this."""


def operated(folder: Path, services: int, say: Callable[[str], None], before: Callable[[str], None]) -> Operated:
    """From a fleet of images alone to all services, again, drift, a new image on all, one held back. `before` is called before the phases."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with servers.fresh() as server, _following(folder, services, server) as site:
        say("operator: a commit of everything")
        fleets.write(site.work, fleets.files(fleets.Size(services), 1))
        before("nothing")
        nothing = site.pushed("Everything")
        before("noop")
        noop = site.idle()
        say(f"operator: {SAMPLES} drifts")
        steady = site.program.memory("VmRSS")
        repairs = drift.repairs(server, services, SAMPLES)
        site.quiet(server.moment().revision)
        say("operator: a new image on everything")
        fleets.write(site.work, {"fleet.lock": fleets.lock(2)})
        before("image")
        image = site.pushed("Build 2")
        rollback = site.rolled_back(services)
        site.idle()
        return Operated(nothing, noop, steady, repairs, image, rollback, site.program.memory("VmHWM"))


class _Site:
    """A repository, an operator that follows it, and a server."""

    def __init__(self, work: Path, program: Running, server: servers.Server, url: str, secret: str, services: int) -> None:
        self.work, self.program, self.server, self._url, self._secret = work, program, server, url, secret
        self._still = QUIET * max(1.0, services / 2_000)

    def pushed(self, message: str) -> Done:
        """Commits and pushes all that was edited; from then to the last write."""
        before, own = self.server.moment(), self.program.cpu
        with _Pulse(self.server) as pulse:
            began = self._push(message)
            self.quiet(before.revision, _ASIDE, least=before.revision + 1)
            used, own = self.server.moment().cpu - before.cpu, self.program.cpu - own
        ended = pulse.when(self.server.revision_of_last(before.revision, _ASIDE))
        children = pulse.when(self.server.revision_of_last(before.revision, _CHILD)) - began
        return Done(ended - began, children, used + own, own, self.program.memory("VmHWM"), pace.speed(began, ended))

    def rolled_back(self, services: int) -> float:
        """Seconds from a push that holds one service to its Deployment's write."""
        path = next(path for path in fleets.files(fleets.Size(services), 1) if path.endswith(f"/{fleets.service_name(services // 2)}.yaml"))
        text = (self.work / path).read_text()
        tag = re.findall(r"tag: (\S+),", fleets.lock(2))[1]
        fleets.write(self.work, {path: text + f"  forceImageTag: {{tag: {tag}, reason: it was better}}\n"})
        before = self.server.moment()
        with _Pulse(self.server) as pulse:
            began = self._push("Back")
            self.quiet(before.revision, _NOT_DEPLOYMENT, least=before.revision + 1)
        return pulse.when(self.server.revision_of_last(before.revision, _NOT_DEPLOYMENT)) - began

    def idle(self) -> Idle:
        """A pass that has nothing to do. Raises Failed where it wrote something."""
        self.quiet(self.server.moment().revision)
        before, own = self.server.moment(), self.program.cpu
        began = time.monotonic()
        self._wake()
        time.sleep(QUIET)
        deadline = time.monotonic() + PATIENCE
        while (ended := self._succeeded()) < began:
            self.program.check()
            if time.monotonic() > deadline:
                raise Failed(f"a pass with nothing to do did not end: {self.program.log.read_text()[-2000:]}")
            time.sleep(QUIET)
        changed = [key for key in self.server.written(before) if not _ASIDE.match(key) or "operator-" in key]
        if changed:
            raise Failed(f"a pass with nothing to do wrote {changed[:3]}")
        return Idle(ended - began - SETTLE, self.program.cpu - own, pace.speed(began, ended))

    def quiet(self, since: int, without: re.Pattern[str] = _ASIDE, least: int = 0) -> None:
        """Until nothing was written for a while; `least` is a revision that must have been written first."""
        deadline, last, still, head = time.monotonic() + PATIENCE, since, time.monotonic(), since
        while time.monotonic() - still < self._still or last < least:
            self.program.check()
            if time.monotonic() > deadline:
                raise Failed(f"it never came to rest: {self.program.log.read_text()[-2000:]}")
            before, head = head, self.server.cluster.revision()
            now = head if head - before > _BUSY else self.server.revision_of_last(last, without) or last
            if now != last:
                last, still = now, time.monotonic()
            time.sleep(0.5)

    def _push(self, message: str) -> float:
        """When the push began."""
        _git(self.work, "add", "-A")
        _git(self.work, "commit", "-q", "-m", message)
        began = time.monotonic()
        _git(self.work, "push", "-q", "origin", "main")
        self._wake()
        return began

    def _wake(self) -> None:
        """As GitHub's webhook does."""
        body = secrets.token_hex(8).join('""').encode()  # no two pushes are the same
        mark = "sha256=" + hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-Hub-Signature-256": mark,
            "X-GitHub-Delivery": secrets.token_hex(8),
        }
        request = urllib.request.Request(self._url + "/hooks/github", data=body, headers=headers, method="POST")
        urllib.request.urlopen(request, timeout=30).close()

    def _succeeded(self) -> float:
        """When a pass last ended with all as desired."""
        with urllib.request.urlopen(self._url + "/metrics", timeout=30) as answer:
            now, text = time.monotonic(), answer.read().decode()
        found = _SUCCESS.search(text)
        return now - float(found[1]) if found else float("-inf")


class _Pulse:
    """Notes when etcd reached which revision."""

    def __init__(self, server: servers.Server) -> None:
        self._server = server
        self._seen: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def when(self, revision: int) -> float:
        """When it was first seen to be written."""
        if not revision:
            raise Failed("nothing was written")
        found = next((at for at, seen in self._seen if seen >= revision), None)
        if found is None:
            raise Failed("it went on writing after it had seemed to rest")
        return found

    def _run(self) -> None:
        while not self._over.wait(_PULSE):
            self._seen.append((time.monotonic(), self._server.cluster.revision()))


@contextmanager
def _following(folder: Path, services: int, server: servers.Server) -> Iterator[_Site]:
    """An operator that has applied a fleet without services, at rest."""
    work, bare, state = folder / "work", folder / "bare.git", folder / "state"
    everything = fleets.files(fleets.Size(services), 1)
    work.mkdir()
    fleets.write(work, {path: text for path, text in everything.items() if not path.startswith(("specs/services/", "specs/tenants/"))})
    _git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    _git(work, "init", "-q", "-b", "main")
    _git(work, "remote", "add", "origin", str(bare))
    _git(work, "add", "-A")
    _git(work, "commit", "-q", "-m", "Images")
    _git(work, "push", "-q", "origin", "main")
    (folder / fleets.KUBECONFIG).parent.mkdir(parents=True)
    shutil.copy(server.kubeconfig, folder / fleets.KUBECONFIG)
    secret = secrets.token_hex(16)
    (folder / "hooks").mkdir()
    (folder / "hooks" / "github").write_text(secret)
    port = free_ports(("operator",))["operator"]
    command = (*FLEET, "operator", "run", "--env", "trial", "--git", f"file://{bare}", "--trial-git", "--state", str(state),
               "--listen", f"127.0.0.1:{port}", "--hook-secrets", str(folder / "hooks"))  # fmt: skip
    with Running(command, folder) as program:
        site = _Site(work, program, server, f"http://127.0.0.1:{port}", secret, services)
        _await_ready(site)
        site.quiet(0)
        yield site


def _await_ready(site: _Site) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        site.program.check()
        try:
            if site._succeeded() > 0:  # noqa: SLF001
                return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise Failed(f"the operator did not begin: {site.program.log.read_text()[-2000:]}")


def _git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(("git", *identity, *arguments), cwd=root, check=True, stdout=subprocess.DEVNULL)
