"""IRI references (RFC 3987): what schemas of SBOMs ask addresses to be.

`jsonschema` would ask rfc3987-syntax, which builds parsers of any grammar when it is imported (0.9 s of CPU time) and then reads a third of a millisecond
at each character. So it is not installed, and the format means this instead.
"""

from __future__ import annotations

import re

from rfc3986_validator import validate_rfc3986

_PLANES = "".join(f"{chr(plane << 16)}-{chr((plane << 16) + 0xFFFD)}" for plane in range(1, 14))
_UCSCHAR = re.compile(f"[\xa0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef{_PLANES}\U000e1000-\U000efffd]")
_IPRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_QUERY = re.compile(r"\A([^?#]*\?)([^#]*)")
_ESCAPED = "%C2%A0"
"""Stands for any character that an IRI may have and a URI may not."""


def is_iri_reference(text: str) -> bool:
    """Whether it is a URI reference once its other characters are escaped (section 3.1). Private ones may stand in a query alone (section 2.2)."""
    escaped = _QUERY.sub(lambda found: found[1] + _IPRIVATE.sub(_ESCAPED, found[2]), text)
    return not text.endswith("\n") and bool(validate_rfc3986(_UCSCHAR.sub(_ESCAPED, escaped), rule="URI_reference"))
