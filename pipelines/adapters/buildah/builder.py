"""Builds an order by `buildah build`, and takes the one new layer out of its storage without copying the ones below."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

from pipelines.adapters.buildah.dockerfile import STEP, Redactor, hosts, registries
from pipelines.adapters.buildah.settings import Settings
from pipelines.adapters.buildah.storage import Storage
from pipelines.adapters.processes import Finished, enclosed, ran
from pipelines.core.dated import EPOCH, dated
from pipelines.core.layer.compress import GZIP, ZSTD, Plain
from pipelines.core.layer.entries import LayerRefused
from pipelines.ports import BuildFailed, Log, Made, Order

CHUNK = 1 << 20
PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")
OUT = "layout"
"""Where buildah commits to, in its working directory: a layout folder and not its storage, of which it would have to be copied again, and removed."""


class Buildah:
    """The port `Builder` by buildah. Any number of builds at once, in any number of processes, over one storage.

    What a step prints in its last moment can be missing from a log: with chroot isolation buildah does not wait for its own relays to pass it on.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._storage = Storage(settings)
        self._storing = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._chores: set[asyncio.Task[Any]] = set()

    async def begin(self) -> None:
        """Have it found out whether buildah works here while the first order is written. What is wrong is for whoever builds."""
        self._chore(self._looked())
        await asyncio.sleep(0)  # or its programs would start only when something is waited for

    async def build(self, order: Order, into: PurePath, log: Log) -> Made:
        """Build; `into` gets `changes.tar`. Raises BuilderMissing, BuildFailed with the step and the last lines."""
        async with self._begun() as work:
            secrets = [await asyncio.to_thread(Path(secret.file).read_bytes) for secret in order.secrets]
            (work / "ignored").touch()
            (work / "registries.conf").write_text(registries(hosts(order.dockerfile), self._settings.plain))
            parent, *loaded = await self._loaded(order, work)
            text = order.dockerfile.replace(str(order.parent), parent) if order.parent else order.dockerfile
            (work / "Dockerfile").write_text(dated(text).text)
            self._storage.builds_upon(PINNED.findall(text))
            try:
                return await self._built(order, work, Path(into), log, Redactor(secrets))
            finally:
                if loaded:
                    self._later(["rmi", *loaded])

    async def run(self, layout: PurePath, command: tuple[str, ...], log: Log) -> None:
        """Run a command in an image, with loopback as its only network. Raises BuildFailed unless it exits with 0."""
        async with self._begun() as work:
            lines: list[str] = []
            (work / "registries.conf").write_text(registries((), ()))
            start = f"oci:{linked(work, layout)}"
            async with self._storing:
                done = await self._buildah(work, ["from", "--quiet", "--pull-never", *self._policy(work), start], lines.append)
            if done.status:
                raise BuildFailed(f"buildah cannot read the image that was put together: {done.log}", log=done.log)
            container = lines[-1]
            image = await self._told(work, ["inspect", "--format", "{{.FromImageID}}", container])
            limited = [*self._isolation(), container, "--", *command]
            try:
                done = await self._buildah(work, ["run", *limited], log, network=False)
            finally:
                self._later(["rm", container], ["rmi", image])
            if done.status:
                shown = " ".join(command)
                raise BuildFailed(f"the smoke command failed with status {done.status}: {shown}", "see the end of its log", log=done.log)

    async def close(self) -> None:
        """End the builds that still run."""
        for task in [*self._running]:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for name in self._storage.unused():
            self._later(["rmi", name])
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self._storage.settled()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Path]:
        """A scratch folder in a storage that is ready. Whatever goes wrong, what was begun in the storage is removed."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            async with self._storage.used(), scratch(self._settings.root / "tmp") as work:
                yield work
        finally:
            self._running.discard(task)

    async def _buildah(self, work: Path, arguments: list[str], log: Log, *, network: bool = True) -> Finished:
        command = enclosed([*self._storage.command(), "--registries-conf", str(work / "registries.conf"), *arguments], network=network)
        return await ran(command, self._settings.variables(), log, work)

    def _later(self, *commands: list[str]) -> None:
        """Tidy up beside what comes next; `close` waits for it."""
        self._storage.owe()
        self._chore(self._tidied(commands))

    def _chore(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _looked(self) -> None:
        with suppress(BuildFailed):
            await self._storage.ready()

    async def _tidied(self, commands: tuple[list[str], ...]) -> None:
        for arguments in commands:
            async with self._storing:  # a layer that goes while an image of it comes would be missed
                await self._storage.run(*arguments)

    async def _told(self, work: Path, arguments: list[str]) -> str:
        lines: list[str] = []
        done = await self._buildah(work, arguments, lines.append)
        if done.status:
            raise BuildFailed(f"buildah {arguments[0]} failed: {done.log}", log=done.log)
        return "\n".join(lines)

    def _policy(self, work: Path) -> list[str]:
        """Every image is named by digest, so nothing else has to vouch for it; the machine's own policy may be missing."""
        policy = work / "policy.json"
        policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
        return ["--signature-policy", str(policy)]

    def _isolation(self) -> list[str]:
        return ["--isolation", self._settings.isolation]

    def _command(self, order: Order, work: Path) -> list[str]:
        limits = {"nofile": (resource.RLIMIT_NOFILE, self._settings.files), "nproc": (resource.RLIMIT_NPROC, self._settings.processes)}
        options = ["build", "--layers=false", "--force-rm", "--pull=false", "--format=oci", "--identity-label=false", *self._policy(work)]
        options += ["--tag", f"oci:{OUT}:new", "--disable-compression"]
        options += [*self._isolation(), "--platform", order.platform, "--file", str(work / "Dockerfile")]
        options += ["--ignorefile", str(work / "ignored")]  # the context holds what counts; a .dockerignore in it is a file like any other
        for name, (which, most) in limits.items():
            hard = resource.getrlimit(which)[1]
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            options += ["--ulimit", f"{name}={limit}:{limit}"]
        for name, value in sorted({**order.args, EPOCH: str(order.source_date)}.items()):
            options += ["--build-arg", f"{name}={value}"]
        for secret in order.secrets:
            options += ["--secret", f"id={secret.id},src={secret.file}"]
        if self._settings.authfile:
            options += ["--authfile", str(self._settings.authfile)]
        return [*options, str(order.context)]

    async def _loaded(self, order: Order, work: Path) -> tuple[str, ...]:
        """What buildah calls the parent: its name in the registry, or the id of what was read from a folder, and the name to give up later."""
        if order.parent_layout is None:
            return (str(order.parent or ""),)
        name = linked(work, order.parent_layout)
        said = await self._told(work, ["pull", "--quiet", *self._policy(work), f"oci:{name}"])
        return said.splitlines()[-1], f"localhost/{name}"

    async def _built(self, order: Order, work: Path, into: Path, log: Log, redact: Redactor) -> Made:
        """The new layer and the settings. buildah skips layers that the layout has already, so it is given empty files for those below."""
        blobs = work / OUT / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for digest in order.layers:
            named(blobs, digest).touch()
        manifest, config = await self._committed(order, work, log, redact)
        if tuple(config["rootfs"]["diff_ids"][:-1]) != order.layers:
            raise BuildFailed(
                f"{order.name}: the last FROM of its Dockerfile is not {order.parent or 'scratch'}", "let it name the image's parent"
            )
        layer = named(blobs, manifest["layers"][-1]["digest"])
        if not layer.stat().st_size:  # it is the same as one of those below, so it was skipped, too
            layer.unlink()
            manifest, config = await self._committed(order, work, log, redact)
            layer = named(blobs, manifest["layers"][-1]["digest"])
        await asyncio.to_thread(unpacked, layer, into / "changes.tar")
        return Made(into / "changes.tar", config["config"])

    async def _committed(self, order: Order, work: Path, log: Log, redact: Redactor) -> tuple[Any, Any]:
        """The manifest and the configuration of what was built, once it is in the layout."""
        done = await self._buildah(work, self._command(order, work), lambda line: log(redact(line)))
        if done.status:
            raise failed(order.name, Finished(done.status, tuple(map(redact, done.last))), self._settings)
        blobs = work / OUT / "blobs" / "sha256"
        index = json.loads((work / OUT / "index.json").read_bytes())
        manifest = json.loads(named(blobs, index["manifests"][-1]["digest"]).read_bytes())
        return manifest, json.loads(named(blobs, manifest["config"]["digest"]).read_bytes())


def named(blobs: Path, digest: str) -> Path:
    return blobs / digest.partition(":")[2]


def linked(work: Path, layout: PurePath) -> str:
    """A name for a layout folder, seen from `work`. buildah names images by the path that it is given, and few paths are names of images."""
    name = f"layout-{uuid.uuid4().hex}"
    (work / name).symlink_to(layout)
    return name


def unpacked(blob: Path, into: Path) -> None:
    """Moved where it is not compressed, which it should not be."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with blob.open("rb") as file:
        is_plain = not file.read(4).startswith((GZIP, ZSTD))
    if is_plain:
        shutil.move(blob, into)
        return
    try:
        with blob.open("rb") as file, into.open("wb") as out:
            plain = Plain(file)
            while chunk := plain.read(CHUNK):
                out.write(chunk)
    except LayerRefused as refused:
        raise BuildFailed(f"buildah wrote a damaged layer: {refused}") from refused
    blob.unlink()


@asynccontextmanager
async def scratch(parent: Path) -> AsyncIterator[Path]:
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=parent, prefix="build-"))
    try:
        yield folder
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def failed(name: str, done: Finished, settings: Settings) -> BuildFailed:
    """What went wrong, in a sentence: the step, and buildah's own last word."""
    steps = [found for line in done.last if (found := STEP.search(line))]
    errors = [
        re.sub(r'^(error )?building at STEP ".*": ', "", line.removeprefix("Error: ")) for line in done.last if line.startswith("Error: ")
    ]
    why = errors[-1] if errors else f"buildah ended with status {done.status}"
    step = f" at step {steps[-1][1]} ({steps[-1][2][:120]})" if steps else ""
    fix = "see the end of its log"
    if "no space left on device" in done.log.lower():
        why, fix = "no space left on device", f"make room on the disk of {settings.root}"
    return BuildFailed(f"{name} failed{step}: {why}", fix, log=done.log)
