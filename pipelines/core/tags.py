"""Names the tags under which registries keep things: keys, referrers, labels for people."""

from __future__ import annotations

import re
from datetime import date

from pipelines.model.reference import TAG

_HEX = re.compile(r"(?:sha256:|k-)?([0-9a-f]{16,64})")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
PREVIOUS = "prev"
SHORT = 7
"""Digits of a commit in a label, as git shows them."""


def key_tag(key: str) -> str:
    """The tag of a cache key: `k-<hex>`, from `sha256:<hex>` or `<hex>` or the tag itself. Raises ValueError on anything else."""
    found = _HEX.fullmatch(key)
    if not found:
        raise ValueError(f"{key[:80]!r} is no key of an image: 16 to 64 hexadecimal digits")
    return f"k-{found[1]}"


def fallback_tag(digest: str) -> str:
    """Where referrers are listed in a registry without the API (distribution specification, "Referrers Tag Schema")."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm[:32]}-{digits[:64]}"


def dated_tag(day: date, commit: str) -> str:
    """`20261121-1a2b3c4`: when and from which commit. Raises ValueError on what is no commit."""
    if not _COMMIT.fullmatch(commit):
        raise ValueError(f"{commit[:80]!r} is no commit")
    return f"{day:%Y%m%d}-{commit[:SHORT]}"


def previous_tag(tag: str) -> str:
    """`<tag>-prev`: what stood under a tag before. Raises ValueError where that would be no tag."""
    name = f"{tag}-{PREVIOUS}"
    if not TAG.fullmatch(name):
        raise ValueError(f"{name[:140]!r} is no tag: letters, digits, and . _ - after the first, 128 at most")
    return name
