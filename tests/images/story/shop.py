"""A small fleet that builds: a base from a registry with a dpkg list, two images on it, a service; and everything real around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.core.locking import read_lock
from reconciler.model.lock import Lock
from tests.engines import trivy_db
from tests.engines.trivy_db import Advisory
from tests.fleets import API, PACK, service, tenant

ROOT = Path(__file__).resolve().parents[3]
STATUS = "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.14-1~deb12u1\nMaintainer: x\nDescription: x\n"
ENTRY = '#!/bin/sh\nexec "$@"\n'


def now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


def fleet(host: str) -> str:
    return f"""\
{API}
kind: Fleet
metadata: {{name: shop}}
spec:
  defaultEnvironment: trial
  policy: default
  registry: {host}/shop
  machines: {{mainpc: {{memory: 64Gi}}}}
  hardware: {{cpu-small: {{cpu: 100m, memory: 128Mi}}}}
  tiers: {{team: {{}}}}
  waves: {{0: first}}
  builder: {{engine: buildah}}
  environments:
    trial:
      target: {{memory: {{}}}}
"""


def image(name: str, start: str, extra: str = "") -> str:
    return f"{API}\nkind: Image\nmetadata: {{name: {name}}}\nspec:\n  from: {start}\n  context: images/{name}\n{extra}"


def files(host: str, base: str) -> dict[str, str]:
    """The repository: path -> text."""
    return {
        "fleet.yaml": fleet(host),
        ".gitignore": "/.fleet/\n",
        "specs/policy-packs/default.yaml": PACK,
        "specs/tenants/acme.yaml": tenant("acme"),
        "specs/services/acme/web.yaml": service("web"),
        "specs/images/system.yaml": image("system", f"{{registry: {base}}}", "  smoke: [cat, /etc/system]\n"),
        "specs/images/app.yaml": image("app", "{image: system}"),
        "specs/images/side.yaml": image("side", "{image: system}"),
        "images/system/Dockerfile": (
            f"FROM {base}\nCOPY entry /entry\nCOPY status /var/lib/dpkg/status\nCOPY os-release /etc/os-release\nCOPY debian_version /etc/debian_version\n"
            'RUN chmod 755 /entry && echo system > /etc/system\nUSER 1000:1000\nENTRYPOINT ["/entry"]\nCMD ["/bin/sh"]\n'
        ),
        "images/system/entry": ENTRY,
        "images/system/status": STATUS,
        "images/system/debian_version": "12.13\n",
        "images/system/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "images/app/Dockerfile": "FROM system\nUSER 0:0\nCOPY app /srv/app\nUSER 1000:1000\n",
        "images/app/app": "first\n",
        "images/side/Dockerfile": "FROM system\nUSER 0:0\nRUN echo side > /etc/side\nUSER 1000:1000\n",
    }


@dataclass
class Shop:
    """A clone of it, and how its commands are run."""

    root: Path
    state: Path
    host: str
    trivy: Path
    path: str = "shop"
    """Of its repositories in the registry."""

    @classmethod
    def opened(cls, folder: Path, host: str, base: str, trivy: Path, blobs: Path) -> Shop:
        shop = cls(folder / "repo", blobs, host, trivy)
        for path, text in files(host, base).items():
            shop.write(path, text)
        shop.git("init", "-q", "-b", "main")
        shop.commit("the shop")
        shop.vulnerable()
        return shop

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=ana", "-c", "user.email=ana@fleet.example", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def vulnerable(self, *advisories: Advisory, updated: datetime | None = None) -> None:
        """From now on the database says this, and nothing else."""
        trivy_db.write(self.root.parent / "trivy", advisories, updated or now())

    def fleet(self, *arguments: str, **env: str) -> Done:
        here = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FLEET_BLOBS": str(self.state),
            "FLEET_TRIVY": str(self.trivy),
            "FLEET_TRIVY_DATABASE": str(self.root.parent / "trivy"),
            "FLEET_LEDGER": f"sqlite:///{self.root.parent / 'ledger.db'}",
            **env,
        }
        command = [sys.executable, "-P", "-m", "pipelines", *arguments]
        done = subprocess.run(command, cwd=self.root, env=here, capture_output=True, text=True, timeout=300, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def build(self, *names: str, code: int = 0, **env: str) -> dict[str, dict[str, Any]]:
        """Builds; what came of each image."""
        done = self.fleet("images", "build", *names, "-o", "json", **env)
        assert done.code == code, f"exit {done.code}: {done.out}{done.err}"
        return {one["image"]: one for one in json.loads(done.out)}

    @property
    def lock(self) -> Lock:
        file = self.root / "fleet.lock"
        lock, findings = read_lock("fleet.lock", file.read_bytes()) if file.exists() else (Lock(), ())
        assert not findings, findings
        return lock

    def inspected(self, name: str, digest: str) -> dict[str, Any]:
        """A manifest or an index, as skopeo gets it."""
        at = f"docker://{self.host}/{self.path}/{name}@{digest}"
        done = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", at], capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def tags(self, name: str) -> set[str]:
        """Tags of an image's repository, without the lists of what is attached."""
        done = subprocess.run(
            ["skopeo", "list-tags", "--tls-verify=false", f"docker://{self.host}/{self.path}/{name}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return {tag for tag in json.loads(done.stdout)["Tags"] if not tag.startswith("sha256-")} if done.returncode == 0 else set()


def outcomes(built: dict[str, dict[str, Any]]) -> dict[str, str]:
    """By image, what came of it in a word."""
    return {name: one["outcome"] for name, one in built.items()}
