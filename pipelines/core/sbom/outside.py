"""Outside: the SBOM as it stands beside an image, with what the one inside must not have: digest, revision, serial, ancestors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from pipelines.core.sbom.bom import REVISION, load
from pipelines.model.oci import Pinned
from reconciler.model.canonical import dumps

SCHEMA = "http://cyclonedx.org/schema/bom-1.7.schema.json"

License = Callable[[str], Mapping[str, Any]]
"""A licence's name as CycloneDX has it: by its SPDX id, as an expression, or as a name."""


@dataclass(frozen=True, slots=True)
class About:
    """What an SBOM is about."""

    image: str
    pinned: Pinned
    revision: str
    """Commit it was built from."""
    made: str
    """When, RFC 3339."""
    scanner: str
    """`trivy 0.76.0`, or its name alone."""
    ancestors: Sequence[tuple[str, Pinned]] = ()
    """What it starts from, nearest first; each with its name."""


def outside(inside: bytes, about: About, license: License) -> bytes:
    """Canonical JSON of the whole document. Raises NotABom."""
    bom = load(inside)
    root = _image("image", about.image, about.pinned)
    inner = (bom.get("metadata") or {}).get("component") or {}
    root["properties"] = [*(inner.get("properties") or ()), {"name": REVISION, "value": about.revision}]
    if about.ancestors:
        root["pedigree"] = {"ancestors": [_image(f"ancestor:{name}", name, pinned) for name, pinned in about.ancestors]}
    tool, _, version = about.scanner.partition(" ")
    scanner = {"type": "application", "name": tool} | ({"version": version} if version else {})
    tools = [scanner, {"type": "application", "name": "fleetwright"}]
    return dumps(
        {
            "$schema": SCHEMA,
            **bom,
            "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, str(about.pinned))}",
            "metadata": {"timestamp": about.made, "tools": {"components": tools}, "component": root},
            "components": [_licensed(one, license) for one in bom.get("components") or ()],
        }
    )


def _image(ref: str, name: str, pinned: Pinned) -> dict[str, Any]:
    algorithm, _, value = pinned.digest.partition(":")
    purl = f"pkg:oci/{quote(name)}@{quote(pinned.digest, safe='')}?repository_url={quote(str(pinned.repository), safe='/')}"
    return {
        "bom-ref": ref,
        "type": "container",
        "name": name,
        "version": pinned.digest,
        "purl": purl,
        "hashes": [{"alg": {"sha256": "SHA-256", "sha512": "SHA-512"}[algorithm], "content": value}],
    }


def _licensed(one: Mapping[str, Any], license: License) -> dict[str, Any]:
    """Names of licences by their SPDX id where they have one. An expression stands alone (specification 1.6 and before)."""
    made = dict(one)
    if "licenses" in one:
        known = [each if "id" in each.get("license", {}) else license(_named(each)) for each in one["licenses"]]
        if len(known) > 1:
            known = [{"license": {"name": each["expression"]}} if "expression" in each else each for each in known]
        made["licenses"] = sorted({dumps(each): each for each in known}.values(), key=dumps)
    return made


def _named(one: Mapping[str, Any]) -> str:
    return str(one.get("expression") or one.get("license", {}).get("name") or "unknown")
