"""Paths of a source: which are read, and which are refused by their name alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from reconciler.model.documents import FLEET_FILE, LOCK_FILE

SPECS = "specs"
POLICIES = "policies"
IMAGES = "images"
ROOTS = (FLEET_FILE, LOCK_FILE, SPECS, POLICIES, IMAGES)
"""All that a source may hold; nothing else is looked at."""

MAX_FILE = 1 << 20
"""Bytes of one file."""
MAX_LOCK = 16 << 20
"""Bytes of a lock file: pipelines write it, and a thousand images make 3 MiB."""
MAX_TOTAL = 512 << 20
"""Bytes of all files together."""
MAX_FILES = 100_000
MAX_DEPTH = 16
"""Folders above a file."""

_MAX_PATH = 1024
_MAX_NAME = 255
_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9._@+=-]*[A-Za-z0-9_@+=-])?"
_PLAIN = re.compile(rf"{_WORD}(?:/{_WORD})*")
_GIT_NAMES = frozenset({".git", "git~1"})


def size_limit(path: str) -> int:
    """How many bytes the file at `path` may have."""
    return MAX_LOCK if path.endswith(".lock") else MAX_FILE


def is_read(path: str) -> bool:
    """Whether a source reads this file. Hidden files are those of editors and tools."""
    if path in (FLEET_FILE, LOCK_FILE):
        return True
    top, _, rest = path.partition("/")
    if rest.startswith(".") or "/." in rest:
        return False
    return (top == POLICIES and bool(rest)) or (top == SPECS and rest.endswith(".yaml"))


def refusal(path: str) -> str:
    """Why a path may not be in a source; empty where it may.

    Undecodable bytes arrive as surrogates (PEP 383). The names that git itself refuses: `verify_path` in its `read-cache.c`.
    """
    if len(path) <= _MAX_NAME and _PLAIN.fullmatch(path):
        return _ending(path)
    if len(path.encode(errors="surrogateescape")) > _MAX_PATH:
        return f"its path is longer than {_MAX_PATH} bytes"
    if any("\ud800" <= character <= "\udfff" for character in path):
        return "its name is not UTF-8"
    if any(unicodedata.category(character) in ("Cc", "Cf") for character in path):
        return "its name has control characters"
    if "\\" in path:
        return "its name has a backslash"
    names = path.split("/")
    if len(names) > MAX_DEPTH + 1:
        return f"it lies deeper than {MAX_DEPTH} folders"
    return next(filter(None, map(_name_refusal, names)), "") or _ending(path)


def _name_refusal(name: str) -> str:
    if not name or name in (".", ".."):
        return "its path does not stay where it begins"
    if name.lower() in _GIT_NAMES:
        return "it belongs to a repository inside this one"
    if name[-1] in ". ":
        return "its name ends in a dot or a space"
    return f"its name is longer than {_MAX_NAME} bytes" if len(name.encode()) > _MAX_NAME else ""


def _ending(path: str) -> str:
    """A spec that nobody would read, because it is called `web.yml`, must not pass for one that is not there."""
    folder, _, name = path.rpartition("/")
    if (folder == SPECS or folder.startswith(SPECS + "/")) and not name.startswith("."):
        stem, dot, ending = name.rpartition(".")
        if dot and ending != "yaml" and ending.lower() in ("yaml", "yml", "json"):
            return f"specs end in .yaml: rename it to {stem}.yaml"
    return ""


_REMEDIES = (
    ("it is a symlink", "put the file itself there"),
    ("it is a submodule", "commit the files themselves"),
    ("it belongs to a repository", "commit the files themselves"),
    ("it is no regular file", "put a file there, or take it away"),
    ("it is larger", "split it, or move the data out of the source"),
    ("it lies deeper", "move it up"),
    ("it is the same file", "rename one of the two"),
    ("it cannot be read", "give yourself the right to read it"),
    ("specs end in .yaml", "rename it"),
    ("a sparse checkout", "git sparse-checkout disable, or add its folder"),
)


def remedy(reason: str) -> str:
    """What to do about a path that is refused for this reason; for those that say something of the name, another name."""
    return next((remedy for beginning, remedy in _REMEDIES if reason.startswith(beginning)), "rename it")


def shown(path: str) -> str:
    """A path as it may be printed: what is not UTF-8 or not printable is written as an escape."""
    path = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)[:_MAX_PATH]


def collisions(paths: Iterable[str]) -> Mapping[str, str]:
    """Paths that some file systems take for the same file, each with why. None of them may be chosen over the other."""
    folded: dict[str, list[str]] = {}
    for path in paths:
        folded.setdefault(unicodedata.normalize("NFC", path).casefold() if not path.isascii() else path.lower(), []).append(path)
    return {
        path: f"it is the same file as {shown(others[0] if others[0] != path else others[1])} where upper and lower case are one"
        for others in folded.values()
        if len(others) > 1
        for path in others
    }
