"""Debian's docker-registry on a loopback port, and the few requests that signing and verifying need of it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from pipelines.core.signature import digest_of
from pipelines.model.oci import CONFIG, INDEX, MANIFEST, Descriptor, Document, Pinned, Repository
from pipelines.ports import Push, RegistryFault, Unreachable, WrongDigest
from tests.engines.cache import EngineMissing

START_SECONDS = 20.0
ACCEPT = {"Accept": f"{MANIFEST}, {INDEX}"}


@contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """`127.0.0.1:PORT` of a registry whose blobs lie in `folder`; it ends with the block. Raises EngineMissing."""
    program = shutil.which("docker-registry")
    if not program:
        raise EngineMissing("docker-registry is missing: apt-get install docker-registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = folder / "registry.yml"
    settings.write_text(f"""\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder / "data"}}}, delete: {{enabled: true}}}}
http: {{addr: "{host}"}}
""")
    with (folder / "registry.log").open("wb") as log:
        child = subprocess.Popen([program, "serve", settings], stdout=log, stderr=log)
    try:
        _await(host, child)
        yield host
    finally:
        child.terminate()
        child.wait()


def _await(host: str, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and child.poll() is None:
        try:
            if httpx.get(f"http://{host}/v2/").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise EngineMissing("docker-registry does not start")


class PlainRegistry:
    """A registry that answers at once and in plain HTTP, or a fault."""

    def __init__(self, host: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"http://{host}")

    async def _ask(self, method: str, path: str, **more: object) -> httpx.Response | None:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.TransportError as fault:
            raise Unreachable(str(fault)) from None
        if answer.status_code == 404:
            return None
        if answer.is_error:
            raise RegistryFault(f"{method} {path}: {answer.status_code} {answer.text}", status=answer.status_code)
        return answer

    async def manifest(self, repository: Repository, reference: str) -> Document | None:
        answer = await self._ask("GET", f"/v2/{repository.path}/manifests/{reference}", headers=ACCEPT)
        if answer is None:
            return None
        if reference.startswith("sha256:") and digest_of(answer.content) != reference:
            raise WrongDigest(reference)
        return Document(answer.headers["content-type"], digest_of(answer.content), answer.content)

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        found = await self.manifest(repository, reference)
        return Descriptor(found.media_type, found.digest, len(found.body)) if found else None

    async def blob(self, repository: Repository, descriptor: Descriptor) -> AsyncIterator[bytes]:
        answer = await self._ask("GET", f"/v2/{repository.path}/blobs/{descriptor.digest}")
        if answer is None or digest_of(answer.content) != descriptor.digest:
            raise WrongDigest(descriptor.digest)
        yield answer.content

    async def has_blob(self, repository: Repository, digest: str) -> bool:
        return await self._ask("HEAD", f"/v2/{repository.path}/blobs/{digest}") is not None

    async def push_blob(self, repository: Repository, push: Push) -> bool:
        data = b"".join([chunk async for chunk in push.chunks()])
        begun = await self._ask("POST", f"/v2/{repository.path}/blobs/uploads/")
        assert begun is not None
        where = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": push.descriptor.digest})
        await self._ask("PUT", str(where), content=data)
        return True

    async def push_manifest(self, repository: Repository, reference: str, document: Document) -> None:
        await self._ask(
            "PUT", f"/v2/{repository.path}/manifests/{reference}", content=document.body, headers={"content-type": document.media_type}
        )

    async def referrers(self, repository: Repository, digest: str) -> tuple[Descriptor, ...]:
        found = await self.manifest(repository, digest.replace(":", "-"))
        listed = orjson.loads(found.body)["manifests"] if found else []
        return tuple(Descriptor(one["mediaType"], one["digest"], one["size"], artifact_type=one.get("artifactType", "")) for one in listed)

    async def attach(self, repository: Repository, document: Document) -> None:
        """By the fallback tag: this registry has no referrers API."""
        await self.push_manifest(repository, document.digest, document)
        value = orjson.loads(document.body)
        tag = value["subject"]["digest"].replace(":", "-")
        found = await self.manifest(repository, tag)
        listed = orjson.loads(found.body)["manifests"] if found else []
        if not any(one["digest"] == document.digest for one in listed):
            new = {"mediaType": MANIFEST, "digest": document.digest, "size": len(document.body), "artifactType": value["artifactType"]}
            body = orjson.dumps(
                {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*listed, {**new, "annotations": value.get("annotations", {})}]}
            )
            await self.push_manifest(repository, tag, Document(INDEX, digest_of(body), body))

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        answer = await self._ask("GET", f"/v2/{repository.path}/tags/list")
        return tuple(answer.json()["tags"]) if answer else ()

    async def delete(self, repository: Repository, reference: str) -> bool:
        return await self._ask("DELETE", f"/v2/{repository.path}/manifests/{reference}") is not None

    async def close(self) -> None:
        await self._http.aclose()

    async def put(self, repository: Repository, data: bytes, media_type: str = "application/octet-stream") -> Descriptor:
        """A blob."""

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        blob = Descriptor(media_type, digest_of(data), len(data))
        await self.push_blob(repository, Push(blob, chunks))
        return blob

    async def image(self, repository: Repository, word: str) -> Pinned:
        """A small image, a different one for each word."""
        config = orjson.dumps(
            {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {"Labels": {"w": word}}}
        )
        blob = await self.put(repository, config)
        body = orjson.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": CONFIG, "digest": blob.digest, "size": blob.size},
        })  # fmt: skip
        await self.push_manifest(repository, word, Document(MANIFEST, digest_of(body), body))
        return Pinned(repository, digest_of(body))
