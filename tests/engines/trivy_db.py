"""A vulnerability database for Trivy with the vulnerabilities that a test names (schema 2: github.com/aquasecurity/trivy-db, `pkg/db`)."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.engines import bolt

LEVELS = {"UNKNOWN": 0, "LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
AFFECTED, WONT_FIX = 2, 5  # of trivy-db's `types.Status`
SOURCES = {
    "debian 12": ("debian", "Debian Security Tracker"),
    "pip::GitHub Security Advisory Pip": ("ghsa", "GitHub Security Advisory Pip"),
}


class Advisory(NamedTuple):
    """One vulnerability of one package: `fixed` is the version that has it no more, empty where there is none."""

    id: str
    package: str
    level: str
    fixed: str = ""
    bucket: str = "debian 12"
    title: str = ""


def debian(id: str, package: str, level: str, fixed: str = "") -> Advisory:
    """For a source package of Debian 12."""
    return Advisory(id, package, level, fixed)


def python(id: str, package: str, level: str, fixed: str = "") -> Advisory:
    """For a distribution of the Python package index."""
    return Advisory(id, package, level, fixed, "pip::GitHub Security Advisory Pip")


def write(cache: Path, advisories: Iterable[Advisory], updated: datetime) -> Path:
    """Fill Trivy's cache folder with a database that was made at `updated`, and return the folder."""
    folder = cache / "db"
    folder.mkdir(parents=True, exist_ok=True)
    bolt.write(folder / "trivy.db", tree(tuple(advisories)))
    moment = updated.strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = {"Version": 2, "NextUpdate": moment, "UpdatedAt": moment, "DownloadedAt": moment}
    (folder / "metadata.json").write_text(json.dumps(facts))
    return cache


def tree(advisories: Sequence[Advisory]) -> bolt.Tree:
    """The buckets: by source and package what is affected, by id what it is."""
    root: dict[str, Any] = {bucket: {} for bucket in SOURCES}
    root["data-source"] = {bucket: _json(ID=id, Name=name, URL="https://example.invalid") for bucket, (id, name) in SOURCES.items()}
    root["vulnerability"] = {}
    for one in advisories:
        root[one.bucket].setdefault(one.package, {})[one.id] = _affected(one)
        known = {"Title": one.title or f"{one.id} in {one.package}", "Severity": one.level, "VendorSeverity": {"nvd": LEVELS[one.level]}}
        root["vulnerability"][one.id] = _json(**known)
    return root


def _affected(one: Advisory) -> bytes:
    if not one.bucket.startswith("pip::"):
        return _json(FixedVersion=one.fixed) if one.fixed else _json(Status=AFFECTED)
    if one.fixed:
        return _json(PatchedVersions=[one.fixed], VulnerableVersions=[f"< {one.fixed}"])
    return _json(VulnerableVersions=["> 0"])


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()
