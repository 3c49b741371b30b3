"""Shared libraries: where the dynamic loader would find what each file links to (ld.so(8)), and what it would not find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from posixpath import dirname, normpath
from typing import NamedTuple

from pipelines.core.audit.known import DRIVER
from pipelines.core.audit.tree import Tree
from pipelines.model.audit import Elf, EntryKind

TUPLES: Mapping[int, tuple[str, str]] = {
    3: ("i386", "i386-linux-gnu"),
    21: ("ppc64el", "powerpc64le-linux-gnu"),
    22: ("s390x", "s390x-linux-gnu"),
    40: ("armhf", "arm-linux-gnueabihf"),
    62: ("amd64", "x86_64-linux-gnu"),
    183: ("arm64", "aarch64-linux-gnu"),
    243: ("riscv64", "riscv64-linux-gnu"),
}
"""e_machine -> Debian's architecture and its folder under /usr/lib."""
MAX_INCLUDES = 64
_COPY = re.compile(r"^[0-9a-f]{8,64}\.so")


class Missing(NamedTuple):
    """A library that the loader would not find."""

    name: str
    by: str
    """Path of the file that links to it."""
    elsewhere: str
    """Where the image has it all the same, out of the loader's sight; empty for nowhere."""


class Linker:
    """The dynamic loader of an image, as far as finding goes."""

    def __init__(self, tree: Tree, elves: Mapping[int, Elf], configured: Iterable[str] = (), environment: Iterable[str] = ()) -> None:
        """`elves` by content; `configured` are the folders of ld.so.conf, `environment` those of LD_LIBRARY_PATH."""
        self.tree = tree
        self.elves = elves
        self.environment = tuple(environment)
        self.configured = tuple(configured)

    def elf(self, path: str) -> Elf | None:
        """The ELF file that a path leads to."""
        entry = self.tree.at(path)
        return self.elves.get(entry.content) if entry is not None and entry.kind is EntryKind.FILE else None

    def missing(self, paths: Iterable[str]) -> Iterator[Missing]:
        """What the files, and whatever they pull in, would not find. Each file is looked at once a set of inherited paths."""
        todo: list[tuple[str, tuple[str, ...]]] = [(path, ()) for path in paths]
        seen = set(todo)
        while todo:
            path, inherited = todo.pop()
            elf = self.elf(path)
            if elf is None:
                continue
            own = () if elf.runpath else _expanded(elf.rpath, path, elf)
            handed = tuple(dict.fromkeys((*own, *inherited)))
            for name in elf.needed:
                found = self.find(name, path, elf, handed)
                if found is None:
                    if name not in DRIVER:
                        yield Missing(name, path, self._elsewhere(name, elf))
                elif (found, handed) not in seen:
                    seen.add((found, handed))
                    todo.append((found, handed))

    def find(self, name: str, path: str, elf: Elf, rpath: tuple[str, ...] = ()) -> str | None:
        """The real path of what is loaded for a name that `path` links to; None for nothing."""
        if "/" in name:
            folders: tuple[str, ...] = ("",)
        else:
            runpath = _expanded(elf.runpath, path, elf)
            folders = (*(() if runpath else rpath), *self.environment, *runpath, *self.configured, *_usual(elf))
        for folder in folders:
            real = self.tree.resolve(f"{folder}/{name}")
            if real is not None and (there := self.elf(real)) is not None and there.machine == elf.machine:
                return real
        return None

    def has(self, name: str) -> str | None:
        """A file of the image that would do for a library asked for at run time: `foo`, `libfoo.so.1`, or a path."""
        if name.startswith("/"):
            return name if self.tree.at(name) else None
        last = name.rpartition("/")[2]
        if ".so" in last:
            found = self._by_name.get(last)
            return found[0] if found else None
        return next((paths[0] for file, paths in self._by_name.items() if file.startswith(f"lib{last}.so")), None)

    def bundled(self, name: str) -> bool:
        """Whether a wheel brought a library under the name that auditwheel gives its copies: `libfoo-1a2b3c4d.so.1`."""
        stem = (name.partition(".so")[0] if ".so" in name else f"lib{name}") + "-"
        return any(file.startswith(stem) and _COPY.match(file.removeprefix(stem)) for file in self._by_name)

    def _elsewhere(self, name: str, elf: Elf) -> str:
        """A library of that file name or that SONAME anywhere: enough where another file has loaded it before."""
        for path in [*self._by_name.get(name, []), *self._by_soname.get(name, [])]:
            there = self.elf(path)
            if there is not None and there.machine == elf.machine:
                return path
        return ""

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path, entry in self.tree.entries.items():
            if entry.kind in {EntryKind.FILE, EntryKind.LINK} and ".so" in path and self.elf(path) is not None:
                found.setdefault(path.rpartition("/")[2], []).append(path)
        return found

    @cached_property
    def _by_soname(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path, entry in self.tree.entries.items():
            if (elf := self.elves.get(entry.content)) is not None and elf.soname:
                found.setdefault(elf.soname, []).append(path)
        return found


def configured(tree: Tree, texts: Mapping[str, str], start: str = "etc/ld.so.conf") -> list[str]:
    """The folders of ld.so.conf and of what it includes (ldconfig(8)). `texts` are files by their real path."""
    folders: list[str] = []
    todo, seen = [start], set[str]()
    while todo and len(seen) < MAX_INCLUDES:
        path = tree.resolve(todo.pop(0))
        if path is None or path in seen or path not in texts:
            continue
        seen.add(path)
        for line in texts[path].splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["include"]:
                todo[:0] = [one for pattern in words[1:] for one in _matching(pattern, path, texts)]
            elif words:
                folders.append(words[0].lstrip("/"))
    return folders


def _matching(pattern: str, path: str, texts: Mapping[str, str]) -> list[str]:
    """The files that an `include` means; a star stands for any name in one folder."""
    full = pattern.lstrip("/") if pattern.startswith("/") else f"{dirname(path)}/{pattern}"
    before, star, after = full.partition("*")
    if not star:
        return [full]
    return sorted(one for one in texts if one.startswith(before) and one.endswith(after) and "/" not in one[len(before) :])


def _usual(elf: Elf) -> tuple[str, ...]:
    """Folders that the loader knows by itself: those of glibc with Debian's multiarch, of Red Hat's glibc, and of musl."""
    bits, _, machine = elf.machine
    multiarch = TUPLES.get(machine, ("", ""))[1]
    triple = (f"lib/{multiarch}", f"usr/lib/{multiarch}") if multiarch else ()
    return (*triple, *(("lib64", "usr/lib64") if bits == 64 else ()), "lib", "usr/lib", "usr/local/lib")


def _expanded(folders: Iterable[str], path: str, elf: Elf) -> tuple[str, ...]:
    """RPATH or RUNPATH with its tokens filled in (ld.so(8), "Dynamic string tokens"). What is relative to nobody knows where is left out."""
    tokens = {"ORIGIN": "/" + dirname(path), "LIB": "lib64" if elf.machine[0] == 64 else "lib"}
    found = []
    for folder in folders:
        for token, value in tokens.items():
            folder = folder.replace(f"${{{token}}}", value).replace(f"${token}", value)
        if folder.startswith("/"):
            found.append(normpath(folder).lstrip("/"))
    return tuple(found)
