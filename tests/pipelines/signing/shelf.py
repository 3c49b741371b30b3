"""A registry in memory that is open to whoever wants to tamper with it."""

from __future__ import annotations

import orjson

from pipelines.adapters.memory import MemoryRegistry
from pipelines.adapters.memory import Shelf as Repositories
from pipelines.core.manifest import encode
from pipelines.core.tally import digest_of
from pipelines.model.oci import CONFIG, MANIFEST, Descriptor, Document, ImageManifest, Pinned, Repository
from pipelines.ports import RegistryFault, WrongDigest

HOME = Repository("registry.test", "acme/web")


class Shelf(MemoryRegistry):
    """What was forged comes in the place of what was pushed; `fault` is raised by whatever is asked next."""

    def __init__(self) -> None:
        super().__init__()
        self.forged: dict[str, Document] = {}
        self.fault: RegistryFault | None = None
        self.tagged: list[str] = []
        self.overtaken: list[Document] = []
        """What somebody else writes under a tag right after we did."""

    @property
    def home(self) -> Repositories:
        """The one repository of these tests."""
        return self._shelf(HOME)

    @property
    def blobs(self) -> dict[str, bytes]:
        return self.home.blobs

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        if self.fault:
            raise self.fault
        found = self.forged.get(reference) or await super().manifest(repository, reference)
        if found and reference.startswith("sha256:") and digest_of(found.body) != reference:
            raise WrongDigest(f"{reference[:19]} is not what the registry sent")
        return found

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        await super().push_manifest(repository, reference, document)
        if not reference.startswith("sha256:"):
            self.tagged.append(reference)
            if self.overtaken:
                await super().push_manifest(repository, reference, self.overtaken.pop(0))

    def at(self, reference: str) -> Document:
        """What stands under a tag or a digest."""
        return self.home.manifests[self.home.tags.get(reference, reference)]

    def lay(self, *bodies: bytes) -> None:
        """Blobs, whatever they are."""
        self.blobs.update({digest_of(body): body for body in bodies})

    def image(self, word: str) -> Pinned:
        """Put an image on the shelf, a different one for each word."""
        config = orjson.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"word": word}}})
        self.lay(config)
        document = encode(ImageManifest(Descriptor(CONFIG, digest_of(config), len(config)), ()))
        self.home.manifests[document.digest] = document
        return Pinned(HOME, document.digest)

    def forge(self, reference: str, body: bytes) -> None:
        """Bytes in the place of a manifest."""
        self.forged[reference] = Document(MANIFEST, digest_of(body), body)
