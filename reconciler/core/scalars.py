"""What a plain (unquoted) YAML scalar means: the core schema of YAML 1.2.2, section 10.3.2, less what readers disagree on."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from reconciler.core.codes import documents as codes
from reconciler.model.findings import Code

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_YES = frozenset({"yes", "on", "y"})
_NO = frozenset({"no", "off", "n"})
_NUMERIC = frozenset("+-.0123456789")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_OCTAL = re.compile(r"[-+]?(?:0[0-9]+|0o[0-7]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_UNREAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST = 20
"""Digits and sign of the longest number that fits into 64 bits."""


class Doubtful(NamedTuple):
    """A scalar that readers take differently, with what was probably meant, so that reading can go on."""

    meant: Scalar
    code: Code
    message: str
    fix: str


@lru_cache(maxsize=8192)
def plain(text: str) -> Scalar | Doubtful:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC:
        return _number(text)
    if len(text) <= 3 and (word := text.lower()) in _YES | _NO:
        meant = word in _YES
        said = str(meant).lower()
        return Doubtful(
            meant,
            codes.AMBIGUOUS,
            f"`{text}` is {said} to some YAML readers and text to others",
            f'write {said} for a truth value, or "{text}" for text',
        )
    return text


def _number(text: str) -> Scalar | Doubtful:
    if _INT.fullmatch(text):
        return _whole(text, 10)
    if _OCTAL.fullmatch(text):
        sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-0o") or "0"
        return Doubtful(
            int(sign + digits) if len(digits) < _LONGEST else 0,
            codes.OCTAL,
            f"`{_cut(text)}` is octal to some YAML readers and decimal or text to others",
            f'write {sign}{_cut(digits)} for a decimal number, or "{_cut(text)}" for text',
        )
    if _HEX.fullmatch(text):
        return _whole(text, 16)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return _unkept(text) if number in (float("inf"), float("-inf")) else number
    return _unkept(text) if _UNREAL.fullmatch(text) else text


def _whole(text: str, base: int) -> int | Doubtful:
    if len(text) > _LONGEST or not -(2**63) <= (number := int(text, base)) < 2**63:
        return _unkept(text)
    return number


def _unkept(text: str) -> Doubtful:
    return Doubtful(0, codes.NOT_A_NUMBER, f"`{_cut(text)}` is no number that can be kept in 64 bits", f'write "{_cut(text)}" for text')


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
