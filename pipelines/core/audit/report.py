"""An audit in plain sentences, and the edits that would mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.core.audit.known import APART, STANDARD
from pipelines.model.audit import Audit, Edit, Gap, GapKind, Grade

_INSTALL = re.compile(r"apt-get\b[^&;|]*\binstall\b|^\s*apt-get\b.*install")
_SAFE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.+_-]*$")
SHOWN = 3
"""How many files that need a thing are named in its sentence."""


def edits(audit: Audit, dockerfile: str, text: str, requirements: str) -> tuple[Edit, ...]:
    """What to change: Debian packages in the Dockerfile (its path and text), distributions in the requirements. One line each; notes ask for none."""
    sure = [gap for gap in audit.gaps if gap.grade is not Grade.NOTE]
    packages = sorted({name for gap in sure if _is_package(gap) for name in gap.add if _SAFE.match(name)})
    modules = sorted({name for gap in sure if not _is_package(gap) for name in gap.add if _SAFE.match(name)})
    found = []
    if packages:
        line = next((number for number, one in enumerate(text.splitlines(), 1) if _INSTALL.search(one)), 0)
        names = " ".join(packages)
        whole = f"RUN apt-get update && apt-get install -y --no-install-recommends {names} && rm -rf /var/lib/apt/lists/*"
        found.append(Edit(dockerfile, line, names if line else whole))
    if modules:
        found.append(Edit(requirements, 0, " ".join(modules)))
    return tuple(found)


def sentences(audit: Audit) -> Iterator[str]:
    """What was found, one line each: the worst first, what could not be read, what to change, and a summary."""
    for gap in audit.gaps:
        yield sentence(gap)
    for path, reason in sorted(audit.unread.items()):
        yield f"note: {'/' + path + ': ' if path else ''}{reason}"
    for edit in audit.edits:
        yield how(edit)
    looked = f"{audit.sources} Python sources and {audit.objects} ELF files of {audit.system}"
    counts = {grade: sum(gap.grade == grade for gap in audit.gaps) for grade in ("error", "warning", "note")}
    yield f"{looked}: {_many(counts['error'], 'error')}, {_many(counts['warning'], 'warning')}, {_many(counts['note'], 'note')}"


def sentence(gap: Gap) -> str:
    """One gap: `error: libGL.so.1 is missing: linked to by /opt/…; add the Debian package libgl1`."""
    shown = ", ".join(by if " " in by else f"/{by}" for by in gap.needed_by[:SHOWN])
    more = f" and {len(gap.needed_by) - SHOWN} more" if len(gap.needed_by) > SHOWN else ""
    kind = {GapKind.LIBRARY: "", GapKind.MODULE: "the module ", GapKind.PACKAGE: "the package "}[gap.kind]
    if gap.kind is GapKind.LIBRARY and gap.detail:
        return f"{gap.grade}: {gap.name} is out of sight: {gap.reason} by {shown}{more}; {gap.detail}"
    tail = f" ({gap.detail})" if gap.detail else ""
    return f"{gap.grade}: {kind}{gap.name} is missing: {gap.reason} by {shown}{more}{tail}; {_remedy(gap)}"


def how(edit: Edit) -> str:
    """One edit as a sentence."""
    if edit.line:
        return f"fix: {edit.file}:{edit.line}: add to this apt-get install: {edit.text}"
    return f"fix: {edit.file}: add: {edit.text}"


def _remedy(gap: Gap) -> str:
    if not gap.add:
        return "nothing in the image has it" if gap.kind is GapKind.MODULE else "no package of the distribution has it"
    return f"add {'the package' if _is_package(gap) else 'the distribution'} {' or '.join(gap.add)}"


def _is_package(gap: Gap) -> bool:
    """Whether what to add is a package of Debian's, not one of the Python index."""
    return gap.kind is not GapKind.MODULE or gap.name in APART or gap.name in STANDARD


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")
