"""A place to build in: a registry, a tiny base in it, a builder with its own storage, and the layouts that come out."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.adapters.buildah import Buildah, Settings
from pipelines.adapters.desk import materialise
from pipelines.adapters.layouts import Layouts, Store
from pipelines.adapters.registry import KnownLogins, OciRegistry
from pipelines.adapters.registry import Settings as Registries
from pipelines.core.config import Image, documents, empty
from pipelines.model.context import ContextFile, ContextItem
from pipelines.model.oci import CONFIG, Descriptor, Pinned, Repository
from pipelines.ports import Made, Order, Push, Secret
from tests.engines.cache import EngineMissing
from tests.pipelines.layer.tars import Leaf, folder, link, tar

DATE = 1_700_000_000
TOOLS = ("setcap", "getcap")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=PATH)
    if not found:
        raise EngineMissing(f"there is no {name}: apt-get install {package}")
    return found


def said(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def require_root(what: str) -> None:
    if os.geteuid():
        raise EngineMissing(f"{what} needs root")


def libraries(programs: Sequence[str]) -> set[Path]:
    return {Path(word) for word in said("ldd", *programs).split() if word.startswith("/lib") and not word.endswith(":")}


def system() -> dict[str, Leaf]:
    """A root of busybox, and of this machine's tools for capabilities with their libraries."""
    busybox = program("busybox", "busybox-static")
    tools = [program(name, "libcap2-bin") for name in TOOLS]
    applets = said(busybox, "--list").split()
    found = {name: folder() for name in ("bin", "etc", "home", "root", "usr", "usr/share", "var", "var/log")}
    found |= {
        "tmp": folder(0o1777),
        "bin/busybox": Leaf(content=Path(busybox).read_bytes(), mode=0o755),
        "lib": link("usr/lib"),
        "lib64": link("usr/lib64"),
    }
    found |= {f"bin/{applet}": link("busybox") for applet in applets if applet != "busybox"}
    for path in [*libraries(tools), *map(Path, tools)]:
        at = str(path).lstrip("/")
        found["usr/" * (not at.startswith("usr/")) + at] = Leaf(content=path.read_bytes(), mode=0o755)
    found |= {
        "etc/passwd": Leaf(content=b"root:x:0:0::/root:/bin/sh\n"),
        "usr/share/old/a": Leaf(content=b"a"),
        "usr/share/old/b": Leaf(content=b"b"),
    }
    return found | {"etc/version": Leaf(content=b"1\n"), "usr/share/kept": Leaf(content=b"kept", mode=0o640), "etc/gone": Leaf()}


@dataclass
class Yard:
    """Everything that a build needs. `base` is what Dockerfiles name as `FROM {base}`."""

    root: Path
    host: str
    registry: OciRegistry = field(init=False)
    layouts: Layouts = field(init=False)
    builder: Buildah = field(init=False)
    base: Pinned = field(init=False)
    layers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.registry = OciRegistry(Registries(KnownLogins({})))
        self.layouts = Layouts(Store(self.root / "cache"), self.registry)
        self.builder = self.new_builder("buildah")

    def new_builder(self, name: str, driver: str = "") -> Buildah:
        return Buildah(Settings(self.root / name, os.environ, driver=driver))

    async def begin(self) -> None:
        folder_ = self.root / "base"
        folder_.mkdir()
        (folder_ / "changes.tar").write_bytes(tar(system()))
        image = await self.layouts.extend(
            empty("linux/amd64"), None, Made(folder_ / "changes.tar", {"Env": [f"PATH={PATH}"], "Cmd": ["sh"]}), DATE
        )
        self.base = await self.push(image, "base")
        self.layers = image.config.diff_ids

    async def end(self) -> None:
        await self.builder.close()
        await self.registry.close()

    async def push(self, image: Image, name: str) -> Pinned:
        repository = Repository(self.host, name)
        found = documents(image)
        config = Descriptor(CONFIG, found.config.digest, len(found.config.body))
        for blob in (config, *image.manifest.layers):
            await self.registry.push_blob(repository, Push(blob, lambda blob=blob: self.layouts.blob(blob)))
        await self.registry.push_manifest(repository, found.manifest.digest, found.manifest)
        return Pinned(repository, found.manifest.digest)

    def order(self, dockerfile: str, files: dict[str, ContextItem] | None = None, **more: object) -> Order:
        context = self.root / "context"
        materialise(files or {"f": ContextFile(b"file\n")}, context, DATE)
        text = dockerfile.replace("{base}", str(self.base))
        return Order("trial", context, text, self.base, "linux/amd64", source_date=DATE, layers=self.layers, **more)

    def secret(self, name: str, value: str) -> Secret:
        (self.root / name).write_text(value)
        return Secret(name, self.root / name)

    async def image(self, order: Order, builder: Buildah | None = None, lines: list[str] | None = None) -> Image:
        made = await (builder or self.builder).build(order, self.root / "made", (lines if lines is not None else []).append)
        parent = await self.layouts.parent(self.base, "linux/amd64")
        return await self.layouts.extend(parent, self.base.repository, made, DATE)

    async def layout(self, image: Image) -> Path:
        await self.layouts.write(image, self.base.repository, self.root / "layout")
        return self.root / "layout"


def mounts(below: Path) -> list[str]:
    """What is mounted below a folder, for everybody on this machine."""
    return [
        line
        for line in Path("/proc/1/mountinfo").read_text().splitlines() + Path("/proc/self/mountinfo").read_text().splitlines()
        if f" {below}" in line
    ]


def running(marker: str) -> list[str]:
    """The processes of this machine that have the marker in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in process.read_bytes().decode(errors="replace"):
                found.append(process.parent.name)
        except OSError:
            continue
    return found
