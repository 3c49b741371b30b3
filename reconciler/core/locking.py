"""Locking: `fleet.lock` as bytes and as a value, and how a build gets into it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from reconciler.core.codes import lock as codes
from reconciler.core.inline import inline, quoted
from reconciler.core.load import load
from reconciler.core.reading import Limits
from reconciler.core.validate import validate
from reconciler.model.documents import Document
from reconciler.model.findings import Finding, Place, Pointer, errors, ordered
from reconciler.model.lock import Build, Builds, Lock, ResolvedBase
from reconciler.model.lock_file import LOCK_VERSION, BaseEntry, BuildEntry, ImageEntry, LockFile
from reconciler.model.refs import Ref

LIMITS = Limits(bytes=16 << 20, nodes=1_000_000)
"""A thousand images make 3 MiB."""
BROKEN = Lock(is_broken=True)
"""A lock that is there and cannot be read."""
KEPT = 10
"""Builds of an image that a lock keeps besides those that are held."""


_MARK = re.compile(rb"^(<{7}|>{7}|={7}|\|{7})(?: [^\n]*)?\r?$", re.MULTILINE)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_HEADER = "# Which build of each image runs, and which passed the gate. Written by builds; `fleet lint` checks what people edit.\n"


class TagTaken(ValueError):
    """A tag already names another build of the same image. A hold on it would silently run something else."""


def read_lock(path: str, data: bytes) -> tuple[Lock, tuple[Finding, ...]]:
    """The lock in a file, which knows the images that have an error by name only, and what is to be said about it. Never raises."""
    subject = Ref("Lock", path)
    if mark := _MARK.search(data):
        at = Place(path, data.count(b"\n", 0, mark.start()) + 1, 1)
        message = f"a merge conflict stands here (`{mark[1].decode()}`)"
        return BROKEN, (codes.CONFLICT.at(at, message, "merge it (git checkout --merge), or take one side", subject),)
    loaded = load(path, data, subject, LIMITS)
    if errors(loaded.findings) or not isinstance(loaded.value, dict):
        return BROKEN, loaded.findings or _not_a_lock(path, loaded.value, subject)
    document = Document(subject, path, loaded.value, loaded.marks)
    if (version := loaded.value.get("lockVersion", LOCK_VERSION)) != LOCK_VERSION or type(version) is not int:
        at = document.place(("lockVersion",))
        return BROKEN, (
            codes.VERSION.at(at, f"this is not version {LOCK_VERSION} of a lock", f"write lockVersion: {LOCK_VERSION}", subject),
        )
    file, about = validate(LockFile, loaded.value, document, ())
    if file is None:
        return BROKEN, ordered((*loaded.findings, *about))
    found = list(loaded.findings)
    images: dict[str, Builds] = {}
    broken: set[str] = set()
    for name, value in file.images.items():
        entry, about = validate(ImageEntry, value, document, ("images", name))
        about = (*about, *(_judge(document, name, entry) if entry else ()))
        found += about
        if entry and not errors(about):
            images[name] = _builds(entry)
        else:
            broken.add(name)
    bases: dict[str, ResolvedBase] = {}
    for name, value in file.bases.items():
        base, about = validate(BaseEntry, value, document, ("bases", name))
        about = (*about, *(_digest(document, ("bases", name, "digest"), base.digest) if base else ()))
        found += about
        if base and not errors(about):
            bases[name] = ResolvedBase(base.digest, base.resolved)
    return Lock(images, frozenset(broken), bases), ordered(found)


def _not_a_lock(path: str, value: Any, subject: Ref) -> tuple[Finding, ...]:
    document = Document(subject, path, {}, load(path, b"").marks)
    return validate(LockFile, value, document, ())[1]


def _judge(document: Document, name: str, entry: ImageEntry) -> Iterator[Finding]:
    """What is wrong with one image, beyond its shape."""
    base: Pointer = ("images", name)
    yield from _digest(document, (*base, "current"), entry.current)
    if entry.current not in entry.builds:
        message, fix = f"{name} has no build {entry.current[:19]}", "add it under `builds`, or name one of those there"
        yield codes.NOT_BUILT.at(document.place((*base, "current")), message, fix, document.ref)
    elif entry.builds[entry.current].bad:
        yield codes.BAD.at(
            document.place((*base, "current")), f"the current build of {name} is marked bad", "make another one current", document.ref
        )
    tags: dict[str, str] = {}
    newest = None
    for digest, build in entry.builds.items():
        here = (*base, "builds", digest)
        yield from _digest(document, here, digest, key=True)
        for field, value in (("verdict", build.verdict), ("sbom", build.sbom)):
            yield from _digest(document, (*here, field), value) if value else ()
        if (other := tags.setdefault(build.tag, digest)) != digest:
            message = f"{build.tag} is also the tag of {other[:19]}"
            yield codes.SAME_TAG.at(document.place((*here, "tag")), message, "a tag stands for one build of an image", document.ref)
        if newest and build.built > newest:
            message = f"{build.tag} of {build.built} stands below a build of {newest}"
            yield codes.UNSORTED.at(document.key_place(here), message, "move it up", document.ref)
        newest = build.built


def _digest(document: Document, pointer: Pointer, digest: str, *, key: bool = False) -> Iterator[Finding]:
    found = _DIGEST.fullmatch(digest)
    if found and found[1].strip("0"):
        return
    message = f"{digest[:80]} is a placeholder" if found or "…" in digest or "..." in digest else f"{digest[:80]} is not a digest"
    place = document.key_place(pointer) if key else document.place(pointer)
    yield codes.DIGEST.at(place, message, "a digest is sha256: and 64 hexadecimal digits", document.ref)


def _builds(entry: ImageEntry) -> Builds:
    builds = {digest: _build(digest, build) for digest, build in entry.builds.items()}
    return Builds(builds[entry.current], tuple(sorted(builds.values(), key=lambda build: build.built, reverse=True)))


def _build(digest: str, entry: BuildEntry) -> Build:
    return Build(digest, entry.tag, entry.key, entry.built, entry.verdict, entry.sbom, entry.bad)


def write_lock(lock: Lock) -> bytes:
    """The lock as a file: bases and images by name, one line a base or a build, newest first. The same lock always gives the same bytes."""
    lines = [_HEADER, f"lockVersion: {LOCK_VERSION}\n", *(["bases:\n"] if lock.bases else [])]
    for name, base in sorted(lock.bases.items()):
        lines.append(f"  {quoted(name)}: {{digest: {quoted(base.digest)}, resolved: {base.resolved.isoformat()}}}\n")
    lines.append("images:\n" if lock.images else "images: {}\n")
    for name, builds in sorted(lock.images.items()):
        lines += [f"  {inline(name)}:\n", f"    current: {quoted(builds.current.digest)}\n", "    builds:\n"]
        lines += [f"      {quoted(build.digest)}: {{{', '.join(_fields(build))}}}\n" for build in builds.builds]
    return "".join(lines).encode()


def _fields(build: Build) -> Iterator[str]:
    yield f"tag: {inline(build.tag)}"
    if build.key:
        yield f"key: {quoted(build.key)}"
    yield f"built: {build.built.isoformat()}"
    if build.verdict:
        yield f"verdict: {quoted(build.verdict)}"
    if build.sbom:
        yield f"sbom: {quoted(build.sbom)}"
    if build.bad:
        yield "bad: true"


def adopt(lock: Lock, image: str, build: Build, held: Collection[str] = ()) -> Lock:
    """The lock with `build` as the current one of `image`, newest first. Keeps ten builds, `prev`, and those whose tags are `held`.

    What was marked bad stays so when the same thing is built again.
    Raises TagTaken when the tag names another build.
    """
    before = lock.images.get(image)
    others = [other for other in before.builds if other.digest != build.digest] if before else []
    if before and any(known.bad for known in before.builds if known.digest == build.digest):
        build = replace(build, bad=True)
    if any(other.tag == build.tag for other in others):
        raise TagTaken(f"{build.tag} already names another build of {image}")
    builds = sorted([build, *others], key=lambda one: one.built, reverse=True)
    previous = Builds(build, tuple(builds)).previous
    kept = tuple(one for place, one in enumerate(builds) if place < KEPT or one in (build, previous) or one.tag in held)
    return replace(lock, images={**lock.images, image: Builds(build, kept)})
