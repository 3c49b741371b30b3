"""Report: what Trivy printed (its JSON, schema 2) as a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pipelines.model.vulnerability import LEVELS, Package, Report, Vulnerability

SCHEMA = 2
LONGEST = 512
"""Characters of a name or a version that are kept."""


class Unreadable(ValueError):
    """It is no report of ours."""


def read_report(data: bytes, scanner: str, database: str) -> Report:
    """The packages of a report and their vulnerabilities, sorted. Raises Unreadable with a sentence."""
    try:
        value = orjson.loads(data)
    except ValueError as fault:
        raise Unreadable(f"it is not JSON ({fault})") from None
    if not isinstance(value, dict) or value.get("SchemaVersion") != SCHEMA:
        raise Unreadable(f"it is not a report of schema {SCHEMA}")
    try:
        packages: dict[str, Package] = {}
        found: set[Vulnerability] = set()
        for result in value.get("Results") or ():
            known = dict(_packages(result))
            packages |= known
            found.update(_vulnerability(one, known) for one in result.get("Vulnerabilities") or ())
        return Report(tuple(sorted(set(packages.values()))), tuple(sorted(found)), _os(value), scanner, database)
    except (AttributeError, KeyError, TypeError) as fault:
        raise Unreadable(f"it lacks what reports have ({type(fault).__name__}: {fault})") from None


def _os(value: Mapping[str, Any]) -> str:
    os = (value.get("Metadata") or {}).get("OS") or {}
    return f"{_text(os.get('Family'))} {_text(os.get('Name'))}".strip()


def _packages(result: Mapping[str, Any]) -> Iterator[tuple[str, Package]]:
    for one in result.get("Packages") or ():
        identifier = one.get("Identifier") or {}
        package = Package(
            _text(one["Name"]),
            _version(one),
            _text(one.get("SrcName")),
            _text(identifier.get("PURL")),
            _text((one.get("Layer") or {}).get("DiffID")),
            _text(one.get("FilePath")),
        )
        yield str(identifier.get("UID") or (package.name, package.version, package.path)), package


def _version(one: Mapping[str, Any]) -> str:
    """As people write it: epoch, version, release."""
    version, release, epoch = _text(one.get("Version")), _text(one.get("Release")), one.get("Epoch")
    return f"{f'{epoch}:' if epoch else ''}{version}{f'-{release}' if release else ''}"


def _vulnerability(one: Mapping[str, Any], packages: Mapping[str, Package]) -> Vulnerability:
    identifier = one.get("PkgIdentifier") or {}
    package = packages.get(str(identifier.get("UID"))) or Package(
        _text(one["PkgName"]),
        _text(one.get("InstalledVersion")),
        purl=_text(identifier.get("PURL")),
        layer=_text((one.get("Layer") or {}).get("DiffID")),
        path=_text(one.get("PkgPath")),
    )
    level = one.get("Severity")
    return Vulnerability(
        _text(one["VulnerabilityID"]),
        level if level in LEVELS else "UNKNOWN",
        package,
        _text(one.get("FixedVersion")),
        _text(one.get("Title")),
        _text(one.get("PrimaryURL")),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:LONGEST]
