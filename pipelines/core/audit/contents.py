"""Contents indices of Debian and Ubuntu: which package has a library (Debian wiki, RepositoryFormat, "Contents" indices)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

_LINE = re.compile(rb"((?:usr/)?lib(?:32|64|x32)?/(?:[^/\s]+/)*)(lib[^/\s]*\.so(?:\.[^/\s]*)?)[ \t]+(\S+)")
_DEVELOPMENT = re.compile(r"(?:-dev|-dbg|-dbgsym|-cross|-udeb)$|-cross-|^lib(?:32|x32|64)")
_MULTIARCH = re.compile(r"^(?:usr/)?lib(?:64)?/(?:[a-z0-9_]+-linux-gnu[a-z0-9]*/)?$")
PORTS = "ubuntu-ports"
MIRRORS: Mapping[str, str] = {
    "debian": "http://deb.debian.org/debian",
    "ubuntu": "http://archive.ubuntu.com/ubuntu",
    PORTS: "http://ports.ubuntu.com/ubuntu-ports",
}
"""Where each distribution publishes, unless somebody says otherwise."""


def source(distribution: str, architecture: str) -> str:
    """Which of the mirrors has an architecture: Ubuntu keeps all but those of PCs on another one."""
    return PORTS if distribution == "ubuntu" and architecture not in {"amd64", "i386"} else distribution


class Row(NamedTuple):
    """A library in a distribution."""

    name: str
    """`libGL.so.1`."""
    folder: str
    """`usr/lib/x86_64-linux-gnu/`."""
    packages: tuple[str, ...]
    """Each with its section: `libs/libgl1`."""


def paths(distribution: str, suite: str, architecture: str) -> tuple[str, ...]:
    """Where an index may stand below a mirror: Debian has one a component, Ubuntu one for all."""
    name = f"Contents-{architecture}.gz"
    return (f"dists/{suite}/{name}",) if distribution == "ubuntu" else (f"dists/{suite}/main/{name}", f"dists/{suite}/{name}")


def rows(lines: bytes) -> Iterator[Row]:
    """The libraries in whole lines of an index."""
    for line in lines.splitlines():
        if b".so" in line and (found := _LINE.fullmatch(line)):
            folder, name, owners = (part.decode("utf-8", "replace") for part in found.groups())
            yield Row(name, folder, tuple(owners.split(",")))


def package(name: str, found: Iterable[Row], *, developers: bool = True) -> str | None:
    """The package to install for a library: one for run time that has it where the loader looks, without its section; None for none.

    `developers`: one for developers will do where there is no other.
    """
    ranked = sorted((_rank(row, owner), owner.rpartition("/")[2]) for row in found if matches(name, row.name) for owner in row.packages)
    return ranked[0][1] if ranked and (developers or not ranked[0][0][0]) else None


def matches(name: str, file: str) -> bool:
    """Whether a file is the library asked for: `libfoo.so.1` by that very name, `foo` as any `libfoo.so.N` (ctypes.util.find_library)."""
    if ".so" in name:
        return name == file
    return file.startswith(f"lib{name}.so.") and file.removeprefix(f"lib{name}.so.").isdigit()


def _rank(row: Row, owner: str) -> tuple[bool, bool, bool, int, int]:
    """Lower is better: not for developers, where the loader looks, in section libs; the newest version of the library; the shortest name."""
    section, _, name = owner.rpartition("/")
    version = row.name.rpartition(".so.")[2]
    developers = "devel" in section or bool(_DEVELOPMENT.search(name))
    return developers, not _MULTIARCH.match(row.folder), not section.endswith("libs"), -int(version) if version.isdigit() else 0, len(name)
