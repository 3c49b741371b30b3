"""Addresses: what may be followed, checked before git starts. A URL or a branch that git takes for an option runs commands."""

from __future__ import annotations

import re
from collections.abc import Collection

from reconciler.core.paths import shown
from reconciler.model.value import dataclass
from reconciler.ports import SourceUnavailable

SECURE = frozenset({"https", "ssh"})
"""Schemes that are followed anywhere."""
TRIAL = SECURE | {"http", "file"}
"""With those that only a trial on one machine may use: nothing protects what they carry."""

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_URL = re.compile(rf"(https?|ssh)://(?:([^/@]*)@)?({_HOST})(?::([0-9]{{1,5}}))?(/[A-Za-z0-9._~+%@=/-]+)")
_FILE = re.compile(r"(file)://(/[A-Za-z0-9._~+%@=/ -]+)")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SHORT_SSH = re.compile(rf"([A-Za-z0-9_][A-Za-z0-9._-]*)@({_HOST}):([A-Za-z0-9._~+/-]+)")
_BRANCH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/+@#=-]{0,198}[A-Za-z0-9_+@#=-])?")
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+=-]*(?:/[A-Za-z0-9_][A-Za-z0-9._@+=-]*)*")


@dataclass(frozen=True, slots=True)
class Address:
    """A repository elsewhere. The URL holds no secret."""

    url: str
    scheme: str
    host: str
    """With its port, where one is said; empty for a folder of this machine."""

    @property
    def origin(self) -> str:
        """What credentials are for: scheme, host and port."""
        return f"{self.scheme}://{self.host}"

    def __str__(self) -> str:
        return self.url


def address(url: str, schemes: Collection[str] = SECURE) -> Address:
    """The address that a URL stands for. Raises SourceUnavailable; the message shows no password."""
    if short := _SHORT_SSH.fullmatch(url):
        raise SourceUnavailable(
            "the repository's URL has no scheme", f"write ssh://{short[1]}@{short[2]}/{short[3].removeprefix('/')}, as the server has it"
        )
    scheme = url.partition("://")[0] if "://" in url else ""
    found = _FILE.fullmatch(url) if scheme == "file" else _URL.fullmatch(url)
    if not found or len(url) > 2048 or "/../" in f"{url}/":
        said = repr(shown(url)) if "@" not in url else "what is given"
        raise SourceUnavailable(f"{said[:200]} is not the URL of a repository", f"write {_examples(schemes)}")
    if scheme not in schemes:
        raise SourceUnavailable(f"{scheme} is not followed: nothing protects it", f"write {_examples(schemes)}")
    if scheme == "file":
        return Address(url, scheme, "")
    _, user, host, port, _ = found.groups()
    if user is not None and (scheme != "ssh" or not _USER.fullmatch(user)):
        raise SourceUnavailable("the repository's URL holds a user or a password", "take it out, and put it into the Secret of credentials")
    if port and not 0 < int(port) < 65536:
        raise SourceUnavailable(f"{port} is not a port", f"write {_examples(schemes)}")
    return Address(url, scheme, f"{host}:{port}" if port else host)


def _examples(schemes: Collection[str]) -> str:
    known = {"https": "https://HOST/PATH", "ssh": "ssh://git@HOST/PATH", "http": "http://HOST/PATH", "file": "file:///PATH"}
    return " or ".join(text for scheme, text in known.items() if scheme in schemes)


def branch(name: str) -> str:
    """The name, if git would take it for a branch (git-check-ref-format). Raises SourceUnavailable."""
    parts = name.split("/")
    bad = any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    if not _BRANCH.fullmatch(name) or bad or ".." in name:
        raise SourceUnavailable(f"{shown(name)[:200]!r} is not the name of a branch", "name a branch, such as main")
    return name


def folder(path: str) -> str:
    """The path of the fleet's folder, from the top of the repository; empty for the top. Raises SourceUnavailable."""
    path = path.strip("/")
    if path and path != "." and not _FOLDER.fullmatch(path):
        raise SourceUnavailable(f"{shown(path)[:200]!r} is not a folder of a repository", "name it from the top, such as deploy/fleet")
    return "" if path == "." else path
