"""VEX: statements that a vulnerability does not matter (OpenVEX 0.2.0, github.com/openvex/spec). Each must match, or it is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from pipelines.core.purl import Purl, difference, parse
from pipelines.model.verdict import Statement, Unmatched
from pipelines.model.vulnerability import Package, Vulnerability

EXCUSES = ("not_affected", "fixed")
STATUSES = (*EXCUSES, "affected", "under_investigation")


class NotVex(ValueError):
    """A file that cannot be taken for VEX, and why."""


def read_vex(path: str, data: bytes) -> tuple[Statement, ...]:
    """The statements of an OpenVEX document. Raises NotVex with a sentence."""
    try:
        value = orjson.loads(data)
    except ValueError as fault:
        raise NotVex(f"{path} is not JSON: {fault}") from None
    context = value.get("@context") if isinstance(value, dict) else None
    if not isinstance(context, str) or not context.startswith("https://openvex.dev/ns"):
        raise NotVex(f"{path} is not an OpenVEX document: its `@context` does not begin with https://openvex.dev/ns")
    try:
        said = str(value.get("timestamp") or "")
        return tuple(found for one in value["statements"] for found in _statements(path, one, said))
    except (AttributeError, KeyError, TypeError) as fault:
        raise NotVex(f"{path} lacks what OpenVEX documents have ({type(fault).__name__}: {fault})") from None


def _statements(path: str, one: Mapping[str, Any], said: str) -> Iterator[Statement]:
    named, status = one["vulnerability"], one["status"]
    ids = (named,) if isinstance(named, str) else (named["name"], *(named.get("aliases") or ()))
    because = str(one.get("impact_statement") or one.get("justification") or one.get("status_notes") or "")
    if status not in STATUSES:
        raise NotVex(f"{path}: the status of {ids[0]} is none of {', '.join(STATUSES)}")
    if status == "not_affected" and not because:
        raise NotVex(f"{path}: {ids[0]} is not_affected, but neither `justification` nor `impact_statement` says why")
    products = one.get("products") or ()
    if not products:
        raise NotVex(f"{path}: the statement on {ids[0]} names no products")
    for product in products:
        parts = tuple(_purl(path, part) for part in product.get("subcomponents") or ())
        yield Statement(path, ids, _purl(path, product), status, because, str(one.get("timestamp") or said), parts)


def _purl(path: str, product: Mapping[str, Any]) -> str:
    found = str((product.get("identifiers") or {}).get("purl") or product.get("@id") or "")
    if parse(found) is None:
        raise NotVex(f"{path}: `{found}` is no package URL; only those can be matched with what is in an image")
    return found


class Vex:
    """All statements on one image; remembers which matched."""

    def __init__(self, statements: Iterable[Statement], image: str) -> None:
        self._image = image
        self._by_id: dict[str, list[Statement]] = {}
        self._all = tuple(statements)
        self._matched: set[Statement] = set()
        for one in self._all:
            for id in one.ids:
                self._by_id.setdefault(id, []).append(one)

    def excuses(self, vulnerability: Vulnerability) -> Statement | None:
        """The statement that says that it does not matter. The newest that matches decides."""
        last = None
        for one in self._by_id.get(vulnerability.id, ()):
            if any(difference(pattern, purl, source) == "" for pattern, purl, source in self._pairs(one, [vulnerability.package])):
                self._matched.add(one)
                last = one
        return last if last and last.status in EXCUSES else None

    def unmatched(self, packages: Iterable[Package]) -> Iterator[Unmatched]:
        """The statements that matched no vulnerability, and what keeps each from it."""
        some = tuple(packages)
        for one in self._all:
            if one not in self._matched:
                near = {difference(pattern, purl, source) for pattern, purl, source in self._pairs(one, some)} - {None}
                if "" in near:
                    yield Unmatched(one, f"the image has the package, but the scanner does not find {one.ids[0]} in it")
                elif near:
                    yield Unmatched(one, min(str(why) for why in near))
                else:
                    yield Unmatched(one, "the image has no such package")

    def _pairs(self, one: Statement, packages: Iterable[Package]) -> Iterator[tuple[Purl, Purl, str]]:
        """Patterns of the statement with each package that they may mean. The image itself, without parts, means all that is in it."""
        patterns = [parse(part) for part in (one.packages or (one.product,))]
        product = parse(one.product)
        if product and product.type == "oci" and (product.name != self._image or product.version):
            return
        for package in packages:
            purl = parse(package.purl)
            for pattern in patterns if purl else ():
                assert pattern is not None
                assert purl is not None
                yield (purl if pattern.type == "oci" else pattern), purl, package.source
