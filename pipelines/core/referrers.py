"""Lists what is attached to a digest, for registries that do not do it themselves (distribution specification, "Referrers Tag Schema")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipelines.core.manifest import LIMIT, BadManifest, decode, descriptor, parse, read_descriptor
from pipelines.core.tally import digest_of
from pipelines.model.oci import INDEX, Descriptor, Document, ImageIndex, ImageManifest
from reconciler.model.canonical import dumps


def entry(document: Document) -> Descriptor:
    """How a manifest is listed: its artifact type (else its configuration's type) and annotations come along. Raises BadManifest."""
    value = decode(document)
    kind = value.artifact_type or (value.config.media_type if isinstance(value, ImageManifest) else "")
    return Descriptor(document.media_type, document.digest, len(document.body), value.annotations, kind)


def subject(document: Document) -> Descriptor:
    """What a manifest is attached to; raises BadManifest where that is nothing."""
    found = decode(document).subject
    if found is None:
        raise BadManifest("a manifest without `subject` is attached to nothing")
    return found


def listed(document: Document | None) -> tuple[Descriptor, ...]:
    """The entries of a list; raises BadManifest."""
    if document is None:
        return ()
    value = decode(document)
    if not isinstance(value, ImageIndex):
        raise BadManifest("the tag for referrers holds an image, not an index", "delete that tag, and attach again")
    return value.manifests


def joined(document: Document | None, new: Iterable[Descriptor]) -> Document | None:
    """The list with new entries, the others' entries as they wrote them; None where it has them already. Raises BadManifest."""
    known = {one.digest for one in listed(document)}
    added = [one for one in new if one.digest not in known]
    if not added:
        return None
    fields: dict[str, Any] = parse(document.body) if document else {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    body = dumps({**fields, "manifests": [*fields["manifests"], *map(descriptor, added)]})
    if len(body) > LIMIT:
        raise BadManifest(f"more is attached than a list of {LIMIT} bytes holds", "delete old attachments (`fleet images gc`)")
    return Document(document.media_type if document else INDEX, digest_of(body), body)


def read_page(body: bytes) -> tuple[Descriptor, ...]:
    """The entries of an answer of the referrers API; raises BadManifest."""
    found = parse(body).get("manifests")
    if not isinstance(found, list):
        raise BadManifest("the list of referrers has no `manifests`")
    return tuple(read_descriptor(value, f"manifests[{position}]") for position, value in enumerate(found))
