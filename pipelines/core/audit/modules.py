"""Python modules: what an image provides, and which of the imports that code reaches lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from posixpath import dirname, normpath
from typing import NamedTuple

from pipelines.core.audit.known import COMPILED_IN, DISTRIBUTIONS, ELSEWHERE, HOOKS, SHARED
from pipelines.core.audit.sources import Import, Source, When
from pipelines.core.audit.tree import Tree
from pipelines.model.audit import Entry, EntryKind

_MODULE = re.compile(r"^([A-Za-z_]\w*)(?:\.py|\.pyc|(?:\.(?:cpython|pypy|abi3|cp)[\w-]*)?\.so)$")
_STDLIB = re.compile(r"(?:^|/)lib/python3\.\d+$")
_STUB = "__init__.py"
SITES = frozenset({"site-packages", "dist-packages"})


class Module(NamedTuple):
    """Something that can be imported."""

    file: str
    """Its source; empty for a C module and for a namespace package."""
    folders: tuple[str, ...] = ()
    """Where its submodules are; none for a plain module."""
    namespace: bool = False


class Lost(NamedTuple):
    """An import that leads nowhere."""

    name: str
    """As far as nothing has it, `yaml`; of the names that many distributions share, as it is imported: `google.cloud.storage`."""
    path: str
    line: int
    when: When
    through: str
    """The module of which an import reaches it; empty where the file itself is what was asked about."""


class Shelf:
    """All that Python code of an image can import: the standard library, site folders, and folders named beside them."""

    def __init__(self, tree: Tree, texts: Mapping[str, str], extra: Iterable[str] = ()) -> None:
        """`texts` are the `.pth` files by their path, `extra` further folders, such as those of PYTHONPATH."""
        self.tree = tree
        self.standard = tuple(path for path in _folders(tree) if _STDLIB.search(path) and "os.py" in tree.listing(path))
        self.sites = tuple(path for path in _folders(tree) if path.rpartition("/")[2] in SITES)
        named = [line for path, text in texts.items() for line in _pth(path, text)]
        dynamic = (f"{path}/lib-dynload" for path in self.standard)
        self.folders = tuple(dict.fromkeys((*extra, *self.sites, *named, *self.standard, *dynamic)))
        self._names: dict[str, dict[str, Module]] = {}

    def step(self, name: str, folders: Iterable[str]) -> Module | None:
        """The module of one name in folders, as the import system finds it: the first real one, else all namespaces of that name (PEP 420)."""
        portions: list[str] = []
        for folder in folders:
            found = self.names(folder).get(name)
            if found is not None and not found.namespace:
                return found
            portions += found.folders if found is not None else ()
        return Module("", tuple(portions), namespace=True) if portions else None

    def names(self, folder: str) -> Mapping[str, Module]:
        """Everything that one folder has to import."""
        real = self.tree.resolve(folder)
        if real is None:
            return {}
        if real not in self._names:
            self._names[real] = dict(self._listed(real))
        return self._names[real]

    def chain(self, dotted: str, folders: Iterable[str]) -> tuple[list[Module], str]:
        """The modules that `import a.b.c` loads, and the name that nothing has, as far as it is sure; else empty.

        A regular package may make names up when it is imported, so what it lacks is not sure.
        """
        modules: list[Module] = []
        here = tuple(folders)
        parts = dotted.split(".")
        for depth, part in enumerate(parts, 1):
            found = self.step(part, here)
            if found is None:
                sure = not self._may_be_inside(part) if depth == 1 else modules[-1].namespace
                return modules, ".".join(parts[:depth]) if sure else ""
            modules.append(found)
            here = found.folders
        return modules, ""

    def _may_be_inside(self, name: str) -> bool:
        """Whether a module may come without a file: from inside the interpreter, or by a hook. Without an interpreter's library nobody knows."""
        hook = HOOKS.get(name)
        return name in COMPILED_IN or not self.standard or bool(hook and self.step(hook, self.sites))

    def _listed(self, folder: str) -> Iterator[tuple[str, Module]]:
        entries = self.tree.listing(folder)
        for name, entry in entries.items():
            path = f"{folder}/{name}".lstrip("/")
            if match := _MODULE.match(name):
                if match[1] not in entries or not self._is_package(f"{folder}/{match[1]}"):
                    yield match[1], Module(path if name.endswith(".py") else "")
            elif name.isidentifier() and self._is_folder(path, entry):
                if self._is_package(path):
                    inside = f"{path}/{_STUB}"
                    yield name, Module(inside if self.tree.at(inside) else "", (path,))
                elif not any(f"{name}.py" == one or (one.startswith(f"{name}.") and one.endswith(".so")) for one in entries):
                    yield name, Module("", (path,), namespace=True)

    def _is_folder(self, path: str, entry: Entry) -> bool:
        there = self.tree.at(path) if entry.kind is EntryKind.LINK else entry
        return there is not None and there.kind is EntryKind.FOLDER

    def _is_package(self, path: str) -> bool:
        return any(name.startswith("__init__.") for name in self.tree.listing(path))


def lost(shelf: Shelf, roots: Iterable[str], base: str, read: Callable[[str], Source | None], *, deep: bool) -> Iterator[Lost]:
    """Imports that lead nowhere: of the roots, and with `deep` of what they load whenever they are imported.

    `base` is the folder below which the roots may import one another. `read` gives a source, or None where it cannot be read.
    """
    todo: list[tuple[str, str]] = [(path, "") for path in roots]
    seen = {path for path, _ in todo}
    while todo:
        path, through = todo.pop()
        source = read(path)
        folders = (*_above(path, base), *shelf.folders) if not through else shelf.folders
        for one in source.imports if source is not None else ():
            if through and one.when is not When.ALWAYS:
                continue
            modules, missing = _followed(shelf, one, path, folders)
            if missing and missing.partition(".")[0] not in ELSEWHERE:
                yield Lost(_whole(one, missing), path, one.line, one.when, through)
            if deep and one.when is When.ALWAYS:
                new = [
                    module.file for module in modules if module.file and module.file not in seen and not _is_standard(module.file, shelf)
                ]
                seen.update(new)
                todo.extend((file, through or path) for file in new)


def distribution(name: str) -> tuple[str, ...]:
    """What to install for a module: by the longest prefix that is known, else a distribution of that name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if known := DISTRIBUTIONS.get(".".join(parts[:length])):
            return (known,)
    return (("-".join(parts) if parts[0] in SHARED else parts[0]).replace("_", "-"),)


def _followed(shelf: Shelf, one: Import, path: str, folders: tuple[str, ...]) -> tuple[list[Module], str]:
    """What an import loads, submodules taken by name included, and what of it is missing."""
    if one.level:
        here = dirname(path)
        for _ in range(one.level - 1):
            here = dirname(here)
        modules, _ = shelf.chain(one.module, (here,)) if one.module else ([Module("", (here,))], "")
        missing = ""  # a package's own affair: it may be made when the package is built
    else:
        modules, missing = shelf.chain(one.module, folders)
    if missing or not modules or len(modules) < len(one.module.split(".")):
        return modules, missing
    home = modules[-1]
    for name in one.names:
        found = shelf.step(name, home.folders)
        if found is not None:
            modules.append(found)
        elif home.namespace and not missing and name != "*" and not one.level:
            missing = f"{one.module}.{name}"
    return modules, missing


def _whole(one: Import, missing: str) -> str:
    """What an import of a shared name means: `from google.cloud import storage` is no matter of `google`."""
    if missing.partition(".")[0] not in SHARED:
        return missing
    parts = [*one.module.split("."), *(one.names[:1] if one.names != ("*",) else ())]
    return ".".join(parts[:3])


def _is_standard(path: str, shelf: Shelf) -> bool:
    return any(path.startswith(folder + "/") for folder in shelf.standard) and not any(f"/{site}/" in path for site in SITES)


def _above(path: str, base: str) -> Iterator[str]:
    """The folders between a file and a base, nearest first: each may be what its imports start from."""
    folder = dirname(path)
    while folder and (folder == base or folder.startswith(base + "/") or not base):
        yield folder
        folder = dirname(folder)


def _folders(tree: Tree) -> list[str]:
    return sorted(path for path, entry in tree.entries.items() if entry.kind is EntryKind.FOLDER)


def _pth(path: str, text: str) -> Iterator[str]:
    """The folders that a `.pth` file adds (docs.python.org, `site`)."""
    for line in text.splitlines():
        if line.strip() and not line.startswith(("#", "import ", "import\t")):
            yield normpath(line.strip() if line.startswith("/") else f"{dirname(path)}/{line.strip()}").lstrip("/")
