"""Releases: the last day on which somebody fixes the faults of a Python or a distribution for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

PYTHON: Mapping[str, date] = {
    "3.7": date(2023, 6, 27),
    "3.8": date(2024, 10, 7),
    "3.9": date(2025, 10, 31),
    "3.10": date(2026, 10, 31),
    "3.11": date(2027, 10, 31),
    "3.12": date(2028, 10, 31),
    "3.13": date(2029, 10, 31),
    "3.14": date(2030, 10, 31),
    "3.15": date(2031, 10, 31),
}
"""Last day with security fixes (Python Developer's Guide, "Status of Python versions"; where it names a month, the month's last day)."""
SYSTEMS: Mapping[str, date] = {
    "debian 10": date(2024, 6, 30),
    "debian 11": date(2026, 8, 31),
    "debian 12": date(2028, 6, 30),
    "debian 13": date(2030, 6, 30),
    "ubuntu 20.04": date(2025, 5, 29),
    "ubuntu 22.04": date(2027, 6, 1),
    "ubuntu 24.04": date(2029, 5, 31),
    "ubuntu 26.04": date(2031, 5, 29),
}
"""Last day with free security fixes (Debian's package distro-info-data: `eol-lts` of Debian, `eol` of Ubuntu)."""
