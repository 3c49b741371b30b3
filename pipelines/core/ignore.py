"""Ignores: which files of a folder are in the context, as `.dockerignore` says (Docker, "Build context", ".dockerignore files")."""

from __future__ import annotations

import re

from pipelines.model.recipe import Files

IGNORE = ".dockerignore"


def kept(files: Files, dockerfile: str) -> Files:
    """The files that count. The Dockerfile always does, the ignore file never: it reaches no builder."""
    patterns = _patterns(files[IGNORE].data.decode(errors="replace")) if IGNORE in files else ()
    return {path: file for path, file in files.items() if path != IGNORE and (path == dockerfile or not _is_ignored(path, patterns))}


def _is_ignored(path: str, patterns: tuple[tuple[bool, re.Pattern[str]], ...]) -> bool:
    """The last pattern that matches the path or a folder above it decides."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    ignored = False
    for negated, pattern in patterns:
        if ignored is negated and any(pattern.fullmatch(each) for each in above):
            ignored = not negated
    return ignored


def _patterns(text: str) -> tuple[tuple[bool, re.Pattern[str]], ...]:
    found = []
    for line in text.splitlines():
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        negated = said.startswith("!")
        cleaned = "/".join(part for part in said.removeprefix("!").strip().split("/") if part not in ("", "."))
        if cleaned:
            found.append((negated, re.compile(_regex(cleaned))))
    return tuple(found)


def _regex(pattern: str) -> str:
    """`*` and `?` stay within a name, `**` crosses any number of folders (Go's filepath.Match, and Docker's addition)."""
    regex, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            regex, at = regex + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            regex, at = regex + ".*", at + 2
        elif (character := pattern[at]) in "*?":
            regex, at = regex + ("[^/]*" if character == "*" else "[^/]"), at + 1
        elif character == "[" and (end := pattern.find("]", at + 2)) > 0:
            regex, at = f"{regex}[{pattern[at + 1 : end].replace(chr(92), chr(92) * 2)}]", end + 1
        else:
            regex, at = regex + re.escape(character), at + 1
    return regex
