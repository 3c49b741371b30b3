"""A repository in a folder and a registry in memory, for commands that look after images."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from click.testing import Result

from pipelines.adapters.memory import MemoryRegistry
from pipelines.adapters.memory import Shelf as Repositories
from pipelines.core.attestation import verdict_statement
from pipelines.core.manifest import encode
from pipelines.core.provenance import Dependency, Provenance, provenance_statement
from pipelines.core.tally import digest_of
from pipelines.flow.build.papers import put, sbom, statement
from pipelines.model.oci import CONFIG, LAYER, Descriptor, ImageManifest, Pinned, Repository
from pipelines.model.trust import PROVENANCE, VERDICT
from pipelines.shell import equipment
from reconciler.core.locking import read_lock, write_lock
from reconciler.core.trees import EXECUTABLE
from reconciler.model.lock import Build, Builds, Lock
from tests.pipelines.build.hierarchy import FILES, SPECS
from tests.pipelines.signing.scene import NOW, SBOM, verdict
from tests.shell.fleet_commands import fleet

T = TypeVar("T")
HOST = "registry.example"
DAY = date(2026, 11, 20)


def waited(work: Coroutine[Any, Any, T]) -> T:
    """The result of asynchronous work, from a test that is not: commands have a loop of their own."""
    return asyncio.run(work)


@dataclass
class Scene:
    """A repository at `root`, its lock, and a registry that commands find in place of the world's."""

    root: Path
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)

    def fleet(self, *words: object, **environ: str | None) -> Result:
        """Run a command here."""
        return fleet(*words, cwd=self.root, **environ)

    def images(self, *words: object, **environ: str | None) -> Result:
        """Run a command of the images here."""
        return self.fleet("images", *words, **environ)

    def write(self, path: str, text: str | bytes) -> None:
        """A file of the repository."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def git(self, *words: str) -> str:
        """Run git here."""
        who = ("-c", "user.name=Ana", "-c", "user.email=ana@fleet.example")
        return subprocess.run(["git", *who, *words], cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str = "change") -> str:
        """Commit all there is."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD").strip()

    def lock(self, path: str = "fleet.lock") -> Lock:
        """The lock as it stands."""
        lock, findings = read_lock(path, (self.root / path).read_bytes())
        assert findings == ()
        return lock

    def locked(self, **images: tuple[Build, ...]) -> None:
        """Write a lock of these builds, the first one of each being current."""
        self.write("fleet.lock", write_lock(Lock({name: Builds(builds[0], builds) for name, builds in images.items()})))

    def shelf(self, name: str, base: str = "acme") -> Repositories:
        """A repository of the registry."""
        return self.registry.shelves.setdefault(Repository(HOST, f"{base}/{name}"), Repositories())

    def pushed(self, name: str, word: str, tag: str = "", base: str = "acme", platform: str = "amd64") -> Pinned:
        """An image in the registry, a different one for each word."""
        shelf = self.shelf(name, base)
        config = orjson.dumps(
            {
                "architecture": platform,
                "os": "linux",
                "config": {"Labels": {"word": word}},
                "rootfs": {"diff_ids": [digest_of(word.encode())]},
            }
        )
        layer = word.encode()
        shelf.blobs |= {digest_of(config): config, digest_of(layer): layer}
        parts = Descriptor(CONFIG, digest_of(config), len(config)), (Descriptor(LAYER, digest_of(layer), len(layer)),)
        document = encode(ImageManifest(*parts))
        shelf.manifests[document.digest] = document
        if tag:
            shelf.tags[tag] = document.digest
        return Pinned(Repository(HOST, f"{base}/{name}"), document.digest)

    def built(self, name: str, word: str, tag: str, built: date = DAY, **over: object) -> Build:
        """An image as a build leaves it: with SBOM, provenance and verdict; and its entry for the lock."""
        image = self.pushed(name, word, tag)
        said = provenance_statement(image, provenance(name))
        judged = verdict_statement(image, digest_of(SBOM), verdict(**over), digest_of(said))
        waited(put(self.registry, image, [sbom(SBOM), statement(said, PROVENANCE), statement(judged, VERDICT)]))
        return Build(image.digest, tag, digest_of(f"key {word}".encode()), built, digest_of(judged), digest_of(SBOM))


def provenance(name: str) -> Provenance:
    """Where an image comes from."""
    return Provenance(
        image=name,
        spec=f"specs/images/{name}.yaml",
        key=digest_of(b"key"),
        platform="linux/amd64",
        args={},
        builder="https://ci.example/acme/fleet/images.yml",
        engine="buildah 1.28",
        run="https://ci.example/runs/7",
        started=NOW,
        finished=NOW,
        dependencies=(Dependency("source", "git+https://git.example/acme/fleet", "gitCommit:" + "5f140c9" * 5 + "5f140"),),
    )


def bad(build: Build) -> Build:
    """A build that somebody marked."""
    return replace(build, bad=True)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A repository with a small hierarchy of images, committed."""
    here = Scene(tmp_path / "repo")
    monkeypatch.setattr(equipment, "registry", lambda: here.registry)
    for path, text in SPECS.items():
        here.write(path, text)
    for path, packed in FILES.items():
        here.write(path, packed.data)
        (here.root / path).chmod(0o755 if packed.mode == EXECUTABLE else 0o644)
    here.git("init", "-q", "-b", "main")
    here.commit("begin")
    return here
