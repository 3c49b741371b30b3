"""A workshop without machines: a builder, a scanner and Debian roots in memory, a registry in memory, and the real store and layouts."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePath

import orjson

from pipelines.adapters.desk import WorkDesk
from pipelines.adapters.layouts import Layouts, Store
from pipelines.adapters.memory import MemoryRegistry
from pipelines.core.config import documents, empty
from pipelines.core.label import entry
from pipelines.core.manifest import encode
from pipelines.core.policies import policies, smokes
from pipelines.core.targets import lineage, targets
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.build.together import Done, Together
from pipelines.flow.publish import Package, publish
from pipelines.model.debian import Package as Debian
from pipelines.model.debian import Resolved, Selection
from pipelines.model.oci import Descriptor, ImageIndex, Pinned
from pipelines.model.outcome import Outcome, Passed
from pipelines.model.recipe import SOURCE_DATE
from pipelines.model.reference import parse_reference
from pipelines.ports import BuildFailed, Log, Made, Order, Registry, ScanReport
from pipelines.shell.matter import mentions
from reconciler.core.relock import note_base
from reconciler.model.canonical import dumps
from reconciler.model.graph import Graph
from reconciler.model.lock import Build, Builds, Lock
from reconciler.ports import Packed
from tests.fleets import Repo
from tests.pipelines.build.hierarchy import BASE, FILES, SPECS, seen

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REVISION = "c0ffee1" + "0" * 33
BOTH = ("linux/amd64", "linux/arm64")


class MemoryBuilder:
    """Makes one file of an order: what it was built of. `breaks` names images whose build fails."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.breaks: set[tuple[str, str]] = set()

    async def build(self, order: Order, into: PurePath, log: Log) -> Made:
        self.orders.append(order)
        if (order.name, order.platform) in self.breaks:
            raise BuildFailed(f"{order.name} failed at step 2/2 (RUN false)", "see the end of its log", log="boom")
        assert str(order.parent) in order.dockerfile
        if order.parent_layout:
            assert (Path(order.parent_layout) / "oci-layout").is_file()
        digest = sha256(order.dockerfile.encode() + order.platform.encode())
        for path in sorted(Path(order.context).rglob("*")):
            digest.update(path.read_bytes() if path.is_file() else b"")
        log(f"built {order.name}")
        return tar_of(Path(into), {f"srv/{order.name}": digest.hexdigest().encode()})

    async def run(self, layout: PurePath, command: tuple[str, ...], log: Log) -> None:
        log(" ".join(command))

    async def close(self) -> None:
        pass


def tar_of(into: Path, files: Mapping[str, bytes]) -> Made:
    into.mkdir(parents=True, exist_ok=True)
    with tarfile.open(into / "changes.tar", "w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return Made(into / "changes.tar", {"User": "1000"})


class MemoryScanner:
    """Finds one package an architecture in everything; `bad` is what it knows against them, by architecture."""

    def __init__(self) -> None:
        self.bad: dict[str, str] = {}
        self.scans = 0

    async def inventory(self, layout: PurePath) -> bytes:
        blobs = Path(layout) / "blobs/sha256"
        manifest = orjson.loads((Path(layout) / "index.json").read_bytes())["manifests"][0]["digest"]
        config = orjson.loads((blobs / manifest[7:]).read_bytes())["config"]["digest"]
        machine = orjson.loads((blobs / config[7:]).read_bytes())["architecture"]
        packages = [("libc6", f"pkg:deb/debian/libc6@2.36?arch={machine}"), ("app", "pkg:pypi/app@1")]
        components = [{"bom-ref": name, "type": "library", "name": name, "version": "1", "purl": purl} for name, purl in packages]
        return dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components})

    async def scan(self, layout: PurePath) -> ScanReport:
        return await self.rescan(await self.inventory(layout))

    async def rescan(self, sbom: bytes) -> ScanReport:
        self.scans += 1
        found = []
        for one in orjson.loads(sbom)["components"]:
            machine = re.search(r"arch=(\w+)", one["purl"])
            if machine and machine[1] in self.bad:
                found.append(
                    {"VulnerabilityID": self.bad[machine[1]], "PkgName": one["name"], "InstalledVersion": "1", "Severity": "CRITICAL"}
                )
        report = {"SchemaVersion": 2, "Results": [{"Vulnerabilities": found}]}
        return ScanReport(dumps(report), "trivy 0.76.0", "2026-11-21T06:00:00Z")


class MemoryBases:
    """Roots whose packages are what was asked for."""

    def __init__(self) -> None:
        self.day = "1"
        self.asked: list[str] = []

    async def resolve(self, selection: Selection) -> Resolved:
        self.asked.append(selection.architecture)
        return resolved(selection, self.day)

    async def build(self, resolved: Resolved, into: PurePath, source_date: int, log: Log) -> Made:
        return tar_of(Path(into), {"etc/debian_version": resolved.digest.encode()})


def resolved(selection: Selection, day: str) -> Resolved:
    return Resolved(selection, (Debian("base-files", day, sha256(f"{selection} {day}".encode()).hexdigest(), selection.architecture),))


async def publish_base(registry: Registry, folder: Path, name: str, *platforms: str) -> None:
    """An image that says for which platform it is, and an index of it for all of them, in any registry."""
    reference = parse_reference(name)
    layouts = Layouts(Store(folder / "upstream"), registry)
    found = []
    for platform in platforms:
        made = tar_of(folder / "base" / platform.replace("/", "-"), {"etc/arch": platform.encode()})
        image = await layouts.extend(empty(platform), None, made, SOURCE_DATE)
        document = documents(image).manifest
        await publish(registry, Package(document, layouts.blob), reference.repository)
        found.append(Descriptor(document.media_type, document.digest, len(document.body), platform=platform))
    await registry.push_manifest(reference.repository, reference.wanted, encode(ImageIndex(tuple(found))))


class Ears:
    """Hears all that a build says."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, str]] = []

    def phase(self, image: str, phase: str) -> None:
        self.phases.append((image, phase))

    def line(self, image: str, text: str) -> None:
        pass

    def done(self, image: str, outcome: Outcome) -> None:
        self.phases.append((image, type(outcome).__name__))


class Trusting:
    """Bills that takes any document for CycloneDX; the real one is another suite's."""

    def license(self, text: str) -> Mapping[str, object]:
        return {"license": {"name": text}}

    def check(self, bom: bytes) -> None:
        assert orjson.loads(bom)["bomFormat"] == "CycloneDX"


@dataclass
class Workshop:
    """All that builds need, and the hierarchy that they build."""

    root: Path
    specs: dict[str, str] = field(default_factory=lambda: dict(SPECS))
    files: dict[str, Packed] = field(default_factory=lambda: dict(FILES))
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.registry = MemoryRegistry()
        self.builder, self.scanner, self.bases, self.ears = MemoryBuilder(), MemoryScanner(), MemoryBases(), Ears()

    @property
    def graph(self) -> Graph:
        return Repo(dict(self.specs)).graph()

    def for_platforms(self, *platforms: str) -> None:
        """All images are for these, by the fleet's default."""
        self.specs["fleet.yaml"] += f"  builder: {{platforms: [{', '.join(platforms)}]}}\n"

    async def upstream(self, *platforms: str) -> None:
        """The image that the hierarchy starts from, as somebody else published it."""
        await publish_base(self.registry, self.root, BASE, *platforms or ("linux/amd64",))

    def outfit(self, registry: Registry | None = None, store: Path | None = None) -> Outfit:
        used = registry or self.registry
        layouts = Layouts(Store(store or self.root / "store"), used)
        desk = WorkDesk(self.root / "desk")
        return Outfit(used, self.builder, self.scanner, layouts, self.bases, Trusting(), desk, self.ears, lambda: NOW)

    def wish(self, *names: str, **over: object) -> Wish:
        graph = self.graph
        every = targets(graph)
        asked = frozenset(above.name for name in names or [one.name for one in every] for above in lineage(every, name))
        wish = Wish(
            every, asked, seen(every, self.files), policies(graph, every, lambda _: None), smokes(graph, every), self.lock, "registry.test/acme",
            "registry.test/acme/cache", REVISION, "urn:machine:test", "memory", "urn:run:1", mentions,
        )  # fmt: skip
        return replace(wish, **over)  # type: ignore[arg-type]

    async def build(self, *names: str, registry: Registry | None = None, **over: object) -> Done:
        return await Together(self.outfit(registry), self.wish(*names, **over)).build()

    def locked(self, done: Done) -> None:
        """The lock as a command would write it."""
        lock = self.lock
        for name, digest in done.bases.items():
            lock = note_base(lock, name, digest, NOW.date())
        for name, one in done.outcomes.items():
            if isinstance(one, Passed):
                build: Build = entry(lock, name, one, REVISION, NOW.date())
                lock = replace(lock, images={**lock.images, name: Builds(build, (build,))})
        self.lock = lock

    def at(self, name: str, digest: str) -> Pinned:
        return Pinned(self.wish().repository(name), digest)
