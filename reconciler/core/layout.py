"""The path is the identity: which spec a file under `specs/` is, and which paths cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from reconciler.core.codes import fleet as codes
from reconciler.core.paths import remedy
from reconciler.core.suggest import closest, did_you_mean
from reconciler.model.findings import Finding, Place
from reconciler.model.kind import Kind
from reconciler.model.refs import Ref
from reconciler.model.spec import LABEL_LENGTH, NAME_LENGTH, NAME_PATTERN

ROOT = "specs/"
IGNORED = frozenset({"README.md", ".gitkeep", ".gitignore", ".gitattributes"})
UNKNOWN = "File"
"""The kind of what stands under `specs/` and is nothing that we know: its path is its name, so that it is not forgotten."""
_NAME = re.compile(NAME_PATTERN)


class Slot(NamedTuple):
    """The place of one file: what it declares, or why it cannot."""

    path: str
    ref: Ref
    kind: Kind | None
    findings: tuple[Finding, ...] = ()
    guessed: bool = False
    """`ref` is what was probably meant by a path that fits nowhere."""


def layout(paths: Iterable[str], refused: Mapping[str, str], kinds: Iterable[Kind]) -> tuple[Slot, ...]:
    """A slot for each path under `specs/`, in order of path."""
    folders = {kind.folder: kind for kind in kinds}
    slots = [_slot(path, folders) for path in sorted(paths) if path.startswith(ROOT) and path.rpartition("/")[2] not in IGNORED]
    slots += [_refused(path, reason, folders) for path, reason in sorted(refused.items())]
    declared = {slot.ref for slot in slots if not slot.guessed}
    return _collisions([_stray(slot.path, *slot.findings) if slot.guessed and slot.ref in declared else slot for slot in slots])


def _whole(path: str) -> Place:
    """A file as a whole, at its first character: so every tool that reads `file:line:col` finds it."""
    return Place(path, 1, 1)


def _slot(path: str, folders: Mapping[str, Kind]) -> Slot:
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        return _stray(path, codes.REFUSED.at(_whole(path), "this path leads out of the tree or has empty parts", "rename it"))
    folder, *rest = parts[1:] if len(parts) > 2 else ("", parts[-1])
    kind = folders.get(folder)
    if kind is None or len(rest) != (2 if kind.scope == "tenant" else 1):
        return _unfit(path, kind, folder, rest, folders)
    stem, _, suffix = rest[-1].rpartition(".")
    ref = Ref(kind.name, stem, rest[0] if kind.scope == "tenant" else "")
    if suffix != "yaml" or not stem:
        if suffix != "yml":
            return _stray(path, codes.STRAY.at(_whole(path), "this is no spec: its name does not end in .yaml", "move it out of `specs/`"))
        finding = codes.SUFFIX.at(_whole(path), "specs end in .yaml", f"git mv {path} {path[:-4]}.yaml", ref)
        return Slot(path, ref, None, (finding,))
    if (
        _NAME.fullmatch(stem)
        and len(stem) <= NAME_LENGTH
        and (not ref.tenant or (_NAME.fullmatch(ref.tenant) and len(ref.tenant) <= NAME_LENGTH))
    ):
        return Slot(path, ref, kind)
    return Slot(path, ref, kind, tuple(_names(path, ref)))


def _names(path: str, ref: Ref) -> Iterable[Finding]:
    for what, name in (("tenant", ref.tenant), ("name", ref.name)):
        if not name:
            continue
        if not _NAME.fullmatch(name):
            better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            fix = f"rename it, such as `{better}`" if better else "rename it"
            yield codes.BAD_NAME.at(_whole(path), f"the {what} {name!r} is not lower-case letters, digits and `-`", fix, ref)
        if len(name) > NAME_LENGTH:
            message = f"the {what} has {len(name)} characters; at most {NAME_LENGTH} fit into a label with what is appended"
            yield codes.LONG_NAME.at(_whole(path), message, "shorten it", ref)


def _unfit(path: str, kind: Kind | None, folder: str, rest: list[str], folders: Mapping[str, Kind]) -> Slot:
    """A file that no kind's folder takes, at the depth where it stands."""
    name = rest[-1]
    if kind is None:
        near = closest(folder, folders)
        fix = did_you_mean(folder, folders, "the folder says the kind: `specs/services/TENANT/NAME.yaml`")
        finding = codes.STRAY.at(
            _whole(path), f"no kind has the folder `specs/{folder}`" if folder else "this file is in no kind's folder", fix
        )
        meant = folders[near] if near else None
        return (
            _stray(path, finding)
            if meant is None or len(rest) != (2 if meant.scope == "tenant" else 1)
            else _meant(path, finding, meant, rest)
        )
    if kind.scope == "tenant":
        fix = f"move it to specs/{kind.folder}/TENANT/{name}; the folder is the tenant"
    else:
        fix = f"move it to specs/{kind.folder}/{name}; what is of kind {kind.name} belongs to the whole fleet"
    return _stray(path, codes.STRAY.at(_whole(path), "this file stands at the wrong depth", fix))


def _meant(path: str, finding: Finding, kind: Kind, rest: list[str]) -> Slot:
    ref = Ref(kind.name, rest[-1].removesuffix(".yaml").removesuffix(".yml"), rest[0] if kind.scope == "tenant" else "")
    return Slot(path, ref, None, (finding,), guessed=True)


def _stray(path: str, *findings: Finding) -> Slot:
    return Slot(path, Ref(UNKNOWN, path), None, findings)


def _refused(path: str, reason: str, folders: Mapping[str, Kind]) -> Slot:
    ref = _slot(path, folders).ref if path.startswith(ROOT) else Ref(UNKNOWN, path)
    return Slot(path, ref, None, (codes.REFUSED.at(_whole(path), f"not read: {reason}", remedy(reason), ref),))


def _collisions(slots: list[Slot]) -> tuple[Slot, ...]:
    first: dict[tuple[str, str, str], Slot] = {}
    clashes: dict[str, Finding] = {}
    for slot in slots:
        key = (slot.ref.kind, slot.ref.tenant.lower()[:LABEL_LENGTH], slot.ref.name.lower()[:LABEL_LENGTH])
        other = slot if slot.guessed or slot.ref.kind == UNKNOWN else first.setdefault(key, slot)
        if other is not slot:
            for one, two in ((slot, other), (other, slot)):
                message = f"collides with {two.path}: in lower case and cut at {LABEL_LENGTH} characters the names are one"
                clashes.setdefault(one.path, codes.COLLISION.at(_whole(one.path), message, "rename one of them", one.ref))
    return tuple(
        Slot(slot.path, slot.ref, slot.kind, (*slot.findings, clashes[slot.path])) if slot.path in clashes else slot for slot in slots
    )
