"""Bom: a CycloneDX document taken apart (cyclonedx.org, specification 1.5 to 1.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

MOST = 200_000
"""Components."""
TRIVY = "aquasecurity:trivy:"
IMAGE = "fleetwright:image"
"""Property of a component: the image of the hierarchy that brought it."""

REVISION = "fleetwright:revision"
"""Property of the image itself: the commit that it was built from."""
LAYER = "fleetwright:layer"
"""Property of the image itself, one a layer, lowest first: its diff_id and the image that brought it."""


class NotABom(ValueError):
    """It cannot be read as CycloneDX."""


class Component(NamedTuple):
    """A package in an image, as its SBOM has it."""

    ecosystem: str
    """Type of its package URL: `deb`, `pypi`."""
    name: str
    version: str
    source: str
    """The distribution's source package; empty where there is none."""
    purl: str
    image: str
    """The image of the hierarchy that brought it; empty where nobody says."""
    path: str


def load(data: bytes) -> dict[str, Any]:
    """The document. Raises NotABom with a sentence."""
    try:
        value = orjson.loads(data)
    except ValueError as fault:
        raise NotABom(f"it is not JSON: {fault}") from None
    if not isinstance(value, dict) or value.get("bomFormat") != "CycloneDX":
        raise NotABom("it is not CycloneDX")
    components = value.get("components", [])
    if not isinstance(components, list) or not all(isinstance(one, dict) for one in components):
        raise NotABom("its components are no list of components")
    if len(components) > MOST:
        raise NotABom(f"it has {len(components)} components, and {MOST} are the most that are read")
    return value


def properties(component: Mapping[str, Any]) -> dict[str, str]:
    """Name and value of each; where one stands twice, the last."""
    return {str(one.get("name", "")): str(one.get("value", "")) for one in component.get("properties") or () if isinstance(one, dict)}


def owners(data: bytes) -> dict[str, str]:
    """By diff_id, lowest layer first: the image that brought it. Raises NotABom."""
    root = (load(data).get("metadata") or {}).get("component") or {}
    said = [str(one.get("value", "")) for one in root.get("properties") or () if isinstance(one, dict) and one.get("name") == LAYER]
    return dict(one.partition(" ")[::2] for one in said)


def brought(data: bytes) -> dict[str, str]:
    """By diff_id: the image that brought it, as far as packages say, in no order. Raises NotABom."""
    known = map(properties, load(data).get("components") or ())
    return {layer: one[IMAGE] for one in known if IMAGE in one and (layer := one.get(f"{TRIVY}LayerDiffID", ""))}


def revision(data: bytes) -> str:
    """The commit that the image was built from; empty where it does not say. Raises NotABom."""
    root = (load(data).get("metadata") or {}).get("component") or {}
    return properties(root).get(REVISION, "")


def tool(data: bytes) -> str:
    """What made it: `trivy 0.76.0`, its name alone, or empty where it does not say. Raises NotABom."""
    tools = (load(data).get("metadata") or {}).get("tools") or {}
    listed = tools.get("components") if isinstance(tools, dict) else tools
    first = next((one for one in listed or () if isinstance(one, dict)), {})
    return f"{first.get('name') or ''} {first.get('version') or ''}".strip()


def components(data: bytes) -> tuple[Component, ...]:
    """Every package, sorted; what has no package URL (the distribution itself, files) is none. Raises NotABom."""
    found = set()
    for one in load(data).get("components") or ():
        purl = str(one.get("purl") or "")
        if not purl.startswith("pkg:"):
            continue
        known = properties(one)
        group, name = str(one.get("group") or ""), str(one.get("name") or "")
        found.add(
            Component(
                purl.removeprefix("pkg:").partition("/")[0],
                f"{group}/{name}" if group else name,
                str(one.get("version") or ""),
                known.get(f"{TRIVY}SrcName", ""),
                purl,
                known.get(IMAGE, ""),
                known.get(f"{TRIVY}FilePath", ""),
            )
        )
    return tuple(sorted(found))
