"""Needs: what each file of an image asks for and the image does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from posixpath import dirname
from typing import NamedTuple

from pipelines.core.audit import sources
from pipelines.core.audit.evidence import APPLICATIONS, Evidence, Folders
from pipelines.core.audit.known import DRIVER, FOREIGN_LIBRARIES
from pipelines.core.audit.libraries import Linker, configured
from pipelines.core.audit.look import SETTINGS
from pipelines.core.audit.modules import SITES, Lost, Shelf, lost
from pipelines.core.audit.sources import Source, When
from pipelines.core.audit.system import installed, system
from pipelines.core.audit.tree import within
from pipelines.model.audit import GapKind, Grade

NAMED = "named"
"""How a spec asks for a module: it is code of the fleet's own, so that no distribution is offered for it."""
ASIDE = frozenset({"_examples", "examples", "test", "tests", "testing", "benchmarks"})
"""Folders whose sources no service runs."""


class Need(NamedTuple):
    """One thing that one file needs."""

    kind: GapKind
    name: str
    grade: Grade
    by: str
    reason: str
    detail: str = ""


class Scene:
    """One image and what is asked of it; what several questions need is worked out once."""

    def __init__(self, evidence: Evidence, folders: Folders) -> None:
        self.evidence, self.folders, self.tree = evidence, folders, evidence.tree
        self.unread: dict[str, str] = {}
        self.parsed: dict[str, Source | None] = {}
        self.alternatives: dict[str, tuple[str, ...]] = {}
        self.objects = 0
        texts = {path: text for path in self.tree.entries if _is_setting(path) and (text := self._text(path)) is not None}
        variables = evidence.environment
        self.linker = Linker(self.tree, evidence.elves, configured(self.tree, texts), _list(variables.get("LD_LIBRARY_PATH", "")))
        self.shelf = Shelf(self.tree, texts, _list(variables.get("PYTHONPATH", "")))
        self.system = system(self._text("etc/os-release") or self._text("usr/lib/os-release") or "", evidence.elves.values())
        self.status = "\n".join(text for path, text in texts.items() if "dpkg/status" in path)

    def linked(self) -> Iterator[Need]:
        """Libraries that files link to and the loader would not find: for sure where the file is run or imported, else perhaps."""
        loaded: list[str] = []
        others: list[str] = []
        for path, entry in self.tree.files(*self.folders.libraries):
            if (elf := self.evidence.elves.get(entry.content)) is not None:
                self.objects += 1
                (loaded if elf.interpreter or self._is_imported(path) else others).append(path)
        for grade, paths in ((Grade.ERROR, loaded), (Grade.WARNING, others)):
            for one in self.linker.missing(paths):
                if not one.elsewhere:
                    yield Need(GapKind.LIBRARY, one.name, grade, one.by, "linked to")
                else:
                    detail = f"the loader finds it only if something has loaded /{one.elsewhere} before"
                    yield Need(GapKind.LIBRARY, one.name, Grade.NOTE, one.by, "linked to", detail)

    def asked(self) -> Iterator[Need]:
        """Libraries that Python code asks for by name."""
        for path in self._sources():
            text = self.evidence.read(path)
            if text is None or not any(hint in text for hint in sources.HINTS):
                continue
            for one in source.asked if (source := self._source(path)) is not None else ():
                names = tuple(name for name in one.names if _is_ours(name))
                if names and not any(name in DRIVER or self.linker.has(name) or self.linker.bundled(name) for name in names):
                    self.alternatives.setdefault(names[0], names)
                    yield Need(GapKind.LIBRARY, names[0], Grade.WARNING, f"{path}:{one.line}", f"asked for by name with {one.by}")

    def opened(self) -> Iterator[Need]:
        """Libraries whose names are among the strings of files that call dlopen."""
        for path, entry in self.tree.files(*self.folders.libraries):
            elf = self.evidence.elves.get(entry.content)
            if elf is None or not (self._is_installed(path) or within(path, set(APPLICATIONS))):
                continue  # what the distribution packs, it has decided on
            for name in elf.opens:
                if name not in DRIVER and name not in elf.needed and not self.linker.has(name) and not self.linker.bundled(name):
                    self.alternatives.setdefault(name, (name,))
                    yield Need(GapKind.LIBRARY, name, Grade.NOTE, path, "may be loaded with dlopen")

    def imported(self) -> Iterator[Need]:
        """Modules that services import, and what installed packages need to be imported at all."""
        yield from self._named()
        own = [path for path in self._sources() if within(path, set(self.folders.python)) and not self._is_installed(path)]
        for base in sorted(self.folders.python):
            roots = [path for path in own if within(path, {base})]
            yield from self._needed(lost(self.shelf, roots, base, self._source, deep=True), Grade.ERROR)
        for site in self.shelf.sites:
            if within(site, set(self.folders.python)):
                roots = [one.file for name, one in sorted(self.shelf.names(site).items()) if one.file and not name.startswith("_")]
                yield from self._needed(lost(self.shelf, roots, site, self._source, deep=True), Grade.WARNING)

    def installed(self) -> Iterator[Need]:
        """Debian packages that must be there and are not."""
        there = installed(self.status)
        for name in self.folders.packages:
            if name not in there:
                yield Need(GapKind.PACKAGE, name, Grade.ERROR, "the spec's `audit.packages`", "asked for")

    def _named(self) -> Iterator[Need]:
        """Modules that specs name, and what each of them imports."""
        bases = sorted(self.folders.python)
        for name, named in sorted(self.folders.modules.items()):
            modules, missing = self.shelf.chain(name, (*bases, *self.shelf.folders))
            if missing or len(modules) < len(name.split(".")):
                yield Need(GapKind.MODULE, name, named.grade, named.by, NAMED)
            else:
                files = [module.file for module in modules if module.file]
                yield from self._needed(lost(self.shelf, files, dirname(files[-1]) if files else "", self._source, deep=True), named.grade)

    def _needed(self, found: Iterable[Lost], grade: Grade) -> Iterator[Need]:
        for one in found:
            if one.when is When.PERHAPS:
                continue
            real = grade if one.when is When.ALWAYS else Grade.WARNING if grade is Grade.ERROR else Grade.NOTE
            if real is Grade.NOTE:
                continue
            reason = "imported" if one.when is When.ALWAYS else "imported by a function"
            detail = f"an import in /{one.through} comes to it" if one.through else ""
            yield Need(GapKind.MODULE, one.name, real, f"{one.path}:{one.line}", reason, detail)

    def _sources(self) -> Iterator[str]:
        for path, _ in self.tree.files(*self.folders.python):
            if path.endswith(".py") and not self._is_standard(path) and not ASIDE.intersection(path.split("/")):
                yield path

    def _is_standard(self, path: str) -> bool:
        return within(path, set(self.shelf.standard)) and not self._is_installed(path)

    def _is_installed(self, path: str) -> bool:
        return any(part in SITES for part in path.split("/"))

    def _is_imported(self, path: str) -> bool:
        """Whether a shared object is a module of Python's."""
        folder, _, name = path.rpartition("/")
        module = self.shelf.names(folder).get(name.partition(".")[0])
        return self._is_installed(path) and not name.startswith("lib") and module is not None and not module.folders

    def _source(self, path: str) -> Source | None:
        if path not in self.parsed:
            self.parsed[path] = None
            text = self.evidence.read(path)
            try:
                self.parsed[path] = sources.read(text) if text is not None else None
            except sources.Unreadable as fault:
                self.unread[path] = f"a Python source that does not parse here: {fault}"
        return self.parsed[path]

    def _text(self, path: str) -> str | None:
        real = self.tree.resolve(path)
        body = self.evidence.read(real) if real is not None else None
        return body.decode("utf-8", "replace") if body is not None else None


def _is_setting(path: str) -> bool:
    return path in SETTINGS or path.endswith(".pth") or path.startswith(("etc/ld.so.conf.d/", "var/lib/dpkg/status.d/"))


def _is_ours(name: str) -> bool:
    """Whether a name can mean a library of Linux."""
    foreign = name.lower().endswith((".dll", ".dylib", ".pyd", ".framework")) or ".framework/" in name or "\\" in name
    here = "/" in name and not name.startswith("/")  # from wherever it is started
    return bool(name) and not foreign and not here and name not in FOREIGN_LIBRARIES and " " not in name and len(name) < 128


def _list(text: str) -> list[str]:
    return [one.lstrip("/") for one in text.split(":") if one.startswith("/")]
