"""Edit: one value of a YAML text set, added or removed, and every other byte as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from reconciler.core.codes import edits as codes
from reconciler.core.inline import inline, quoted
from reconciler.core.load import load
from reconciler.core.reading import tokens
from reconciler.core.scalars import plain
from reconciler.model.canonical import dumps
from reconciler.model.documents import Marks
from reconciler.model.findings import Finding, Place, Pointer, errors

Scalar = str | int | float | bool | date | None
"""What `set_scalar` writes."""


class NotEdited(Exception):
    """The edit was not made. The finding says where and why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def set_scalar(path: str, data: bytes, pointer: Pointer, value: Scalar) -> bytes:
    """The file with another scalar at `pointer`, in the quotes that stand there. Raises NotEdited."""
    text = _Text(path, data)
    node = text.node(pointer)
    if node.kind != "scalar" or node.style in ("|", ">"):
        raise text.refuse(pointer, "what stands there is not a value on one line")
    span = text.text[node.start : node.end]
    new = _in_style(value, node.style)
    lead = " " if node.start == node.end and text.text[node.start - 1 : node.start] == ":" else ""
    return text.spliced(node.start, node.start + len(span), lead + new, pointer, value)


def add_key(path: str, data: bytes, parent: Pointer, key: str, value: Any, after: str | None = None, depth: int = 0) -> bytes:
    """The file with `key: value` on one line of its own in the mapping at `parent`, behind the key `after` or at its end.

    `depth` levels of mappings in it have a line for each of their keys. In a mapping in braces it stands there. Raises NotEdited.
    """
    text = _Text(path, data)
    node = text.node(parent)
    if node.kind != "mapping":
        raise text.refuse(parent, "what stands there is not a mapping")
    if key in node.inner:
        raise text.refuse((*parent, key), f"`{key}` is there already")
    entry = f"{inline(key)}: {inline(value)}"
    before = node.inner.get(after or "") or (list(node.inner.values())[-1] if node.inner else None)
    if node.style == "flow":
        at = before.end if before else node.start + 1
        return text.spliced(at, at, f", {entry}" if before else entry, (*parent, key), value)
    assert before is not None
    indent = " " * text.column(next(iter(node.inner.values())).key)
    at = text.line_end(before.last)
    ended = text.text[at - 1 : at] == "\n"
    line = text.newline.join(indent + each for each in _lines(key, value, depth))
    return text.spliced(at, at, line + text.newline if ended else text.newline + line, (*parent, key), value)


def _lines(key: str, value: Any, depth: int) -> Iterator[str]:
    if depth and isinstance(value, Mapping) and value:
        yield f"{inline(key)}:"
        yield from (f"  {line}" for inner, each in value.items() for line in _lines(inner, each, depth - 1))
    else:
        yield f"{inline(key)}: {inline(value)}"


def remove_key(path: str, data: bytes, pointer: Pointer) -> bytes:
    """The file without the key that leads to `pointer`: its lines, or its place in the braces. Raises NotEdited."""
    text = _Text(path, data)
    node, parent = text.node(pointer), text.node(pointer[:-1])
    if parent.kind != "mapping" or not pointer:
        raise text.refuse(pointer, "only a key of a mapping can be removed")
    if parent.style == "flow":
        return text.spliced(*_flow_span(text, parent, pointer), "", pointer, _ABSENT)
    start = text.text.rfind("\n", 0, node.key) + 1
    if text.text[start : node.key].strip(" ") or len(parent.inner) == 1:
        raise text.refuse(pointer, "it does not stand on a line of its own" if len(parent.inner) > 1 else "nothing would be left beside it")
    end = text.line_end(node.last)
    if text.text[end - 1 : end] != "\n":
        start = len(text.text[:start].removesuffix("\n").removesuffix("\r"))
    return text.spliced(start, end, "", pointer, _ABSENT)


def _flow_span(text: _Text, parent: _Node, pointer: Pointer) -> tuple[int, int]:
    """From behind the entry before to its end; the first entry goes with the comma behind it."""
    entries = list(parent.inner)
    place = entries.index(pointer[-1])
    node = parent.inner[pointer[-1]]
    if place:
        before = parent.inner[entries[place - 1]]
        if re.fullmatch(r"\s*,\s*", text.text[before.end : node.key]):
            return before.end, node.end
    elif len(entries) == 1:
        return node.key, node.end
    else:
        behind = parent.inner[entries[1]]
        if re.fullmatch(r"\s*,\s*", text.text[node.end : behind.key]):
            return node.key, behind.key
    raise text.refuse(pointer, "a comment stands beside it in the braces")


_ABSENT = object()


def _in_style(value: Scalar, style: str) -> str:
    if isinstance(value, str) and style == '"':
        return quoted(value)
    if isinstance(value, str) and style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return inline(value)


@dataclass(slots=True)
class _Node:
    """A value and where it stands: from the first character of its key, and of itself, to its end."""

    kind: Literal["scalar", "mapping", "sequence"]
    style: str
    text: str
    start: int
    end: int
    key: int
    inner: dict[str | int, _Node] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """Where its last character is. A mapping or list without brackets ends where its last value does."""
        return list(self.inner.values())[-1].last if self.inner and self.style != "flow" else self.end

    def without(self, pointer: Pointer | None) -> Any:
        """What it says, in order, without what stands at `pointer`."""
        if self.kind == "scalar":
            return self.style == "", self.text
        inner = ((key, node, pointer[1:] if pointer and pointer[0] == key else None) for key, node in self.inner.items())
        return self.kind, [(key, node.without(rest)) for key, node, rest in inner if rest != ()]


class _Text:
    """A text that reads, with the place of every value."""

    def __init__(self, path: str, data: bytes) -> None:
        loaded = load(path, data)
        for found in errors(loaded.findings):
            raise NotEdited(codes.UNREADABLE.at(found.place, f"{path} cannot be edited: {found.message}", found.fix))
        self._path = path
        self._marks: Marks = loaded.marks
        self.value = loaded.value
        self.text = data.decode()
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        self._root = _tree(self.text)

    def node(self, pointer: Pointer) -> _Node:
        """What stands at `pointer`."""
        node = self._root
        for part in pointer:
            if part not in node.inner:
                raise self.refuse(pointer, f"there is no `{part}`")
            node = node.inner[part]
        return node

    def column(self, at: int) -> int:
        """How far in a character stands on its line."""
        return at - self.text.rfind("\n", 0, at) - 1

    def line_end(self, at: int) -> int:
        """Where the line that ends at or after `at` is over, line end included. A block of text is over where its lines are."""
        if at and self.text[at - 1] == "\n":
            return at
        end = self.text.find("\n", at)
        return end + 1 if end >= 0 else len(self.text)

    def refuse(self, pointer: Pointer, why: str) -> NotEdited:
        """That it cannot be done, and where."""
        place = Place(self._path, *self._marks.value(pointer), pointer)
        written = ".".join(map(str, pointer)) or "the document"
        return NotEdited(codes.IMPOSSIBLE.at(place, f"{written} cannot be edited: {why}", "make the edit by hand"))

    def spliced(self, start: int, end: int, new: str, pointer: Pointer, value: Any) -> bytes:
        """The text with one piece replaced, read again to see that only `pointer` changed, and to `value`."""
        data = (self.text[:start] + new + self.text[end:]).encode()
        again = load(self._path, data)
        if errors(again.findings) or _tree(data.decode()).without(pointer) != self._root.without(pointer):
            raise self.refuse(pointer, "more than that would change")
        found = again.value
        for part in pointer:
            found = found[part] if isinstance(part, int) or part in found else _ABSENT
        if found is not value and (_ABSENT in (found, value) or dumps(found) != dumps(value)):
            raise self.refuse(pointer, "it would be read as something else")
        return data


def _tree(text: str) -> _Node:
    """The nodes of a text, by a stack of our own."""
    root = _Node("sequence", "block", "", 0, 0, 0)
    stack: list[_Node] = [root]
    key: tuple[str | int, int] | None = None
    for token in tokens(text):
        top = stack[-1]
        if token.kind == "end":
            stack.pop().end = token.end
            continue
        if top.kind == "mapping" and key is None:
            name = plain(token.text) if not token.style else token.text
            key = name if isinstance(name, int) else token.text, token.start
            continue
        node = _Node(token.kind, token.style, token.text, token.start, token.end, key[1] if key else token.start)
        top.inner[key[0] if key else len(top.inner)] = node
        key = None
        if node.kind != "scalar":
            stack.append(node)
    return root.inner[0]
