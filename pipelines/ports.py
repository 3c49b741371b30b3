"""Ports: what builds need of the world. Adapters implement them; fakes are real implementations held to the same contract tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import field
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from reconciler.model.value import dataclass

if TYPE_CHECKING:  # whoever asks a registry alone needs its faults, and nothing of what goes through the other ports
    from pipelines.core.audit.contents import Row
    from pipelines.core.audit.evidence import Evidence
    from pipelines.core.audit.look import Look
    from pipelines.core.config import Image
    from pipelines.model.audit import System
    from pipelines.model.context import ContextItem
    from pipelines.model.debian import Resolved, Selection
    from pipelines.model.oci import Descriptor, Document, Pinned, Repository
    from pipelines.model.outcome import Outcome
    from pipelines.model.stored import Version


class RegistryFault(Exception):
    """A registry did not do what it was asked. Says which registry, what it answered, and what to do about it."""

    def __init__(self, message: str, fix: str = "", *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.fix = fix
        self.status = status
        """HTTP status; 0 where there was no answer."""
        self.code = code
        """The error code of the OCI distribution specification, such as `DENIED`; empty where there was none."""


class Unreachable(RegistryFault):
    """No answer: refused, cut, timed out. What was written may or may not be there."""


class Denied(RegistryFault):
    """401 or 403: the credentials are missing, wrong, or not enough."""


class WrongDigest(RegistryFault):
    """What came is not what its digest says. Nothing of it was used."""


@dataclass(frozen=True, slots=True)
class Push:
    """A blob to upload: where it may be mounted from, and its bytes when that does not work."""

    descriptor: Descriptor
    chunks: Callable[[], AsyncIterator[bytes]]
    mount_from: tuple[Repository, ...] = ()
    is_new: bool = False
    """Made just now, so most likely nowhere yet: where it is small, it is sent without asking."""


class Registry(Protocol):
    """Any OCI registry (distribution specification 1.1), of any host. Every digest is checked in both directions.

    `None` means that the registry said that it has no such thing (404). Everything else that is not an answer raises RegistryFault.
    """

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        """What `reference` (a tag or a digest) stands for: one request, no body."""

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        """A manifest or index, at most 4 MiB of it (the specification's limit)."""

    def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        """The bytes of a blob, checked: the last chunk comes only when digest and size are as the descriptor says."""

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        """Whether a blob is there."""

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        """Make a blob be there: already there, mounted, or uploaded. Returns whether bytes were sent."""

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        """Put a manifest under a tag or its own digest. Whatever it names must be there already."""

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        """What is attached to `digest`: the referrers API, else the fallback tag `sha256-<hex>`."""

    async def attach(self, repository: Repository, *documents: Document) -> frozenset[str]:
        """Push manifests that have a `subject`, and where the registry has no referrers API, list them under the fallback tag.

        The digests that were seen to be listed after that; the others may be, too.
        """

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        """Every tag of a repository; none for a repository that does not exist."""

    async def delete(self, repository: Repository, reference: str) -> bool:
        """Delete a manifest by its digest, or a tag where the registry can. False where it was not there."""

    async def close(self) -> None:
        """Close its connections."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of a build: mounted under `/run/secrets/ID` in the steps that ask for it, in no layer and no log."""

    id: str
    file: PurePath


@dataclass(frozen=True, slots=True)
class Order:
    """One image to build, as a builder gets it. Everything in it is part of the image's key, the secrets' values aside."""

    name: str
    context: PurePath
    """A folder that holds exactly the files that count: filtered, with their executable bits and symbolic links."""
    dockerfile: str
    """The text of the Dockerfile; every FROM and COPY --from of something outside is by digest already."""
    parent: Pinned | None
    """What it starts from, as a registry has it; None for `FROM scratch`. The last FROM of `dockerfile` names it."""
    platform: str
    """`linux/amd64`."""
    args: Mapping[str, str] = field(default_factory=dict)
    source_date: int = 0
    """SOURCE_DATE_EPOCH, in seconds, of every step."""
    secrets: tuple[Secret, ...] = ()
    layers: tuple[str, ...] = ()
    """The parent's layers by diff_id, lowest first."""
    parent_layout: PurePath | None = None
    """The parent as an OCI layout folder, where no registry has it under its digest."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a builder made of an order: files and settings, not yet an image."""

    changes: PurePath
    """An uncompressed layer tar (image spec, layer.md) with what the build changed over its parent, whiteouts included; in any order, with
    any times, perhaps with entries that did not change. `core/layer` makes it canonical."""
    run: Mapping[str, object]
    """The image's whole `config` object as the builder has it; a whitelist of it is kept."""


class BuildFailed(Exception):
    """A step failed, or the builder. Says which step and the end of what it printed."""

    def __init__(self, message: str, fix: str = "", *, log: str = "") -> None:
        super().__init__(message)
        self.fix = fix
        self.log = log


class BuilderMissing(BuildFailed):
    """The builder itself is not there or does not answer."""


Log = Callable[[str], None]
"""One line of what a build prints, as it comes."""


class Builder(Protocol):
    """Turns an order into files. Cancelling the task ends the build and leaves nothing running."""

    async def build(self, order: Order, into: PurePath, log: Log) -> Made:
        """Build, and leave what was made in the folder `into`."""

    async def run(self, layout: PurePath, command: tuple[str, ...], log: Log) -> None:
        """Run a command in an image (an OCI layout folder), without network, as its user; BuildFailed unless it exits with 0."""

    async def close(self) -> None:
        """End what it started."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What the scanner said: the whole report as JSON, and what it judged by."""

    report: bytes
    scanner: str
    """`trivy 0.76.0`."""
    database: str
    """When its database was made, RFC 3339; empty where it does not say."""


class NoVerdict(Exception):
    """The scanner could not tell: missing, crashed, timed out, without or with an old database. Never a pass."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Scanner(Protocol):
    """Finds packages in images and vulnerabilities in packages."""

    async def inventory(self, layout: PurePath) -> bytes:
        """CycloneDX JSON of what is in an image (an OCI layout folder), as the scanner writes it."""

    async def scan(self, layout: PurePath) -> ScanReport:
        """The vulnerabilities of an image (an OCI layout folder), all severities, fixed or not; deciding is not its job."""

    async def rescan(self, sbom: bytes) -> ScanReport:
        """The vulnerabilities of what a CycloneDX SBOM lists."""


class PublicKey(Protocol):
    """A key that checks signatures (ECDSA on P-256 with SHA-256)."""

    @property
    def fingerprint(self) -> str:
        """`sha256:<hex>` of the key as DER (SubjectPublicKeyInfo): which key it is, for people and for hints."""

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Whether this key's owner signed exactly `data`. Anything else, garbage too, is False."""


class PrivateKey(Protocol):
    """A key that signs. It says nothing of itself but its fingerprint."""

    @property
    def fingerprint(self) -> str:
        """That of its public key."""

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`: ASN.1, as ECDSA has it."""


class BomInvalid(Exception):
    """A software bill of materials is not what CycloneDX says. Says where and what."""


class Bills(Protocol):
    """Knows CycloneDX and SPDX."""

    def license(self, text: str) -> Mapping[str, object]:
        """A licence as CycloneDX has it: `{license: {id}}`, `{expression}` or `{license: {name}}`."""

    def check(self, bom: bytes) -> None:
        """Raises BomInvalid unless it is valid."""


class Unreadable(Exception):
    """An image cannot be read: it is broken, larger than allowed, or made to do harm. Says what and where."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Roots(Protocol):
    """Reads the merged root file systems of images from their layers, without unpacking them."""

    def read(self, layout: PurePath, look: Look, platform: str) -> AbstractAsyncContextManager[Evidence]:
        """What is in an image (an OCI layout folder), its files looked at once. What was kept of them is gone when the context ends.

        Raises Unreadable.
        """


class NoContents(Exception):
    """Nobody could say which packages have which libraries. Says why."""


class Packages(Protocol):
    """Knows which package of a distribution has which library."""

    async def libraries(self, system: System, names: frozenset[str]) -> tuple[Row, ...]:
        """The rows of the distribution's contents index that are one of the names (see `contents.matches`). Raises NoContents."""


class Images(Protocol):
    """Puts images together in a store of blobs on this machine."""

    async def parent(self, pinned: Pinned | None, platform: str) -> Image:
        """What an image starts from; of an index the image for the platform. Raises RegistryFault, BadManifest."""

    async def extend(
        self, parent: Image, repository: Repository | None, made: Made, source_date: int, split: tuple[str, ...] = ()
    ) -> Image:
        """The parent and what a builder made of it, as canonical layers. Raises BuildFailed, RegistryFault."""

    async def with_file(self, image: Image, path: str, body: bytes, source_date: int) -> Image:
        """The image with one more layer, which has one file of root's that all can read."""

    async def write(self, image: Image, repository: Repository | None, into: PurePath) -> Descriptor:
        """Write an image as an OCI layout folder; what only `repository` has of it is fetched. Its descriptor."""

    async def read(self, image: Image, path: str) -> bytes | None:
        """A file of an image by its path from the root, without links; None where none is. The blobs of its layers must be here."""

    def blob(self, found: Descriptor) -> AsyncIterator[bytes]:
        """The bytes of a blob that is here."""


class Bases(Protocol):
    """Root file systems out of Debian packages."""

    async def resolve(self, selection: Selection) -> Resolved:
        """Every package by name, version and hash, as of today. Raises BuildFailed."""

    async def build(self, resolved: Resolved, into: PurePath, source_date: int, log: Log) -> Made:
        """A root of exactly these packages. Raises BuildFailed."""


class Desk(Protocol):
    """Folders to work in."""

    def context(self, files: Mapping[str, ContextItem], source_date: int) -> AbstractContextManager[PurePath]:
        """A folder with exactly these files, for as long as it is needed. Raises BuildFailed."""

    def scratch(self, name: str) -> AbstractContextManager[PurePath]:
        """An empty folder, for as long as it is needed."""


class Storeroom(Protocol):
    """Lists and removes what a repository of a registry holds."""

    async def versions(self, repository: Repository) -> tuple[Version, ...]:
        """All of it, as far as it can be listed. None for a repository that is not there; raises RegistryFault for a list that is not whole."""

    async def remove(self, repository: Repository, version: Version) -> None:
        """Remove a manifest and its tags, unless it has other tags by now than when it was listed. Raises RegistryFault."""

    async def close(self) -> None:
        """Close its connections."""


class Watcher(Protocol):
    """Is told how builds go on."""

    def phase(self, image: str, phase: str) -> None:
        """An image has come to another phase."""

    def line(self, image: str, text: str) -> None:
        """A builder printed a line."""

    def done(self, image: str, outcome: Outcome) -> None:
        """An image is done, one way or another."""
