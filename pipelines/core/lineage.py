"""Lineage: which image starts from which, with their builds, and what runs each; as a tree of text and as a chart of Mermaid."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pipelines.core.catalog import Key, Listed, judgement
from pipelines.core.visible import visible
from reconciler.model.graph import Choice, Held, Missing, Unverified
from reconciler.model.refs import Ref

_DIGITS = 12


def lineage_text(listed: Collection[Listed], choices: Mapping[Ref, Choice]) -> str:
    """A tree: external bases at the left, what starts from an image below it, and what runs it."""
    known = {one.name for one in listed}
    lines: list[str] = []
    for base, tops in _tops(listed, known).items():
        lines.append(visible(base))
        lines += _branches(tops, listed, choices, "")
    return "\n".join(lines)


def _tops(listed: Collection[Listed], known: Collection[str]) -> dict[str, list[Listed]]:
    """Images that start from nothing in the list, by what they start from."""
    found: dict[str, list[Listed]] = {}
    for one in listed:
        if one.parent not in known:
            found.setdefault(one.start or "(declared nowhere)", []).append(one)
    return found


def _branches(ones: Collection[Listed], listed: Collection[Listed], choices: Mapping[Ref, Choice], indent: str) -> Iterator[str]:
    last = len(ones) - 1
    for place, one in enumerate(ones):
        yield f"{indent}{'`-' if place == last else '|-'} {one.name}  {about(one)}"
        below = indent + ("   " if place == last else "|  ")
        children = [child for child in listed if child.parent == one.name]
        if one.users:
            yield f"{below}{'|' if children else ' '}  run by {', '.join(_user(ref, choices.get(ref)) for ref in one.users)}"
        yield from _branches(children, listed, choices, below)


def about(one: Listed) -> str:
    """Tag, digest, what the gate said, and whether it is of the files as they are."""
    if one.builds is None:
        return "never built"
    build = one.builds.current
    words = {
        Key.CURRENT: "",
        Key.OUTDATED: ", not of these files",
        Key.OPEN: ", its parent first",
        Key.UNBUILDABLE: ", cannot be built",
        Key.GONE: "",
    }
    return f"{build.tag}  {build.digest[7 : 7 + _DIGITS]}  {_GATE[judgement(build)]}{words[one.key]}"


_GATE = {"passed": "passed", "none": "not judged", "bad": "bad"}


def _user(ref: Ref, choice: Choice | None) -> str:
    match choice:
        case Held(hold=hold):
            return f"{ref.short} (held at {hold.tag})"
        case Unverified(tag=tag):
            return f"{ref.short} (by the tag {tag})"
        case Missing():
            return f"{ref.short} (keeps what runs)"
        case _:
            return ref.short


def edges(listed: Collection[Listed]) -> Iterator[tuple[str, str]]:
    """(what it starts from, image) for each image that a spec declares."""
    return ((one.parent or one.start, one.name) for one in listed if one.start)
