"""Canonical JSON and digests: the same value gives the same bytes, wherever and whenever."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """JSON with sorted keys and no white space (the subset of RFC 8785 that our values need)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Any) -> str:
    """`sha256:<hex>` of the canonical JSON of `value`."""
    return "sha256:" + hashlib.sha256(dumps(value)).hexdigest()


def short(value: Any, length: int = 10) -> str:
    """First `length` hex digits of the digest: enough to name an object by its content."""
    return hashlib.sha256(dumps(value)).hexdigest()[:length]
