"""What an audit is asked, and the root file system that it is asked of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.core.audit.tree import Tree
from pipelines.model.audit import Elf, Grade

APPLICATIONS = frozenset({"app", "home", "opt", "root", "srv", "usr/local", "workspace"})
"""Where Python code of services is looked for, where nobody says otherwise."""
EVERYTHING = frozenset({""})


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
