"""Decode JSON that anybody may have put into a registry: bounded, strict, and Malformed is all that it raises."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import orjson

from pipelines.model.trust import Malformed

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def decode(data: bytes, what: str, limit: int) -> dict[str, Any]:
    """The object that `data` is, at most `limit` bytes of it. Raises Malformed."""
    if len(data) > limit:
        raise Malformed(f"{what} is larger than {limit >> 10} KiB")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as fault:
        raise Malformed(f"{what} is not JSON: {fault.msg}") from None
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a JSON object")
    return value


def inner(value: dict[str, Any], key: str, what: str) -> dict[str, Any]:
    """The object under `key`. Raises Malformed."""
    found = value.get(key)
    if not isinstance(found, dict):
        raise Malformed(f"{what} has no object `{key}`")
    return found


def items(value: dict[str, Any], key: str, what: str, most: int) -> list[dict[str, Any]]:
    """The objects in the list under `key`, at most `most`. Raises Malformed."""
    found = value.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Malformed(f"{what} has no list `{key}` of objects")
    if len(found) > most:
        raise Malformed(f"{what} has more than {most} `{key}`")
    return found


def text(value: dict[str, Any], key: str, what: str) -> str:
    """The text under `key`. Raises Malformed."""
    found = value.get(key)
    if not isinstance(found, str):
        raise Malformed(f"{what} has no text `{key}`")
    return found


def digest(value: dict[str, Any], key: str, what: str) -> str:
    """The digest under `key`. Raises Malformed."""
    found = text(value, key, what)
    if not DIGEST.fullmatch(found):
        raise Malformed(f"{what} has a `{key}` that is not a digest")
    return found


def unbase64(value: str, what: str) -> bytes:
    """Bytes of standard base64, with nothing else in it (RFC 4648, section 4). Raises Malformed."""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{what} is not base64") from None
