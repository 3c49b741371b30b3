"""Ends of life: the last day on which somebody fixes the faults of a release for everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

ENDS = {
    "Python 3.8": date(2024, 10, 7),
    "Python 3.9": date(2025, 10, 31),
    "Python 3.10": date(2026, 10, 31),
    "Python 3.11": date(2027, 10, 31),
    "Python 3.12": date(2028, 10, 31),
    "Python 3.13": date(2029, 10, 31),
    "Python 3.14": date(2030, 10, 31),
    "Debian 10": date(2024, 6, 30),
    "Debian 11": date(2026, 8, 31),
    "Debian 12": date(2028, 6, 30),
    "Debian 13": date(2030, 6, 30),
    "Ubuntu 20.04": date(2025, 5, 31),
    "Ubuntu 22.04": date(2027, 4, 30),
    "Ubuntu 24.04": date(2029, 4, 30),
}
"""Python: end of security fixes (devguide.python.org/versions). Debian: end of LTS (wiki.debian.org/LTS). Ubuntu: end of standard support
(ubuntu.com/about/release-cycle); what a paid subscription adds is left out."""

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
    """The last day of a release, where that is behind us."""
    end = ENDS.get(release)
    return end if end is not None and end < today else None
