"""Clone: the folder that a mirror lives in. One process at a time changes it; a damaged one is replaced once a whole one is there."""

from __future__ import annotations

import fcntl
import logging
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from reconciler.adapters.git import disk, faults
from reconciler.adapters.git.address import Address
from reconciler.adapters.git.bare import BLOBLESS, REMOTE, Bare
from reconciler.adapters.git.child import Bounds, TooLarge
from reconciler.adapters.git.credentials import Credentials
from reconciler.adapters.git.process import GitFailed
from reconciler.core import paths
from reconciler.ports import BranchGone, SourceUnavailable

TIP = "refs/heads/followed"

_LOG = logging.getLogger(__name__)
_PACKS = 40
"""Packs after which they are put together: a fetch of something new leaves two."""
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")


class Line(NamedTuple):
    """What one fetch has: credentials as they are now, and its bounds."""

    given: Credentials
    bounds: Bounds


class Clone:
    """A bare clone of one branch, without the files. `room` bounds it on the disk, in bytes; `portion` what one fetch of files may bring."""

    def __init__(self, folder: Path, address: Address, branch: str, *, room: int, portion: int) -> None:
        self.address = address
        self.damaged = False
        """Something in it could not be read: it is replaced by the next fetch."""
        self._branch = branch
        self._folder = folder
        self._home = folder / "mirror.git"
        self._room = room
        self._portion = portion
        self._swapping = threading.RLock()
        self._unhelped = False
        """A clone from nothing met a fault that nobody knows, so another will not help either."""

    @property
    def whole(self) -> bool:
        """Whether all files of all commits are here, since the server cannot leave them out."""
        return (self._home / "whole").exists()

    def packs(self) -> frozenset[str]:
        """The packs that are here. Where one is missing that was here before, so is what was in it."""
        return disk.packs(self._home)

    @contextmanager
    def reading(self, bounds: Bounds | None = None) -> Iterator[Bare]:
        """The clone, which is not replaced meanwhile."""
        with self._swapping:
            yield Bare(self._home, bounds)

    @contextmanager
    def alone(self, bounds: Bounds) -> Iterator[None]:
        """Nobody else changes the clone, in this process or another. Raises as `Bounds.check` does where it is never free."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    bounds.check()
                    time.sleep(0.02)
            yield

    def advance(self, line: Line) -> None:
        """Bring the newest commit of the branch, its history and its folders, to TIP. Raises SourceUnavailable, BranchGone."""
        disk.tidy(self._home)
        if self.damaged or not self._followed():
            self._anew(line, whole=self.whole and self._followed())
            return
        try:
            self._pull(self._home, line, whole=self.whole)
            self._unhelped = False
        except TooLarge:
            self._anew(line, whole=self.whole)
        except GitFailed as fault:
            refusal = self._refusal(fault, line)
            if refusal or self._unhelped:
                raise refusal or faults.unexplained(str(fault), self.address, line.given) from None
            _LOG.warning("the mirror of %s is cloned anew: %s", self.address, faults.gist(line.given.struck(str(fault))))
            self._anew(line, whole=self.whole)

    def bring(self, line: Line, blobs: Iterable[str], roots: Iterable[str]) -> None:
        """Bring blobs by their ids, in one round trip; where they are too large together, what is below `roots` without what is too large."""
        try:
            self._by_id(line, blobs, BLOBLESS)
        except TooLarge:
            disk.tidy(self._home)
            self._by_id(line, roots, f"blob:limit={paths.MAX_LOCK + 1}", "--refetch")
        except GitFailed as fault:
            if not faults.by_id_refused(str(fault)):
                raise self._refusal(fault, line) or faults.unexplained(str(fault), self.address, line.given) from None
            _LOG.warning("%s gives no files by their id: all of its history is fetched", self.address)
            self._anew(line, whole=True)

    def settle(self, line: Line) -> None:
        """Put many packs together. What goes wrong is for another time."""
        if len(self.packs()) <= _PACKS:
            return
        with suppress(GitFailed, TooLarge):
            git = Bare(self._home, replace(line.bounds, disk=0))
            git.reach(self.address, line.given, "repack", "-a", "-d", "-k", "-q", narrow="" if self.whole else BLOBLESS)

    def _by_id(self, line: Line, ids: Iterable[str], narrow: str, *options: str) -> None:
        size = disk.size(self._home)
        bounds = replace(line.bounds, disk=size + self._portion, written=lambda: disk.size(self._home))
        stdin = "".join(f"{id}\n" for id in ids).encode()
        command = ("-c", "fetch.negotiationAlgorithm=noop", *_FETCH, *options, "--stdin", "--", REMOTE)
        Bare(self._home, bounds).reach(self.address, line.given, *command, narrow=narrow, stdin=stdin)

    def _pull(self, home: Path, line: Line, *, whole: bool) -> None:
        bounds = replace(line.bounds, disk=self._room, written=lambda: disk.size(home))
        refspec = f"+refs/heads/{self._branch}:{TIP}"
        said = Bare(home, bounds).reach(self.address, line.given, *_FETCH, "--", REMOTE, refspec, narrow="" if whole else BLOBLESS)
        if "filtering not recognized" in said:
            _LOG.warning("%s cannot leave files out: all of its history is fetched", self.address)
            (home / "whole").touch()

    def _anew(self, line: Line, *, whole: bool) -> None:
        """Clone into a folder beside, which then takes the place. Until then the old one can be read."""
        new, old = self._folder / "new.git", self._folder / "old.git"
        try:
            for folder in (new, old):
                shutil.rmtree(folder, ignore_errors=True)
            self._begin(new, line, whole=whole)
            if whole:
                (new / "whole").touch()
            (new / "followed").write_text(self.address.url)
            with self._swapping:
                if self._home.exists():
                    self._home.rename(old)
                new.rename(self._home)
                self.damaged = False
        except GitFailed as fault:
            refusal = self._refusal(fault, line)
            self._unhelped = refusal is None
            raise refusal or faults.unexplained(str(fault), self.address, line.given) from None
        except TooLarge:
            raise SourceUnavailable(
                f"{self.address} is larger than {self._room >> 20} MiB", "follow a smaller repository, or give its mirror more room"
            ) from None
        finally:
            for folder in (new, old):
                shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, new: Path, line: Line, *, whole: bool, form: str = "sha1") -> None:
        Bare(new, line.bounds).read("init", "--quiet", "--bare", "--template=", f"--object-format={form}")
        try:
            self._pull(new, line, whole=whole)
        except GitFailed as fault:
            if form != "sha1" or not faults.sha256(str(fault)):
                raise
            shutil.rmtree(new)
            self._begin(new, line, whole=whole, form="sha256")

    def _followed(self) -> bool:
        """Whether the folder is a clone of this address."""
        try:
            return (self._home / "followed").read_text() == self.address.url
        except (OSError, UnicodeDecodeError):
            return False

    def _refusal(self, fault: GitFailed, line: Line) -> SourceUnavailable | None:
        if faults.branch_gone(str(fault)):
            return BranchGone(
                f"{self.address} has no branch {self._branch}", "bring it back, or follow another; what was applied last stays as it is"
            )
        return faults.explained(str(fault), self.address, line.given)
