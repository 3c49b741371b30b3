"""Secrecy: whether a value looks like a secret that somebody wrote into a file that everybody reads."""

from __future__ import annotations

import re
from collections import Counter
from math import log2

_TOKEN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{40}"
    r"|\bglpat-[A-Za-z0-9_-]{20}|\bxox[abprs]-[A-Za-z0-9-]{10}|\bsk-[A-Za-z0-9_-]{20}|\bAIza[A-Za-z0-9_-]{35}|\bhf_[A-Za-z0-9]{30}"
    r"|\bnpm_[A-Za-z0-9]{36}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}"
)
"""Tokens that their makers made to be recognised."""
_LOGIN = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY|SECRET_KEY|CREDENTIALS?)$", re.IGNORECASE
)
_HARMLESS = re.compile(r"^(?:[\d.]+[a-zA-Z]{0,2}|true|false|none|null|/\S*|[a-z][a-z0-9+.-]*://\S*|[a-z][a-z0-9.-]*/[A-Za-z0-9._-]+)?$")
"""Numbers, switches, paths, addresses and `secret/key` references."""
_PLACEHOLDER = re.compile(r"^[$<{%]|^(?:changeme|example|placeholder|xxx+)$", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9]{24,}")
_HEX = re.compile(r"^[0-9a-f]+$")
_SHORTEST = 6
_BITS = 3.8
"""Bits for each character: English in mixed case stays below, base64 of chance bytes is above."""
_EACH = 3


def looks_secret(name: str, value: str) -> str:
    """Why the value of a variable looks like a secret, or the empty string."""
    if known_token(value):
        return "it has the form of a well-known kind of token"
    login = _LOGIN.search(value)
    if login and not _PLACEHOLDER.match(login[1]):
        return "it is an address with a password in it"
    if _SECRET_NAME.search(name) and len(value) >= _SHORTEST and not _HARMLESS.match(value) and not _PLACEHOLDER.match(value):
        return "its name says so"
    if any(_by_chance(run) for run in _RUN.findall(value)):
        return "it looks made by chance"
    return ""


def redacted(text: str) -> str:
    """A text without tokens of a well-known form, and without the passwords of addresses."""
    return _TOKEN.sub("***", _LOGIN.sub(lambda found: found[0].replace(f":{found[1]}@", ":***@"), text))


def known_token(text: str) -> bool:
    """Whether a text holds a token of a well-known form, or a private key."""
    return _TOKEN.search(text) is not None


def _by_chance(run: str) -> bool:
    kinds = (sum(map(str.islower, run)), sum(map(str.isupper, run)), sum(map(str.isdigit, run)))
    if _HEX.match(run) or min(kinds) < _EACH:
        return False
    return -sum(count / len(run) * log2(count / len(run)) for count in Counter(run).values()) > _BITS
