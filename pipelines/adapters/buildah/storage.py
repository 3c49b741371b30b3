"""buildah's storage: found to work or not, used by many at once, cleaned of what was killed by whoever is alone with it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from hashlib import sha256

from pipelines.adapters.buildah.settings import Settings
from pipelines.adapters.processes import Finished, enclosed, ran
from pipelines.ports import BuilderMissing, BuildFailed

OLDEST = (1, 28)
"""The buildah of Debian 12."""
DRIVERS = ("overlay", "vfs")
WEEK = 7 * 86_400.0
"""Seconds after which an image that nothing was built upon goes from the storage: it comes again when it is needed."""
FIX = "apt-get install buildah, or set `builder: dagger`"


class Storage:
    """A storage root and state of the builder's own, with a lock that tells whether anybody builds in it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.root
        self._driver = settings.driver
        self._checked = asyncio.Lock()
        self._ready = False
        self._owes = False

    def command(self, driver: str = "") -> list[str]:
        """buildah over this storage."""
        places = ["--root", str(self._root / "storage"), "--runroot", str(self._root / "state")]
        return [self._settings.program, *places, "--storage-driver", driver or self._driver]

    async def ready(self) -> None:
        """Find out, once, whether buildah works here and how. Raises BuilderMissing."""
        async with self._checked:
            if not self._ready:
                await self._check()
            self._ready = True

    async def run(self, *arguments: str, driver: str = "") -> Finished:
        """buildah over this storage, beside all builds: to look, and to tidy up."""
        return await ran(enclosed([*self.command(driver), *arguments]), self._settings.variables(), lambda _: None, self._root)

    @asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        """Holds the storage while something is built in it. Raises BuilderMissing, BuildFailed where the disk is full."""
        await self.ready()
        free = shutil.disk_usage(self._root).free
        if free < self._settings.room:
            need = self._settings.room >> 20
            raise BuildFailed(f"{free >> 20} MiB are free for builds, {need} MiB are needed", f"make room on the disk of {self._root}")
        clean = False
        with (self._root / "builds.lock").open("w") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_SH)
            (self._root / "begun").touch()
            try:
                yield
                clean = True
            finally:
                if not clean:
                    (self._root / "unclean").touch()
                await asyncio.shield(asyncio.ensure_future(self._left(lock.fileno())))

    async def _left(self, lock: int) -> None:
        """Removes what builds that ended badly left in the storage, if nobody else builds now; else whoever is last does."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if (self._root / "unclean").exists():
            await self._swept()
        if not self._owes:
            (self._root / "begun").unlink(missing_ok=True)

    def builds_upon(self, names: Iterable[str]) -> None:
        """Something is built upon these images of registries, which buildah keeps in the storage."""
        (self._root / "used").mkdir(exist_ok=True)
        for name in names:
            (self._root / "used" / sha256(name.encode()).hexdigest()).write_text(name)

    def unused(self) -> list[str]:
        """Images that nothing was built upon for a week; each is told once."""
        found = [one for one in (self._root / "used").glob("*") if time.time() - one.stat().st_mtime > WEEK]
        names = [one.read_text() for one in found]
        for one in found:
            one.unlink(missing_ok=True)
        return names

    def owe(self) -> None:
        """Something stays in the storage until `settled`: whoever comes after us removes it, if we are killed before."""
        self._owes = True

    async def settled(self) -> None:
        """Nothing stays any more, if anything did."""
        if not self._owes:
            return
        self._owes = False
        with (self._root / "builds.lock").open("w") as lock:
            await self._left(lock.fileno())

    async def _swept(self) -> None:
        for what in (["rm", "--all"], ["rmi", "--prune"]):
            await self.run(*what)
        for left in (self._root / "tmp").iterdir():
            if not left.name.startswith("buildah-cache"):
                await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)
        (self._root / "unclean").unlink(missing_ok=True)

    async def _check(self) -> None:
        program = shutil.which(self._settings.program, path=self._settings.variables()["PATH"])
        if not program:
            raise BuilderMissing(f"there is no {self._settings.program} on this machine", FIX)
        (self._root / "tmp").mkdir(parents=True, exist_ok=True)
        self._driver = self._driver or next((each for each in DRIVERS if (self._root / "storage" / each).exists()), "")
        reasons = []
        for driver in (self._driver,) if self._driver else DRIVERS:
            done, listed = await asyncio.gather(self.run("version", driver=driver), self.run("images", driver=driver))
            found = re.search(r"Version:\s*(\d+)\.(\d+)", done.log)
            if not done.status and found and (int(found[1]), int(found[2])) < OLDEST:
                raise BuilderMissing(f"buildah {found[1]}.{found[2]} is too old", "have buildah 1.28 or newer, such as Debian 12's")
            if not listed.status:
                self._driver = driver
                return await self._after_a_crash()
            reasons.append(f"with {driver}: {listed.log.splitlines()[-1] if listed.last else f'status {listed.status}'}")
        where = "as root" if os.geteuid() == 0 else "without root"
        raise BuilderMissing(f"buildah does not work here {where}: {'; '.join(reasons)}", "give it CAP_SYS_ADMIN, or set `builder: dagger`")

    async def _after_a_crash(self) -> None:
        """A build that was begun and not ended, with nobody building: its process was killed."""
        if not (self._root / "begun").exists():
            return
        with (self._root / "builds.lock").open("w") as lock:
            (self._root / "unclean").touch()
            await self._left(lock.fileno())
