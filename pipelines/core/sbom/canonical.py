"""Canonical: the SBOM that stands inside an image. The same packages give the same bytes, so that it does not make another image."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core.sbom.bom import IMAGE, LAYER, TRIVY, NotABom, load
from reconciler.model.canonical import dumps

PATH = "opt/fleet/image-sbom.json"
"""In the image. Not `*.cdx.json`: Trivy takes those for the truth about what is installed, also when a child has changed it since."""
SPEC = "1.7"
ROOT = "image"
"""bom-ref of the image itself."""
LONGEST = 512
"""Characters of any text from a package."""
_DROPPED = frozenset({f"{TRIVY}LayerDigest", f"{TRIVY}Size", IMAGE})
"""Compressed layers may differ where what is in them does not."""


def canonical(inventory: bytes, image: str, owners: Mapping[str, str]) -> bytes:
    """What a scanner found, without serial, time, digest and tool; `owners`: image by diff_id, lowest first. Raises NotABom."""
    bom = load(inventory)
    components = sorted((_component(one, image, owners) for one in bom.get("components") or ()), key=_content)
    refs = _refs(components)
    root = str(((bom.get("metadata") or {}).get("component") or {}).get("bom-ref", ""))
    renamed = {**refs, root: ROOT}
    kept = {renamed[old] for old in renamed}
    edges = {ROOT: set[str]()} | {ref: set[str]() for ref in refs.values()}
    for one in bom.get("dependencies") or ():
        ends = (renamed.get(str(end)) for end in one.get("dependsOn") or ())
        edges.setdefault(renamed.get(str(one.get("ref")), ROOT), set()).update(end for end in ends if end in kept)
    layers = [{"name": LAYER, "value": f"{diff_id} {owner}"} for diff_id, owner in owners.items()]
    edges[ROOT] |= edges.keys() - set().union(*edges.values()) - {ROOT}
    return dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": SPEC,
            "version": 1,
            "metadata": {"component": {"bom-ref": ROOT, "type": "container", "name": image, "properties": layers}},
            "components": [{**one, "bom-ref": refs[one["bom-ref"]]} for one in components],
            "dependencies": [{"ref": ref, "dependsOn": sorted(edges[ref] - {ref})} for ref in sorted(edges)],
        }
    )


def _component(one: Mapping[str, Any], image: str, owners: Mapping[str, str]) -> dict[str, Any]:
    """What it is and where, still by the scanner's own ref."""
    said = [(_text(each["name"]), _text(each.get("value", ""))) for each in one.get("properties") or ()]
    layer = dict(said).get(f"{TRIVY}LayerDiffID", "")
    pairs = [pair for pair in said if pair[0] not in _DROPPED]
    if layer:
        pairs.append((IMAGE, owners.get(layer, image)))
    made: dict[str, Any] = {key: _text(one[key]) for key in ("type", "group", "name", "version", "purl") if one.get(key)}
    if licenses := [found for each in one.get("licenses") or () if (found := _license(each))]:
        made["licenses"] = sorted(licenses, key=dumps)
    if supplier := (one.get("supplier") or {}).get("name"):
        made["supplier"] = {"name": _text(supplier)}
    if hashes := one.get("hashes"):
        made["hashes"] = sorted(({"alg": _text(each["alg"]), "content": _text(each["content"])} for each in hashes), key=dumps)
    return made | {
        "properties": [{"name": name, "value": value} for name, value in sorted(set(pairs))],
        "bom-ref": str(one.get("bom-ref", "")),
    }


def _license(one: Mapping[str, Any]) -> dict[str, Any]:
    if one.get("expression"):
        return {"expression": _text(one["expression"])}
    known = one.get("license") or {}
    return next(({"license": {key: _text(known[key])}} for key in ("id", "name") if known.get(key)), {})


def _content(one: Mapping[str, Any]) -> bytes:
    """What it is, whatever it is called."""
    return dumps({key: value for key, value in one.items() if key != "bom-ref"})


def _refs(components: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Refs by what a component is, since a scanner's own may be drawn by lot. What stands twice is counted."""
    taken: Counter[str] = Counter()
    refs: dict[str, str] = {}
    for one in components:
        ref = one.get("purl") or f"{one.get('type', '')}:{one.get('name', '')}@{one.get('version', '')}"
        taken[ref] += 1
        if one["bom-ref"] in refs:
            raise NotABom(f"two of its components have the bom-ref {one['bom-ref'][:LONGEST]!r}")
        refs[one["bom-ref"]] = ref if taken[ref] == 1 else f"{ref}#{taken[ref]}"
    return refs


def _text(value: Any) -> str:
    """Without control characters, and not endless: what is cut off is told by its hash."""
    text = str(value)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}…{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:16]}"
