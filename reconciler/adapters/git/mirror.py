"""Mirror: one branch of a repository elsewhere. Commits and folders are mirrored whole, files only as far as a source reads them."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.adapters.git import address as addresses
from reconciler.adapters.git import commits, contents, listing, signatures
from reconciler.adapters.git.child import Bounds, Stopped, TooLarge, TooLong
from reconciler.adapters.git.clone import TIP, Clone, Line
from reconciler.adapters.git.credentials import credentials
from reconciler.adapters.git.faults import gist
from reconciler.adapters.git.process import GitFailed
from reconciler.core import paths
from reconciler.model.documents import SourceTree
from reconciler.model.fleet import Verify
from reconciler.ports import Fetched, SourceUnavailable

_ROOM = 4 << 30


class Mirror:
    """Follows a branch in `folder`, which is its own. The port `Upstream`.

    `credentials` is the folder that a Secret is mounted at, `path` the folder of the repository that the fleet lies in, `seconds` how long
    one fetch may take, `room` how many bytes the mirror may have on the disk, `portion` how many one fetch of files may bring.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        branch: str,
        *,
        credentials: Path | None = None,
        path: str = "",
        schemes: Collection[str] = addresses.SECURE,
        seconds: float = 300,
        room: int = _ROOM,
        portion: int = paths.MAX_TOTAL,
    ) -> None:
        """Raises SourceUnavailable where the URL, the branch or the path cannot be one."""
        self._clone = Clone(folder, addresses.address(url, schemes), addresses.branch(branch), room=room, portion=portion)
        self._credentials = credentials
        self._path = addresses.folder(path)
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._keys: Verify | None = None
        self._accepted: tuple[str, Verify | None, frozenset[str]] = ("", None, frozenset())
        """The newest commit, the keys that it was held against, and the packs that were here then."""
        self._others: frozenset[str] = frozenset()
        """Files that somebody asked for: locks of environments."""
        self._left_out: frozenset[str] = frozenset()
        """Blobs that are too large to be fetched."""

    @property
    def whole(self) -> bool:
        """Whether all files of all commits are mirrored, since the server cannot leave them out."""
        return self._clone.whole

    def trust(self, keys: Verify | None) -> None:
        """From now on the newest commit must be signed by one of these keys; None asks for no signature."""
        self._keys = keys

    async def fetch(self, since: str | None) -> Fetched:
        """The newest commit of the branch, with every file that reading it takes. Ends git when it is cancelled.

        Raises SourceUnavailable, BranchGone where the branch is not there, Unverified where no trusted key signed its newest commit.
        """
        async with self._turn:
            bounds = self._bounds()
            work = asyncio.ensure_future(asyncio.to_thread(self._fetch, since, bounds))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                bounds.stop.set()
                await asyncio.wait([work])
                work.exception()
                raise

    def tree(self, revision: str | None = None) -> SourceTree:
        """The source at a commit, the one that was fetched last by default. A commit that never was the newest may need the network."""
        with self._faults():
            commit = self._resolve(revision)
            held = self._held(commit)
            listed = tuple(entry for entry in held.entries if entry.path.split("/")[0] in paths.ROOTS)
            with self._clone.reading() as git:
                return listing.assembled(git, commit, listed)

    def read(self, path: str, revision: str | None = None) -> bytes | None:
        """One file at a commit; None where there is none. What is asked for once comes with each fetch from then on."""
        if reason := paths.refusal(path):
            raise SourceUnavailable(f"{paths.shown(path)} is not read: {reason}")
        with self._faults():
            commit = self._resolve(revision)
            with self._clone.reading() as git:
                if contents.file_at(git, contents.tree_of(git, commit, self._path), path):
                    self._others |= {path}
            entry = listing.entry_of(self._held(commit).entries, path)
            with self._clone.reading() as git:
                return listing.blobs(git, [entry.id])[entry.id] if entry else None

    def parent(self, revision: str) -> str | None:
        """The first parent of a commit; None for the very first."""
        with self._faults(), self._clone.reading() as git:
            return commits.parent(git, revision)

    def digest(self, revision: str) -> str:
        """A digest of all that a source reads at a commit, folders of images among it: the same where nothing of it changed."""
        with self._faults(), self._clone.reading() as git:
            tree = contents.tree_of(git, self._resolve(revision), self._path)
            tops = contents.tops_of(git, tree, self._others)
            return hashlib.sha256("\n".join(f"{entry.mode:o} {entry.id} {entry.path}" for entry in tops).encode()).hexdigest()

    def _bounds(self) -> Bounds:
        return Bounds(time.monotonic() + self._seconds, stop=threading.Event())

    def _fetch(self, since: str | None, bounds: Bounds) -> Fetched:
        with self._faults(bounds), self._line(bounds) as line:
            self._clone.advance(line)
            with self._clone.reading(bounds) as git:
                tip = git.read("rev-parse", "--verify", "--quiet", TIP).decode().strip()
            self._accept(tip, self._keys, line)
            with self._clone.reading(bounds) as git:
                return Fetched(tip, commits.relation(git, since, tip))

    def _accept(self, tip: str, keys: Verify | None, line: Line) -> None:
        """Take a commit for the newest: who signed it first, then its files."""
        if self._accepted[:2] == (tip, keys) and self._accepted[2] <= self._clone.packs():
            return
        if keys:
            with self._clone.reading(line.bounds) as git:
                signatures.require_signed(git, tip, keys)
        self._complete(tip, line)
        self._clone.settle(line)
        self._accepted = tip, keys, self._clone.packs()

    def _held(self, commit: str) -> contents.Contents:
        """What there is at a commit. Files that are not here yet are fetched."""
        with self._clone.reading() as git:
            found = contents.contents(git, commit, self._path, self._others)
        if found.absent <= self._left_out:
            return found
        bounds = self._bounds()
        with self._line(bounds) as line:
            return self._complete(commit, line)

    def _complete(self, commit: str, line: Line) -> contents.Contents:
        with self._clone.reading(line.bounds) as git:
            found = contents.contents(git, commit, self._path, self._others)
        if found.absent <= self._left_out:
            return found
        self._clone.bring(line, sorted(found.absent - self._left_out), found.roots)
        with self._clone.reading(line.bounds) as git:
            found = contents.looked_again(git, found)
        self._left_out |= found.absent
        return found

    @contextmanager
    def _line(self, bounds: Bounds) -> Iterator[Line]:
        with self._clone.alone(bounds), credentials(self._credentials, self._clone.address) as given:
            yield Line(given, bounds)

    def _resolve(self, revision: str | None) -> str:
        """The full id of a commit that is here, by default the one that was fetched last."""
        revision = revision or self._accepted[0]
        if not revision:
            raise SourceUnavailable("nothing was fetched yet", "fetch first")
        with self._clone.reading() as git:
            return commits.resolved(git, revision)

    @contextmanager
    def _faults(self, bounds: Bounds | None = None) -> Iterator[None]:
        """Say in a sentence what goes wrong."""
        try:
            yield
        except TooLong:
            within = f"within {self._seconds:g} s" if bounds else "in time"
            raise SourceUnavailable(
                f"{self._clone.address} did not give all {within}", "it is tried again; see how its server is"
            ) from None
        except TooLarge:
            raise SourceUnavailable(
                f"what the fleet is at {self._clone.address} is larger than may be read", "keep only specs and policies there"
            ) from None
        except Stopped:
            raise SourceUnavailable(f"the fetch of {self._clone.address} was stopped") from None
        except GitFailed as fault:
            self._clone.damaged = True
            raise SourceUnavailable(f"the mirror cannot be read: {gist(str(fault))}", "it is cloned anew by the next fetch") from None
        except OSError as fault:
            raise SourceUnavailable(
                f"the mirror cannot be written: {fault.strerror}", "see to the space in its folder, and to who may write there"
            ) from None
