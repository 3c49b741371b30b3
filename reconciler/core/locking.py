"""Locking: `fleet.lock` as bytes and as a value, and how a build gets into it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from reconciler.core.inline import inline, quoted
from reconciler.core.load import load
from reconciler.core.reading import Limits
from reconciler.core.validate import validate
from reconciler.model.documents import Document
from reconciler.model.findings import Code, Finding, Pointer, error, errors, ordered, warning
from reconciler.model.lock import LOCK_VERSION, Build, BuildEntry, Builds, ImageEntry, Lock, LockFile
from reconciler.model.refs import Ref

LIMITS = Limits(bytes=16 << 20, nodes=1_000_000)
"""A thousand images make 3 MiB."""
KEPT = 10
"""Builds of an image that a lock keeps besides those that are held."""

VERSION = error(
    "LCK001",
    "unknown version of the lock",
    "A lock says in `lockVersion` how it is to be read. A version that this fleet does not know was written by a newer one: "
    "nothing of it is guessed.\n\nFix: use the version of fleet that wrote it, or take the lock back from git.",
)
DIGEST = error(
    "LCK002",
    "not a digest",
    "Builds are named by the digest of their manifest, `sha256:` and 64 hexadecimal digits; verdicts and SBOMs likewise. Placeholders "
    "are refused, since a workload that pins one can never start.\n\nFix: take the digest from the registry, "
    "such as with `skopeo inspect --format '{{.Digest}}' docker://REGISTRY/NAME:TAG`.",
)
NOT_BUILT = error(
    "LCK003",
    "current build is not among the builds",
    "`current` names the build that runs. It must be one of `builds`, or nobody could say which commit and which verdict it has."
    "\n\nFix: add the build, or name one of those that are there.",
)
SAME_TAG = error(
    "LCK004",
    "two builds with one tag",
    "A hold names a build by its tag, so within one image a tag may stand for one build only.\n\nFix: delete the build that is wrong.",
)
BAD = warning(
    "LCK005",
    "current build is marked bad",
    "`bad: true` keeps a build from being chosen as `prev`. That the current one is marked bad means that somebody rolled "
    "back by hand and the lock still wants it.\n\nFix: build anew, or make an earlier build current.",
)
UNSORTED = warning(
    "LCK006",
    "builds are not newest first",
    "Builds stand newest first, so that `prev` is the one that a reader expects. They are read by their dates whatever their order."
    "\n\nFix: move the newer build up.",
)
CODES: tuple[Code, ...] = (VERSION, DIGEST, NOT_BUILT, SAME_TAG, BAD, UNSORTED)

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_HEADER = "# Which build of each image runs, and which passed the gate. Written by builds; `fleet lint` checks what people edit.\n"


class TagTaken(ValueError):
    """A tag already names another build of the same image. A hold on it would silently run something else."""


def read_lock(path: str, data: bytes) -> tuple[Lock, tuple[Finding, ...]]:
    """The lock in a file, without the images that have an error, and what is to be said about it. Never raises."""
    subject = Ref("Lock", path)
    loaded = load(path, data, subject, LIMITS)
    if errors(loaded.findings) or not isinstance(loaded.value, dict):
        return Lock(), loaded.findings or _not_a_lock(path, loaded.value, subject)
    document = Document(subject, path, loaded.value, loaded.marks)
    if (version := loaded.value.get("lockVersion", LOCK_VERSION)) != LOCK_VERSION or type(version) is not int:
        at = document.place(("lockVersion",))
        return Lock(), (VERSION.at(at, f"this is not version {LOCK_VERSION} of a lock", f"write lockVersion: {LOCK_VERSION}", subject),)
    file, about = validate(LockFile, loaded.value, document, ())
    found = [*loaded.findings, *about]
    images: dict[str, Builds] = {}
    for name, value in (loaded.value.get("images") or {}).items() if file else ():
        entry, about = validate(ImageEntry, value, document, ("images", name))
        about = (*about, *(_judge(document, name, entry) if entry else ()))
        if entry and not errors(about):
            images[name] = _builds(entry)
        found += about
    return Lock(images), ordered(found)


def _not_a_lock(path: str, value: Any, subject: Ref) -> tuple[Finding, ...]:
    document = Document(subject, path, {}, load(path, b"").marks)
    return validate(LockFile, value, document, ())[1]


def _judge(document: Document, name: str, entry: ImageEntry) -> Iterator[Finding]:
    """What is wrong with one image, beyond its shape."""
    base: Pointer = ("images", name)
    yield from _digest(document, (*base, "current"), entry.current)
    if entry.current not in entry.builds:
        message, fix = f"{name} has no build {entry.current[:19]}", "add it under `builds`, or name one of those there"
        yield NOT_BUILT.at(document.place((*base, "current")), message, fix, document.ref)
    elif entry.builds[entry.current].bad:
        yield BAD.at(
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
            yield SAME_TAG.at(document.place((*here, "tag")), message, "a tag stands for one build of an image", document.ref)
        if newest and build.built > newest:
            message = f"{build.tag} of {build.built} stands below a build of {newest}"
            yield UNSORTED.at(document.key_place(here), message, "move it up", document.ref)
        newest = build.built


def _digest(document: Document, pointer: Pointer, digest: str, *, key: bool = False) -> Iterator[Finding]:
    found = _DIGEST.fullmatch(digest)
    if found and len(set(found[1])) > 1:
        return
    message = f"{digest[:80]} is a placeholder" if found or "…" in digest or "..." in digest else f"{digest[:80]} is not a digest"
    place = document.key_place(pointer) if key else document.place(pointer)
    yield DIGEST.at(place, message, "a digest is sha256: and 64 hexadecimal digits", document.ref)


def _builds(entry: ImageEntry) -> Builds:
    builds = {digest: _build(digest, build) for digest, build in entry.builds.items()}
    return Builds(builds[entry.current], tuple(sorted(builds.values(), key=lambda build: build.built, reverse=True)))


def _build(digest: str, entry: BuildEntry) -> Build:
    return Build(digest, entry.tag, entry.key, entry.built, entry.verdict, entry.sbom, entry.bad)


def write_lock(lock: Lock) -> bytes:
    """The lock as a file: images by name, one line a build, newest first. The same lock always gives the same bytes."""
    lines = [_HEADER, f"lockVersion: {LOCK_VERSION}\n", "images:\n" if lock.images else "images: {}\n"]
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

    Raises TagTaken when the tag names another build.
    """
    before = lock.images.get(image)
    others = [other for other in before.builds if other.digest != build.digest] if before else []
    if any(other.tag == build.tag for other in others):
        raise TagTaken(f"{build.tag} already names another build of {image}")
    builds = sorted([build, *others], key=lambda one: one.built, reverse=True)
    previous = Builds(build, tuple(builds)).previous
    kept = tuple(one for place, one in enumerate(builds) if place < KEPT or one in (build, previous) or one.tag in held)
    return Lock({**lock.images, image: Builds(build, kept)})
