"""A registry on a shelf: enough of one to sign in and to verify, and open to whoever wants to tamper."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

import orjson

from pipelines.core.signature import digest_of
from pipelines.model.oci import CONFIG, MANIFEST, Descriptor, Document, Pinned, Repository
from pipelines.ports import Push, RegistryFault, WrongDigest

HOME = Repository("registry.test", "acme/web")


class Shelf:
    """Blobs and manifests of all repositories together; `fault` is raised by whatever is asked next."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, Document] = {}
        self.attached: dict[str, list[Descriptor]] = {}
        self.fault: RegistryFault | None = None
        self.pushed: list[str] = []
        self.overtaken: list[Document] = []
        """What somebody else writes under a tag right after we did."""
        self.busy = self.busiest = 0

    def _ask(self) -> None:
        if self.fault:
            raise self.fault

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        found = await self.manifest(repository, reference)
        return Descriptor(found.media_type, found.digest, len(found.body)) if found else None

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        self._ask()
        found = self.manifests.get(reference)
        if found and reference.startswith("sha256:") and digest_of(found.body) != reference:
            raise WrongDigest(f"{reference[:19]} is not what the registry sent")
        return found

    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        self._ask()
        data = self.blobs.get(descriptor.digest)
        if data is None:
            raise RegistryFault(f"{descriptor.digest[:19]} is not there", status=404)
        if "sha256:" + sha256(data).hexdigest() != descriptor.digest or len(data) != descriptor.size:
            raise WrongDigest(f"{descriptor.digest[:19]} is not what the registry sent")
        yield data

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        self._ask()
        return digest in self.blobs

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        self._ask()
        data = b"".join([chunk async for chunk in push.chunks()])
        assert digest_of(data) == push.descriptor.digest
        self.blobs[push.descriptor.digest] = data
        return True

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        self._ask()
        self._put(reference, document)
        if self.overtaken:
            self._put(reference, self.overtaken.pop(0))

    def _put(self, reference: str, document: Document) -> None:
        value = orjson.loads(document.body)
        assert all(one["digest"] in self.blobs for one in (value["config"], *value["layers"])), "a manifest names what is not there"
        self.pushed.append(reference)
        self.manifests[reference] = self.manifests[document.digest] = document

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        self._ask()
        return tuple(self.attached.get(digest, ()))

    async def attach(self, repository: Repository, document: Document) -> None:
        await self.push_manifest(repository, document.digest, document)
        value = orjson.loads(document.body)
        listed = self.attached.setdefault(value["subject"]["digest"], [])
        new = Descriptor(document.media_type, document.digest, len(document.body), artifact_type=value["artifactType"])
        listed.extend([new] if new not in listed else [])

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        return tuple(name for name in self.manifests if not name.startswith("sha256:"))

    async def delete(self, repository: Repository, reference: str) -> bool:
        return self.manifests.pop(reference, None) is not None

    async def close(self) -> None:
        """Nothing is open."""

    def image(self, word: str) -> Pinned:
        """Put an image on the shelf, a different one for each word."""
        config = orjson.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"word": word}}})
        self.blobs[digest_of(config)] = config
        layer = {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)}
        body = orjson.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": layer, "layers": []})
        self.manifests[digest_of(body)] = Document(MANIFEST, digest_of(body), body)
        return Pinned(HOME, digest_of(body))
