"""References to images as people write them: `docker.io/library/python:3.11-slim@sha256:...`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.model.oci import Repository

DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
"""The registered algorithms of the image specification (descriptor.md, "Digests")."""
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""What the distribution specification calls a tag."""
PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::[0-9]{{1,5}})?")
LONGEST = 255
"""Characters of host and path together (distribution specification, "Pulling manifests")."""
HUB = "docker.io"


class BadReference(ValueError):
    """Text that is no reference to an image. Says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What was written, with nothing left unsaid but the tag."""

    repository: Repository
    tag: str = ""
    digest: str = ""

    @property
    def wanted(self) -> str:
        """What to ask a registry for: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        return f"{self.repository}{self.tag and f':{self.tag}'}{self.digest and f'@{self.digest}'}"


def is_digest(text: str) -> bool:
    """Whether it is a digest, not a tag: a tag has no colon."""
    return DIGEST.fullmatch(text) is not None


def parse_repository(text: str) -> Repository:
    """`python`, `acme/app`, `ghcr.io/acme/app`. A first part without dot, colon or `localhost` is no host but a path on Docker Hub."""
    first, slash, rest = text.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    host, path = (first.lower(), rest) if is_host else (HUB, text)
    if host == "index.docker.io":
        host = HUB
    if host == HUB and "/" not in path:
        path = f"library/{path}"
    if not HOST.fullmatch(host):
        raise BadReference(f"{host[:80]!r} is no host of a registry")
    if not PATH.fullmatch(path):
        raise BadReference(f"{path[:80]!r} is no path of a repository: lower case letters, digits, and . _ - between them")
    if len(host) + 1 + len(path) > LONGEST:
        raise BadReference(f"longer than {LONGEST} characters: {text[:80]!r}...")
    return Repository(host, path)


def parse_reference(text: str) -> Reference:
    """A reference; raises BadReference. Of a tag and a digest together the digest counts."""
    name, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise BadReference(f"{digest[:80]!r} is no digest: sha256: and 64 hexadecimal digits")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:  # no colon, or that of a port
        head, tag = name, ""
    elif not TAG.fullmatch(tag):
        raise BadReference(f"{tag[:80]!r} is no tag: letters, digits, and . _ - after the first, 128 at most")
    return Reference(parse_repository(head), tag, digest)
