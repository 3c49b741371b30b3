"""What an image lacks, from what was seen in it. Which packages have it is asked of the distribution afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from posixpath import dirname
from typing import NamedTuple

from pipelines.core.audit import contents, sources
from pipelines.core.audit.known import APART, DRIVER, FOREIGN_LIBRARIES, STANDARD
from pipelines.core.audit.libraries import TUPLES, Linker, configured
from pipelines.core.audit.look import SETTINGS
from pipelines.core.audit.modules import SITES, Lost, Shelf, distribution, lost
from pipelines.core.audit.sources import Source, When
from pipelines.core.audit.tree import Tree, within
from pipelines.model.audit import Audit, Elf, Gap, GapKind, Grade, System

APPLICATIONS = frozenset({"app", "home", "opt", "root", "srv", "usr/local", "workspace"})
"""Where Python code of services is looked for, where nobody says otherwise."""
EVERYTHING = frozenset({""})
NAMED = "named"
"""How a spec asks for a module: it is code of the fleet's own, so that no distribution is offered for it."""
ASIDE = frozenset({"_examples", "examples", "test", "tests", "testing", "benchmarks"})
"""Folders whose sources no service runs."""


class Named(NamedTuple):
    """Who names a module, and how bad it is when it is not there."""

    by: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Folders:
    """What to look through, as paths without leading slash, and Debian packages that must be there."""

    python: frozenset[str] = APPLICATIONS
    libraries: frozenset[str] = EVERYTHING
    packages: tuple[str, ...] = ()
    modules: Mapping[str, Named] = field(default_factory=dict)
    """Modules that specs name: what is run in the image by name, though no file of it says so."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A root file system, read once."""

    tree: Tree
    elves: Mapping[int, Elf]
    """ELF files by their content."""
    faults: Mapping[str, str]
    read: Callable[[str], bytes | None]
    """The bytes of a file that was kept, by its path; None for what was not."""
    environment: Mapping[str, str]
    """The variables that the image sets."""


class _Need(NamedTuple):
    """One thing that one file needs."""

    kind: GapKind
    name: str
    grade: Grade
    by: str
    reason: str
    detail: str = ""


class Findings(NamedTuple):
    """An audit whose libraries have no packages yet, and the names to look up."""

    audit: Audit
    alternatives: Mapping[str, tuple[str, ...]]
    """Library -> all names that would do, itself first."""


def judge(evidence: Evidence, folders: Folders) -> Findings:
    """Everything that is missing."""
    scene = _Scene(evidence, folders)
    needs = [*scene.linked(), *scene.asked(), *scene.opened(), *scene.imported(), *scene.installed()]
    gaps = tuple(sorted(_merged(needs), key=_order))
    unread = {**evidence.faults, **scene.unread}
    audit = Audit(scene.system, gaps, unread=unread, sources=len(scene.parsed), objects=scene.objects)
    return Findings(audit, scene.alternatives)


def _order(gap: Gap) -> tuple[int, str, str]:
    return list(Grade).index(gap.grade), gap.kind, gap.name


def complete(findings: Findings, rows: Iterable[contents.Row]) -> Audit:
    """The audit with the packages that have each library. A name that code asks for and no package has is a note; one among
    the strings of a file is not worth a word.
    """
    known = tuple(rows)
    gaps = []
    for gap in findings.audit.gaps:
        if gap.kind is not GapKind.LIBRARY:
            gaps.append(gap)
            continue
        named = findings.alternatives.get(gap.name)
        developers = gap.grade is not Grade.NOTE
        packages = (contents.package(name, known, developers=developers) for name in named or (gap.name,))
        package = None if gap.detail else next((one for one in packages if one), None)
        if package is not None:
            gaps.append(replace(gap, add=(package,)))
        elif named is None or gap.grade is Grade.ERROR:
            gaps.append(gap)
        elif gap.grade is Grade.WARNING:
            gaps.append(replace(gap, grade=Grade.NOTE))
    return replace(findings.audit, gaps=tuple(sorted(gaps, key=_order)))


class _Scene:
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
        self.system = _system(self._text("etc/os-release") or self._text("usr/lib/os-release") or "", evidence)
        self.status = "\n".join(text for path, text in texts.items() if "dpkg/status" in path)

    def linked(self) -> Iterator[_Need]:
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
                    yield _Need(GapKind.LIBRARY, one.name, grade, one.by, "linked to")
                else:
                    detail = f"the loader finds it only if something has loaded /{one.elsewhere} before"
                    yield _Need(GapKind.LIBRARY, one.name, Grade.NOTE, one.by, "linked to", detail)

    def asked(self) -> Iterator[_Need]:
        """Libraries that Python code asks for by name."""
        for path in self._sources():
            text = self.evidence.read(path)
            if text is None or not any(hint in text for hint in sources.HINTS):
                continue
            for one in source.asked if (source := self._source(path)) is not None else ():
                names = tuple(name for name in one.names if _is_ours(name))
                if names and not any(name in DRIVER or self.linker.has(name) or self.linker.bundled(name) for name in names):
                    self.alternatives.setdefault(names[0], names)
                    yield _Need(GapKind.LIBRARY, names[0], Grade.WARNING, f"{path}:{one.line}", f"asked for by name with {one.by}")

    def opened(self) -> Iterator[_Need]:
        """Libraries whose names are among the strings of files that call dlopen."""
        for path, entry in self.tree.files(*self.folders.libraries):
            elf = self.evidence.elves.get(entry.content)
            if elf is None or not (self._is_installed(path) or within(path, set(APPLICATIONS))):
                continue  # what the distribution packs, it has decided on
            for name in elf.opens:
                if name not in DRIVER and name not in elf.needed and not self.linker.has(name) and not self.linker.bundled(name):
                    self.alternatives.setdefault(name, (name,))
                    yield _Need(GapKind.LIBRARY, name, Grade.NOTE, path, "may be loaded with dlopen")

    def imported(self) -> Iterator[_Need]:
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

    def installed(self) -> Iterator[_Need]:
        """Debian packages that must be there and are not."""
        there = _packages(self.status)
        for name in self.folders.packages:
            if name not in there:
                yield _Need(GapKind.PACKAGE, name, Grade.ERROR, "the spec's `audit.packages`", "asked for")

    def _named(self) -> Iterator[_Need]:
        """Modules that specs name, and what each of them imports."""
        bases = sorted(self.folders.python)
        for name, named in sorted(self.folders.modules.items()):
            modules, missing = self.shelf.chain(name, (*bases, *self.shelf.folders))
            if missing or len(modules) < len(name.split(".")):
                yield _Need(GapKind.MODULE, name, named.grade, named.by, NAMED)
            else:
                files = [module.file for module in modules if module.file]
                yield from self._needed(lost(self.shelf, files, dirname(files[-1]) if files else "", self._source, deep=True), named.grade)

    def _needed(self, found: Iterable[Lost], grade: Grade) -> Iterator[_Need]:
        for one in found:
            if one.when is When.PERHAPS:
                continue
            real = grade if one.when is When.ALWAYS else Grade.WARNING if grade is Grade.ERROR else Grade.NOTE
            if real is Grade.NOTE:
                continue
            reason = "imported" if one.when is When.ALWAYS else "imported by a function"
            detail = f"an import in /{one.through} comes to it" if one.through else ""
            yield _Need(GapKind.MODULE, one.name, real, f"{one.path}:{one.line}", reason, detail)

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


def _merged(needs: Iterable[_Need]) -> Iterator[Gap]:
    """One gap a thing, by the worst of its grades; the files of that grade are named."""
    order = list(Grade)
    found: dict[tuple[GapKind, str], list[_Need]] = {}
    for need in needs:
        found.setdefault((need.kind, need.name), []).append(need)
    for (kind, name), all_of_it in found.items():
        worst = min((need.grade for need in all_of_it), key=order.index)
        same = [need for need in all_of_it if need.grade is worst]
        first = min(same, key=lambda need: (need.detail, need.reason, need.by))
        add = () if first.reason == NAMED else _add(kind, name)
        yield Gap(kind, name, worst, tuple(sorted({need.by for need in same})), first.reason, add, first.detail)


def _add(kind: GapKind, name: str) -> tuple[str, ...]:
    """What to add, where that is known without asking the distribution."""
    match kind:
        case GapKind.PACKAGE:
            return (name,)
        case GapKind.MODULE if name in APART:
            return (APART[name],)
        case GapKind.MODULE if name in STANDARD:
            return ("libpython3-stdlib",)
        case GapKind.MODULE:
            return distribution(name)
        case GapKind.LIBRARY:
            return ()


def _is_setting(path: str) -> bool:
    return path in SETTINGS or path.endswith(".pth") or path.startswith(("etc/ld.so.conf.d/", "var/lib/dpkg/status.d/"))


def _is_ours(name: str) -> bool:
    """Whether a name can mean a library of Linux."""
    foreign = name.lower().endswith((".dll", ".dylib", ".pyd", ".framework")) or ".framework/" in name or "\\" in name
    here = "/" in name and not name.startswith("/")  # from wherever it is started
    return bool(name) and not foreign and not here and name not in FOREIGN_LIBRARIES and " " not in name and len(name) < 128


def _list(text: str) -> list[str]:
    return [one.lstrip("/") for one in text.split(":") if one.startswith("/")]


def _system(text: str, evidence: Evidence) -> System:
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key: value.strip().strip("\"'") for key, value in said.items()}
    machines = [elf.machine[2] for elf in evidence.elves.values()]
    architecture = TUPLES.get(max(set(machines), key=machines.count), ("", ""))[0] if machines else ""
    return System(values.get("ID", ""), values.get("VERSION_ID", ""), values.get("VERSION_CODENAME", ""), architecture)


def _packages(status: str) -> frozenset[str]:
    """Installed packages of dpkg's status file, and what they stand in for."""
    found: set[str] = set()
    for block in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        if "Package" in fields and fields.get("Status", "install ok installed").endswith(" installed"):
            found.add(fields["Package"])
            found.update(one.split("(")[0].strip() for one in fields.get("Provides", "").split(","))
    return frozenset(found)
