"""Ends of life that the name of an image tells of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from pipelines.core.releases import PYTHON, SYSTEMS

_PYTHON = re.compile(r"(?:^|/)python:(3\.\d+)(?=[.\-@]|$)")
_UBUNTU = re.compile(r"ubuntu[:\-]?(\d\d\.\d\d)")
_CODENAMES = {"buster": "Debian 10", "bullseye": "Debian 11", "bookworm": "Debian 12", "trixie": "Debian 13",
              "focal": "Ubuntu 20.04", "jammy": "Ubuntu 22.04", "noble": "Ubuntu 24.04"}  # fmt: skip
_CODENAME = re.compile(rf"\b({'|'.join(_CODENAMES)})\b")


def releases(image: str) -> Iterator[str]:
    """Releases that the name and tag of an image tell of."""
    yield from (f"Python {match[1]}" for match in _PYTHON.finditer(image))
    yield from (f"Ubuntu {match[1]}" for match in _UBUNTU.finditer(image))
    yield from (_CODENAMES[match[1]] for match in _CODENAME.finditer(image))


def ended(release: str, today: date) -> date | None:
    """The last day of a release such as `Debian 12` or `Python 3.11`, where that is behind us."""
    family, _, version = release.lower().partition(" ")
    end = PYTHON.get(version) if family == "python" else SYSTEMS.get(f"{family} {version}")
    return end if end is not None and end < today else None
