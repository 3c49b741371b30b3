"""Reads what a 401 demands: the WWW-Authenticate header in all the forms that RFC 9110 allows (11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word for a name
_PART = re.compile(
    rf"""\s*,*\s*(?:
        (?P<name>{_TOKEN})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"=]+))
      | (?P<scheme>{_TOKEN}+)(?!\s*=)(?:\s+(?P<token68>[A-Za-z0-9._~+/-]+=*)(?=\s*(?:,|$)))?
    )\s*""",
    re.VERBOSE,
)
LONGEST = 8192


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in: `bearer` or `basic`, in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All that the headers offer, in their order; what cannot be read ends its header."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        position = 0
        while position < len(header[:LONGEST]) and (part := _PART.match(header, position)):
            position = part.end()
            if part["scheme"]:
                found.append((part["scheme"].lower(), {}))
            elif found:
                value = re.sub(r"\\(.)", r"\1", part["quoted"]) if part["quoted"] is not None else part["bare"]
                found[-1][1].setdefault(part["name"].lower(), value)
            else:
                break
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)
