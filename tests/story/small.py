"""A small fleet at a desk: three services of one tenant, applied through whatever kubeconfig a test writes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engines.cluster import Cluster
from tests.fleets import FLEET, Repo, service
from tests.story.desk import Desk

S0 = "specs/services/acme/s0.yaml"


def small_desk(root: Path, cluster: Cluster, prefix: str) -> Desk:
    """The repository, committed; its kubeconfig is `kubeconfig` beside it, to begin with that of the cluster."""
    root.mkdir()
    config = root.parent / "kubeconfig"
    config.write_text(cluster.kubeconfig.read_text())
    here = (
        f"      id: {prefix}\n      namespacePrefix: {prefix}-\n      target: {{kubernetes: {{kubeconfig: {config}, simulated: true}}}}\n"
    )
    files = {**Repo.small().files, "fleet.yaml": FLEET.replace("      target: {memory: {}}\n", here), ".gitignore": "/.fleet/\n"}
    desk = Desk(root, cluster, prefix)
    for path, text in files.items():
        desk.write(path, text)
    desk.git("init", "-q", "-b", "main")
    desk.commit("a small fleet")
    return desk


def edited(desk: Desk, value: str) -> None:
    """Something to apply: another environment variable of `s0`."""
    desk.write(S0, service("s0", extra=f"  env: {{VALUE: {json.dumps(value)}}}\n"))


def as_somebody(desk: Desk, token: str) -> None:
    """Another account from now on."""
    document = json.loads(desk.cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    (desk.root.parent / "kubeconfig").write_text(json.dumps(document))


def as_admin(desk: Desk) -> None:
    """The account of the cluster again."""
    (desk.root.parent / "kubeconfig").write_text(desk.cluster.kubeconfig.read_text())
