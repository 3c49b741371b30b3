"""Package URLs (github.com/package-url/purl-spec): taken apart, and compared as a pattern with a package's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote


class Purl(NamedTuple):
    """The parts of a package URL."""

    type: str
    namespace: str
    name: str
    version: str
    qualifiers: Mapping[str, str]


def parse(text: str) -> Purl | None:
    """None for what is no package URL."""
    if not text.startswith("pkg:"):
        return None
    head, _, query = text.removeprefix("pkg:").partition("#")[0].partition("?")
    path, at, version = head.rpartition("@")
    if not at or "/" in version:
        path, version = head, ""
    kind, _, rest = path.strip("/").partition("/")
    namespace, _, name = rest.rpartition("/")
    if not kind or not name:
        return None
    kind = kind.lower()
    return Purl(kind, unquote(namespace), _name(kind, unquote(name)), unquote(version), dict(parse_qsl(query)))


def _name(kind: str, name: str) -> str:
    """Names of the Python package index are written in many ways (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower() if kind == "pypi" else name


def difference(pattern: Purl, purl: Purl, source: str = "") -> str | None:
    """Empty where the pattern matches; what keeps it from that where both name one package; None where they do not.

    What the pattern leaves out matches anything. A pattern may name the source package.
    """
    if pattern[:2] != purl[:2] or pattern.name not in (purl.name, source):
        return None
    if pattern.version and pattern.version != purl.version:
        return f"it says version {pattern.version}, the image has {purl.version}"
    for key, value in pattern.qualifiers.items():
        if (key, value) == ("arch", "source"):
            continue
        if purl.qualifiers.get(key) != value:
            return f"it says {key}={value}, the image's package has {f'{key}={purl.qualifiers[key]}' if key in purl.qualifiers else f'no {key}'}"
    return ""
