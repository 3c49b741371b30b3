"""What a registry answered instead of what it was asked for, as a sentence. Nothing it sends reaches a terminal as it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from pipelines.ports import Denied, RegistryFault, Unreachable, WrongDigest

LONGEST = 300
"""Characters of a registry's own words that are repeated."""
HINTS = {
    405: "the registry does not allow this; deleting is off by default in docker-registry, and GHCR wants its packages API for it",
    413: "the registry takes no upload of this size; look at the limits of whatever stands before it",
    429: "too many requests: wait, log in, or pull through a mirror",
    507: "the registry's disk is full",
}
_LOGIN = "log in with `docker login`, `podman login` or `skopeo login`; in GitHub Actions give the job `packages: write`"
_MAY = "these credentials may not do this: check the role of the account, and on GHCR that the package lets this repository in"


class Refusal(NamedTuple):
    """A status, and the first error of a body of the distribution specification ("Error Codes")."""

    status: int
    code: str
    words: str


def printable(text: str, longest: int = LONGEST) -> str:
    """Text on one line, with control characters, escapes and what changes the direction of text spelled out, cut to a length."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[:longest]}..."


def refusal(status: int, kind: str, body: bytes) -> Refusal:
    """What an answer says, whatever it is: JSON of the specification, HTML of a proxy, or noise."""
    try:
        fields: Any = orjson.loads(body)
        first = fields["errors"][0]
        code, message, detail = (first.get(name) for name in ("code", "message", "detail"))
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        is_page = "html" in kind or body.lstrip()[:1] == b"<"
        words = "a web page, so perhaps it is no registry" if is_page else printable(body.decode("utf-8", "replace").strip())
        return Refusal(status, "", words)
    words = ": ".join(text for text in (message, detail) if isinstance(text, str) and text)
    return Refusal(status, printable(code, 60) if isinstance(code, str) else "", printable(words))


def fault(host: str, doing: str, told: Refusal) -> RegistryFault:
    """The exception for an answer."""
    said = ": ".join(part for part in (told.code, told.words) if part)
    message = f"{host} answered {told.status} when asked to {doing}{said and f' ({said})'}"
    if told.code == "DIGEST_INVALID":
        return WrongDigest(message, "what it got is not what was sent; try again", status=told.status, code=told.code)
    if told.status in (401, 403):
        return Denied(message, _LOGIN if told.status == 401 else _MAY, status=told.status, code=told.code)
    return RegistryFault(message, HINTS.get(told.status, ""), status=told.status, code=told.code)


def unreachable(host: str, doing: str, why: Exception) -> Unreachable:
    """The exception for no answer."""
    said = printable(str(why)) or type(why).__name__
    return Unreachable(f"{host} did not answer when asked to {doing}: {said}", f"check the network, and the name {host}")
