"""Tells whether all images are as the lock has them; and such an answer as text, so that it can be remembered.

An answer is remembered under the digest of everything that it follows from. What comes back from where it was kept may be anything.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.model.as_locked import AsLocked, Locked
from pipelines.model.decision import Current
from reconciler.model.lock import Build

if TYPE_CHECKING:
    from pipelines.model.decision import Decided
    from reconciler.model.documents import SourceTree
    from reconciler.ports import Packed

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLAIN = re.compile(r"[!-~]{1,4200}")
"""Names, references, tags and paths: nothing that a terminal obeys."""


class Reads(NamedTuple):
    """What is read of a repository beside its source: which folders and which lock, the source itself says."""

    folders: tuple[str, ...]
    lock: str


class Answer(NamedTuple):
    """An answer as it is kept, and of what it is the answer."""

    reads: Reads
    whole: str
    """The digest of everything: the question, and what is in `reads`."""
    found: AsLocked


def as_locked(decided: Collection[Decided], known: Collection[str], environment: str, registry: str) -> AsLocked | None:
    """The answer, if it is that all are current. `known` are the bases of which the lock says what they mean: a build notes any other there."""
    told = {*known, *(one.target.name for one in decided)}
    images = []
    for one in decided:
        taken = {str(one.target.start), *(name for recipe in one.recipes.values() for name in recipe.externals)}
        if not isinstance(one.decision, Current) or not taken <= told:
            return None
        images.append(Locked(one.target.name, str(one.target.start), one.decision.build))
    return AsLocked(environment, registry, tuple(images))


def question(words: Iterable[str], tree: SourceTree, today: date) -> str:
    """The digest of what is asked (`words`: the command, its arguments, the code that answers), of a source, on a day."""
    return _digest(
        [_bytes(word) for word in words],
        [today.isoformat().encode(), tree.revision.encode(), b"%d %d" % (tree.dirty, tree.edited)],
        [part for path, data in tree.files.items() for part in (_bytes(path), data)],
        [_bytes(part) for pair in tree.digests.items() for part in pair],
        [_bytes(part) for pair in tree.refused.items() for part in pair],
    )


def whole(question: str, contexts: Mapping[str, Packed], lock: bytes | None) -> str:
    """The digest of the question and of all else that was read for it."""
    files = [part for path, one in contexts.items() for part in (_bytes(path), b"%o" % one.mode, one.data)]
    return _digest([question.encode()], files, [] if lock is None else [lock])


def _digest(*lists: list[bytes]) -> str:
    """Of lists of parts, each with its length before it: no two different ones are the same bytes."""
    made = hashlib.sha256()
    for parts in lists:
        made.update(b"%d;" % len(parts))
        for part in parts:
            made.update(b"%d:" % len(part))
            made.update(part)
    return made.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def encode(answer: Answer) -> bytes:
    """Its text, with the digest of the rest in the first line."""
    found = answer.found
    body = json.dumps(
        {
            "folders": answer.reads.folders, "lock": answer.reads.lock, "whole": answer.whole,
            "environment": found.environment, "registry": found.registry,
            "images": [(one.name, one.start, one.build.digest, one.build.tag, one.build.key, one.build.built.isoformat()) for one in found.images],
        }
    ).encode()  # fmt: skip
    return b"%s\n%s" % (hashlib.sha256(body).hexdigest().encode(), body)


def decode(data: bytes) -> Answer | None:
    """The answer that a text has; None for a text that is cut, damaged, or not of `encode`."""
    head, _, body = data.partition(b"\n")
    if head != hashlib.sha256(body).hexdigest().encode():
        return None
    try:
        said = json.loads(body)
        images = tuple(_image(*one) for one in said["images"])
        reads = Reads(tuple(map(_plain, said["folders"])), _plain(said["lock"]))
        return Answer(reads, _plain(said["whole"]), AsLocked(_plain(said["environment"]), _plain(said["registry"]), images))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _image(name: str, start: str, digest: str, tag: str, key: str, built: str) -> Locked:
    if not _DIGEST.fullmatch(digest):
        raise ValueError(digest)
    return Locked(_plain(name), _plain(start), Build(digest, _plain(tag), _plain(key), date.fromisoformat(built)))


def _plain(value: Any) -> str:
    if not _PLAIN.fullmatch(value):
        raise ValueError(value)
    return str(value)
