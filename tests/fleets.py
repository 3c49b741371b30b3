"""Small fleets as text, for tests: what a source holds, with edits as new values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from reconciler.core.environment import environment
from reconciler.core.locking import read_lock
from reconciler.core.resolve import resolve
from reconciler.core.understand import Understanding, understand
from reconciler.kinds import KINDS
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding
from reconciler.model.graph import Graph
from reconciler.model.lock import Lock

TODAY = date(2026, 11, 21)
API = "apiVersion: fleetwright.dev/v1alpha1"

FLEET = f"""\
{API}
kind: Fleet
metadata: {{name: test}}
spec:
  defaultEnvironment: test
  policy: default
  registry: registry.example/acme
  machines: {{mainpc: {{memory: 64Gi}}}}
  hardware: {{cpu-small: {{cpu: 100m, memory: 128Mi}}}}
  tiers: {{team: {{}}}}
  waves: {{0: first, 10: second, 20: third}}
  environments:
    test:
      target: {{memory: {{}}}}
      unlocked: tag
"""


def service(name: str, wave: int = 0, extra: str = "") -> str:
    """A service that runs the image `app`."""
    return f"""\
{API}
kind: Service
metadata: {{name: {name}}}
spec:
  image: app
  machine: mainpc
  hardware: cpu-small
  wave: {wave}
  ports: {{http: 8080}}
  health: {{http: /healthz, port: http}}
{extra}"""


def tenant(name: str, extra: str = "  state: active\n") -> str:
    """A tenant of the tier `team`."""
    return f"{API}\nkind: Tenant\nmetadata: {{name: {name}}}\nspec:\n  tier: team\n{extra}"


PACK = f"{API}\nkind: PolicyPack\nmetadata: {{name: default}}\nspec:\n  version: '1.0'\n"
IMAGE = f"{API}\nkind: Image\nmetadata: {{name: app}}\nspec:\n  from: {{registry: registry.example/app@sha256:{'a' * 64}}}\n"


def digest(letter: str) -> str:
    """A digest that a person can tell from another."""
    return "sha256:" + letter * 64


def lock(current: str, *builds: tuple[str, str]) -> str:
    """A lock of the image `app`: builds as (digest letter, tag), newest first."""
    lines = "".join(f'      "{digest(letter)}": {{tag: {tag}, key: "{digest("0")}", built: 2026-11-20}}\n' for letter, tag in builds)
    return f'lockVersion: 1\nimages:\n  app:\n    current: "{digest(current)}"\n    builds:\n{lines}'


@dataclass(frozen=True)
class Repo:
    """The files of a source at one revision."""

    files: dict[str, str]
    revision: str = "c0ffee1"

    @classmethod
    def small(cls, services: int = 3, wave: int = 0) -> Repo:
        """One tenant with so many services `s0`, `s1`, ..."""
        files = {
            "fleet.yaml": FLEET,
            "specs/images/app.yaml": IMAGE,
            "specs/tenants/acme.yaml": tenant("acme"),
            "specs/policy-packs/default.yaml": PACK,
        }
        return cls({**files, **{f"specs/services/acme/s{number}.yaml": service(f"s{number}", wave) for number in range(services)}})

    def having(self, path: str, text: str) -> Repo:
        """With one file added or replaced, as the next commit."""
        return replace(self, files={**self.files, path: text}, revision=f"{int(self.revision, 16) + 1:07x}")

    def without(self, paths: Iterable[str]) -> Repo:
        """With files removed, as the next commit."""
        gone = set(paths)
        left = {path: text for path, text in self.files.items() if path not in gone}
        return replace(self, files=left, revision=f"{int(self.revision, 16) + 1:07x}")

    def understood(self) -> Understanding:
        """What it declares."""
        return understand(SourceTree(self.revision, False, {path: text.encode() for path, text in self.files.items()}), KINDS)

    def graph(self, name: str | None = None, today: date = TODAY) -> Graph:
        """Its graph in an environment."""
        read = self.understood()
        found = environment(read.fleet, name)
        assert not isinstance(found, Finding), found
        text = self.files.get("fleet.lock")
        locked, wrong = read_lock("fleet.lock", text.encode()) if text else (Lock(), ())
        assert not wrong, wrong
        return resolve(read.fleet, KINDS, read.linking, found, locked, read.tree, today, findings=read.findings)
