"""Puts tags on images that are there already: a label is one request, and no blob moves."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.flow.each import each
from pipelines.flow.reading import read_document
from pipelines.model.oci import Repository
from pipelines.ports import Registry

AT_ONCE = 8


async def retag(registry: Registry, repository: Repository, labels: Mapping[str, str]) -> None:
    """Tag by digest. All of the images are read first: where one is missing (RegistryFault, status 404) no tag has moved."""
    digests = sorted(set(labels.values()))
    read = await each(digests, lambda digest: read_document(registry, repository, digest), AT_ONCE)
    documents = dict(zip(digests, read, strict=True))
    await each(labels.items(), lambda label: registry.push_manifest(repository, label[0], documents[label[1]]), AT_ONCE)
