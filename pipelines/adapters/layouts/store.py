"""The store of blobs: `blobs/sha256/HEX`, written whole or not at all, by any number of processes at once."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipelines.core.tally import Tally, digest_of
from pipelines.model.oci import CONFIG, Descriptor, Document, Repository
from pipelines.ports import BuildFailed, Registry, WrongDigest

CHUNK = 1 << 20
RESERVE = 256 << 20
"""Bytes of the disk that are left to others."""
WEEK = 7 * 86_400.0
"""Seconds after which a blob that nothing used goes: a registry has it, or it is made again."""
FRESH = 60.0
"""Seconds in which a scratch file may not be locked yet."""


class NoRoom(BuildFailed):
    """The disk is too full for what is to be written. Nothing was written."""


class Store:
    """Blobs by digest. What is in it is complete and was checked when it came; nobody changes it, so layouts hard-link it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._scratch = root / "scratch"
        self._fetches: dict[str, asyncio.Lock] = {}

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be."""
        algorithm, _, name = digest.partition(":")
        if algorithm != "sha256" or len(name) != 64 or not name.isalnum():
            raise WrongDigest(f"{digest[:80]!r} is no sha256 digest", "blobs are stored by sha256 only: push the image with sha256 digests")
        return self._blobs / name

    def has(self, descriptor: Descriptor) -> bool:
        """Whether a blob is there in its full size; one of another size was damaged by somebody, and goes."""
        path = self.path(descriptor.digest)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return False
        if size != descriptor.size:
            path.unlink(missing_ok=True)
            return False
        with suppress(OSError):
            os.utime(path)  # it is in use
        return True

    def require(self, size: int) -> None:
        """Raise NoRoom unless `size` bytes fit, and some for others."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._scratch).free
        if free < size + RESERVE:
            need = (size + RESERVE) >> 20
            raise NoRoom(f"{free >> 20} MiB are free for images, {need} MiB are needed", f"make room on the disk of {self.root}")

    @contextmanager
    def scratch(self) -> Iterator[IO[bytes]]:
        """A file to write a blob into; `keep` makes it one. What is not kept is removed, also after a crash, by whoever comes next."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._sweep()
        with tempfile.NamedTemporaryFile(dir=self._scratch, delete=False) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield file
            finally:
                Path(file.name).unlink(missing_ok=True)

    def keep(self, file: IO[bytes], digest: str) -> Path:
        """Make a scratch file the blob of `digest`, which the caller has worked out from what it wrote."""
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o444)
        path = self.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(file.name).replace(path)

    def put(self, body: bytes, media_type: str = CONFIG) -> Descriptor:
        """Store a small blob."""
        descriptor = Descriptor(media_type, digest_of(body), len(body))
        if not self.has(descriptor):
            self.require(len(body))
            with self.scratch() as file:
                file.write(body)
                self.keep(file, descriptor.digest)
        return descriptor

    def add(self, document: Document) -> Descriptor:
        """Store a manifest or a configuration."""
        return self.put(document.body, document.media_type)

    async def fetch(self, registry: Registry, repository: Repository, descriptor: Descriptor) -> Path:
        """Have a blob of a repository here; nothing is asked of the registry for one that is. Raises RegistryFault, NoRoom."""
        async with self._fetches.setdefault(descriptor.digest, asyncio.Lock()):
            if self.has(descriptor):
                return self.path(descriptor.digest)
            self.require(descriptor.size)
            return await self._fetch(registry, repository, descriptor)

    async def _fetch(self, registry: Registry, repository: Repository, descriptor: Descriptor) -> Path:
        tally = Tally(descriptor)
        with self.scratch() as file:
            async for chunk in registry.blob(repository, descriptor):
                tally.add(chunk)
                if tally.overflow:
                    break
                file.write(chunk)
            if tally.complaint:
                raise WrongDigest(
                    f"{repository} sent as {descriptor.digest}: {tally.complaint}", "push the image anew, or name another digest"
                )
            return self.keep(file, descriptor.digest)

    async def chunks(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """The bytes of a blob that is here, for a push."""
        with self.path(descriptor.digest).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    async def close(self) -> None:
        """Remove the blobs that nothing used for a week."""
        await asyncio.to_thread(self._tidy)

    def is_sound(self, descriptor: Descriptor) -> bool:
        """Whether a blob still has its content; reads all of it."""
        if not self.has(descriptor):
            return False
        with self.path(descriptor.digest).open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == descriptor.digest

    def _tidy(self) -> None:
        with suppress(FileNotFoundError):
            for blob in self._blobs.iterdir():
                with suppress(FileNotFoundError):
                    if time.time() - blob.stat().st_mtime > WEEK:
                        blob.unlink()

    def _sweep(self) -> None:
        """Remove what a process that is gone was writing; the kernel let go of its lock."""
        for left in self._scratch.iterdir():
            with suppress(OSError), left.open("rb") as file:
                if time.time() - os.fstat(file.fileno()).st_mtime > FRESH:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink(missing_ok=True)
