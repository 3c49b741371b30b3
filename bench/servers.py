"""API servers to measure against: a fresh one each time, with what it did while something ran."""

import base64
import json
import re
import ssl
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.processes import cpu_of
from tests.engines import cluster

DAEMONS = ("etcd", "apiserver", "shadow")
_OWN_LEASES = re.compile(r"^/registry/(leases/kube-system|masterleases|peerserverleases)/")
"""What a server writes by itself, every ten seconds."""
_REQUESTS = re.compile(r'^apiserver_request_total\{.*?verb="([A-Z]+)".*\} (\S+)$', re.MULTILINE)


class Moment(NamedTuple):
    """A server at one time: CPU seconds so far, etcd's revision, requests by verb."""

    cpu: float
    revision: int
    requests: dict[str, int]


class Server(NamedTuple):
    """A running cluster."""

    cluster: cluster.Cluster

    @property
    def tier(self) -> str:
        return f"{self.cluster.tier} {self.cluster.version}".strip()

    @property
    def kubeconfig(self) -> Path:
        return self.cluster.kubeconfig

    def moment(self) -> Moment:
        pids = [pid for name in DAEMONS if (pid := self.cluster.daemon(name).pid())]
        return Moment(sum(map(cpu_of, pids)), self.cluster.revision(), self._requests())

    def written(self, since: Moment) -> list[str]:
        """Keys of etcd that changed since, without the server's own leases; deleted ones are not seen."""
        return [key for key, _ in self._changed(since.revision) if not _OWN_LEASES.match(key)]

    def _changed(self, since: int) -> list[tuple[str, int]]:
        """Keys that changed after this revision, each with the revision of its last change."""
        everything = base64.b64encode(b"\0").decode()
        question = {"key": everything, "range_end": everything, "min_mod_revision": since + 1, "keys_only": True}
        request = urllib.request.Request(f"{self.cluster.etcd_url}/v3/kv/range", data=json.dumps(question).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return [(base64.b64decode(one["key"]).decode(), int(one["mod_revision"])) for one in found.get("kvs", ())]

    def revision_of_last(self, since: int, without: re.Pattern[str]) -> int:
        """etcd's revision of the newest write since then whose key is none of those, nor a lease of the server's own; 0 where there is none."""
        found = [(revision, key) for key, revision in self._changed(since) if not (_OWN_LEASES.match(key) or without.search(key))]
        return max(found)[0] if found else 0

    def _requests(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for verb, count in _REQUESTS.findall(self.get("/metrics")):
            found[verb] = found.get(verb, 0) + int(float(count))
        return found

    def get(self, path: str) -> str:
        return self.ask("GET", path)

    def ask(self, method: str, path: str) -> str:
        """One request as the administrator."""
        request = urllib.request.Request(self.cluster.url + path, headers={"Authorization": f"Bearer {self.cluster.token}"}, method=method)
        context = ssl.create_default_context(cafile=str(self.cluster.authority))
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.read().decode()


@contextmanager
def fresh() -> Iterator[Server]:
    """A new cluster of the best tier that is to be had, without a player of stages: nothing waits for health here."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        state = Path(folder) / "cluster"
        started = cluster.up(state, stages=False, tied=True)
        try:
            yield Server(started)
        finally:
            cluster.down(state)
