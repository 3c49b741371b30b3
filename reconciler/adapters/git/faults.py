"""Faults: what went wrong with a fetch, as a sentence and what to do, from what git says in the C locale."""

from __future__ import annotations

import re
from typing import NamedTuple

from reconciler.adapters.git.address import Address
from reconciler.adapters.git.credentials import Credentials
from reconciler.core.paths import shown
from reconciler.ports import SourceUnavailable

_SECRET = "see to the Secret of credentials: it is read anew at each fetch"  # noqa: S105 - a sentence


class _Fault(NamedTuple):
    said: re.Pattern[str]
    message: str
    fix: str


def _fault(said: str, message: str, fix: str) -> _Fault:
    return _Fault(re.compile(said, re.IGNORECASE), message, fix)


_REMOTE = (
    _fault(
        r"error: 401|could not read (username|password)|authentication failed", "{where} does not accept the credentials (401)", _SECRET
    ),
    _fault(r"error: 403", "{where} forbids it with these credentials (403)", _SECRET),
    _fault(r"permission denied \(|no supported authentication|load key .* (error|invalid)", "{where} does not accept the ssh key", _SECRET),
    _fault(
        r"host key verification failed|remote host identification has changed|no .* host key is known",
        "{where} is not who known_hosts says it is",
        "compare its key with what its owner publishes; put the right one into known_hosts of the Secret",
    ),
    _fault(
        r"error: 30[1278]|update url base from redirection",
        "{where} sends to another address, which is not followed",
        "give the address where the repository really is",
    ),
    _fault(
        r"could not resolve (host|proxy|hostname)|name or service not known", "the host of {where} is not known", "check the URL, and DNS"
    ),
    _fault(
        r"ssl certificate|certificate (verif|problem|has expired|is not trusted)|self.signed|gnutls_handshake|ssl_|ssl routines",
        "the certificate of {where} is not trusted",
        "put the authority that signed it into the Secret of credentials, as ca.crt",
    ),
    _fault(
        r"error: 404|repository (.* )?not found|not valid: is this a git repository|does not appear to be a git repository|repository not exported",
        "there is no repository at {where}, or not for these credentials",
        "check the URL, and what the credentials may read",
    ),
    _fault(r"error: (429|5\d\d)", "{where} is out of order ({status})", "it is tried again; see what its owner says"),
    _fault(
        r"failed to connect|connection (refused|timed out|reset|closed)|could(n't| not) connect|no route to host|network is unreachable"
        r"|empty reply|recv failure|got nothing",
        "{where} does not answer",
        "it is tried again; check the network, and policies that keep the operator from it",
    ),
    _fault(
        r"no space left|disk quota exceeded|file too large",
        "there is no space left for the mirror",
        "give the operator's volume more space",
    ),
    _fault(
        r"out of memory|cannot allocate|malloc failed", "git needs more memory for {where} than it may have", "see what was committed there"
    ),
    _fault(
        r"fsck error|fsck-objects|error: object [0-9a-f]+: |dangling \.gitmodules|gitmodules",
        "{where} holds an object that git refuses: {said}",
        "take it out of the history of the branch",
    ),
    _fault(
        r"early eof|unexpected disconnect|hung up unexpectedly|index-pack|bad pack|pack has|pack is corrupted|protocol error|rpc failed"
        r"|invalid .* response|expected .* packet|unexpected flush|inflate",
        "what {where} sent is not whole: {said}",
        "it is tried again; if it stays so, git fsck there",
    ),
)
_DAMAGE = re.compile(
    r"packfile .* (does not match|cannot be|is truncated|claims|index)|\(stored in|is corrupt|bad object|unable to read|index file .* is too small"
    r"|not a git repository|bad config|cannot lock ref|unable to resolve reference|unable to parse|missing (tree|commit|blob)|could not parse"
    r"|did not send all necessary|error in object|bad tree|wrong index",
    re.IGNORECASE,
)
"""What git says where the mirror itself has a fault. A server's fault may read the same: then a new mirror meets it again."""
_REMARK = re.compile(r"^remote:.*$", re.MULTILINE)
"""What the server wants to be shown. It tells nothing of the mirror."""
_BRANCH_GONE = re.compile(r"couldn't find remote ref|could not find remote ref", re.IGNORECASE)
_UNASKED = re.compile(r"not our ref|does not allow request for|unadvertised object|filter|upload-pack: not", re.IGNORECASE)
_LINES = re.compile(r"^(?:fatal|error|remote|ssh): *(?:error: *|fatal: *)?(.+)$", re.MULTILINE)


def branch_gone(said: str) -> bool:
    """Whether the repository answers and lacks the branch."""
    return bool(_BRANCH_GONE.search(said))


def by_id_refused(said: str) -> bool:
    """Whether the server gives no objects by their id."""
    return bool(_UNASKED.search(said))


def sha256(said: str) -> bool:
    """Whether the server names its objects otherwise than the mirror does."""
    return "server sha256" in said


def explained(said: str, address: Address, given: Credentials) -> SourceUnavailable | None:
    """What is wrong elsewhere; None where it may be the mirror itself."""
    said = given.struck(said).replace(address.url, "URL")
    if _DAMAGE.search(_REMARK.sub("", said)):
        return None
    for fault in _REMOTE:
        if found := fault.said.search(said):
            status = found[1] if found.re.groups else ""
            return SourceUnavailable(fault.message.format(where=address, said=gist(said), status=status), fault.fix)
    return None


def unexplained(said: str, address: Address, given: Credentials) -> SourceUnavailable:
    """What nothing is known of but git's own words."""
    return SourceUnavailable(f"{address} cannot be fetched: {gist(given.struck(said))}", "see what git says")


def gist(said: str) -> str:
    """The line that says why, fit to be printed."""
    lines = _LINES.findall(said) or said.splitlines() or ["git says nothing"]
    return shown(lines[0].strip())[:300]
