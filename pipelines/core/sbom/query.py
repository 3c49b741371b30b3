"""Query: `openssl<3.0.14` as people ask for it, matched with what is in images."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.core.versions import compare
from pipelines.core.visible import visible

_WHOLE = re.compile(r"(?:(?P<ecosystem>[a-z]+):)?(?P<name>[A-Za-z0-9@][A-Za-z0-9@._+/-]*)\s*(?P<bounds>(?:[<>=!].*)?)", re.DOTALL)
_BOUND = re.compile(r"(<=|>=|==|!=|<|>|=)\s*([A-Za-z0-9][A-Za-z0-9.+~^:_-]*)")
ECOSYSTEMS = ("apk", "cargo", "composer", "deb", "gem", "golang", "maven", "npm", "nuget", "pypi", "rpm")


class NotAQuery(ValueError):
    """It cannot be understood, and how it is written."""


@dataclass(frozen=True, slots=True)
class Query:
    """A name and what its version must be."""

    name: str
    ecosystem: str = ""
    """Type of a package URL; empty for any."""
    bounds: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """As a package may be called: Python's are written in many ways (PEP 503)."""
        lowered = self.name.lower()
        return tuple(dict.fromkeys((self.name, lowered, re.sub(r"[-_.]+", "-", lowered), re.sub(r"[-_.]+", "_", lowered))))

    def matches(self, ecosystem: str, version: str) -> bool:
        """Whether a version of the package is asked for."""
        return self.ecosystem in ("", ecosystem) and all(_holds(ecosystem, version, sign, bound) for sign, bound in self.bounds)


def parse(text: str) -> Query:
    """`openssl`, `openssl<3.0.14`, `deb:openssl>=3,<3.0.14`. Raises NotAQuery."""
    found = _WHOLE.fullmatch(text.strip())
    if found is None or (found["ecosystem"] or "deb") not in ECOSYSTEMS:
        raise NotAQuery(f"`{visible(text, 100)}` cannot be understood; write `openssl`, `openssl<3.0.14` or `deb:openssl>=3,<3.0.14`")
    bounds = []
    for part in found["bounds"].split(",") if found["bounds"] else ():
        bound = _BOUND.fullmatch(part.strip())
        if bound is None:
            raise NotAQuery(f"`{visible(part.strip(), 100)}` is not a bound; write one such as `<3.0.14`, and a comma between two")
        bounds.append(("==" if bound[1] == "=" else bound[1], bound[2]))
    return Query(found["name"], found["ecosystem"] or "", tuple(bounds))


def _holds(ecosystem: str, version: str, sign: str, bound: str) -> bool:
    order = compare(ecosystem, _as_asked(ecosystem, version, bound), bound)
    match sign:
        case "<":
            return order < 0
        case "<=":
            return order <= 0
        case ">":
            return order > 0
        case ">=":
            return order >= 0
        case "==":
            return order == 0
        case _:
            return order != 0


def _as_asked(ecosystem: str, version: str, bound: str) -> str:
    """A version of a distribution without the epoch and the revision that the question leaves out."""
    if ecosystem in ("deb", "rpm"):
        if ":" not in bound:
            version = version.partition(":")[2] or version
        if "-" not in bound:
            version = version.rpartition("-")[0] or version
    elif ecosystem == "apk" and "-r" not in bound:
        version = version.rpartition("-r")[0] or version
    return version
