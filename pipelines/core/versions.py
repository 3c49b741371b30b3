"""Versions: which of two is newer, by the rules of their ecosystem."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

from packaging.version import InvalidVersion, Version

Order = Callable[[str, str], int]


def compare(ecosystem: str, one: str, other: str) -> int:
    """Below 0 where `one` is older than `other`, above 0 where it is newer. `ecosystem` is the type of a package URL."""
    return _ORDERS.get(ecosystem, _natural)(one, other)


def deb(one: str, other: str) -> int:
    """Epoch, upstream version, revision (deb-version(7))."""
    for mine, theirs, by in zip(_deb_parts(one), _deb_parts(other), (_natural, _dpkg, _dpkg), strict=True):
        if order := by(mine, theirs):
            return order
    return 0


def _deb_parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "")


def _dpkg(one: str, other: str) -> int:
    """Text and numbers in turn; `~` sorts before the end, letters before other characters."""
    pattern = re.compile(r"(\D*)(\d*)")
    mine, theirs = pattern.findall(one), pattern.findall(other)
    for (text, number), (their_text, their_number) in zip_longest(mine, theirs, fillvalue=("", "")):
        left, right = [[_weight(char) for char in part] + [0] for part in (text, their_text)]
        if left != right:
            return -1 if left < right else 1
        if order := int(number or 0) - int(their_number or 0):
            return order
    return 0


def _weight(char: str) -> int:
    return -1 if char == "~" else ord(char) if char.isalpha() and char.isascii() else ord(char) + 0x110000


def rpm(one: str, other: str) -> int:
    """Epoch, version, release by rpmvercmp (rpm-version(7)): `~` sorts before the end, `^` right behind it, numbers above letters."""
    (epoch, version, release), (their_epoch, their_version, their_release) = _deb_parts(one), _deb_parts(other)
    order = _natural(epoch, their_epoch) or _rpm(version, their_version)
    return order or (_rpm(release, their_release) if release and their_release else 0)


def _rpm(one: str, other: str) -> int:
    for mine, theirs in zip_longest(*(re.findall(r"\d+|[A-Za-z]+|~|\^", text) for text in (one, other)), fillvalue=""):
        if mine == theirs:
            continue
        left, right = _rpm_weight(mine), _rpm_weight(theirs)
        if left != right:
            return -1 if left < right else 1
    return 0


def _rpm_weight(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        return 3, int(part), ""
    return {"~": 0, "": 1, "^": 2}.get(part, 2), 0, "" if part in ("~", "", "^") else f"1{part}"


def pypi(one: str, other: str) -> int:
    """PEP 440; what is none is older than what is one."""
    try:
        mine: Version | None = Version(one)
    except InvalidVersion:
        mine = None
    try:
        theirs: Version | None = Version(other)
    except InvalidVersion:
        theirs = None
    if mine is None or theirs is None:
        return _natural(one, other) if mine is theirs else -1 if mine is None else 1
    return (mine > theirs) - (mine < theirs)


def semver(one: str, other: str) -> int:
    """Semantic Versioning 2.0.0, section 11, as Go and npm use it; `v` before it and what follows `+` do not count."""
    (mine, pre), (theirs, their_pre) = [text.removeprefix("v").partition("+")[0].partition("-")[::2] for text in (one, other)]
    if order := _natural(mine, theirs):
        return order
    if not pre or not their_pre:
        return bool(their_pre) - bool(pre)
    for left, right in zip_longest(pre.split("."), their_pre.split("."), fillvalue=""):
        if left != right:
            keys = [(0, 0, "") if not part else (1, int(part), "") if part.isdecimal() else (2, 0, part) for part in (left, right)]
            return -1 if keys[0] < keys[1] else 1
    return 0


_APK = {"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "": 0, "cvs": 1, "svn": 2, "git": 3, "hg": 4, "p": 5}


def apk(one: str, other: str) -> int:
    """Numbers, a letter, suffixes such as `_rc1` and `_p2`, then `-r` and the build (apk-tools, `version.c`)."""
    left, right = _apk_parts(one), _apk_parts(other)
    return (left > right) - (left < right)


def _apk_parts(version: str) -> tuple[Any, ...]:
    found = re.fullmatch(r"(\d+(?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(?:-r(\d+))?", version)
    if found is None:
        return (), "", [], 0
    suffixes = [(_APK.get(name, 0), int(number or 0)) for name, number in re.findall(r"_([a-z]+)(\d*)", found[3])]
    return tuple(map(int, found[1].split("."))), found[2], [*suffixes, (0, 0)], int(found[4] or 0)


def _natural(one: str, other: str) -> int:
    """Numbers as numbers, all else as text; a longer version is newer."""
    for mine, theirs in zip_longest(*(re.findall(r"\d+|[^\d.]+", text) for text in (one, other)), fillvalue=""):
        if mine != theirs:
            left, right = [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in (mine or "0", theirs or "0")]
            if left != right:
                return -1 if left < right else 1
    return 0


_ORDERS: dict[str, Order] = {
    "deb": deb,
    "rpm": rpm,
    "apk": apk,
    "pypi": pypi,
    "golang": semver,
    "npm": semver,
    "cargo": semver,
    "nuget": semver,
    "composer": semver,
}
