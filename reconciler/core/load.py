"""Load: the bytes of a file become one plain value, read strictly; positions are worked out when somebody asks."""

from __future__ import annotations

from typing import Any, NamedTuple

from reconciler.core.codes import documents as codes
from reconciler.core.reading import MAX_PROBLEMS, SPEC, START, UNLIMITED, UNSEEN, At, Limits, Problem, Reading, unseen
from reconciler.model.documents import Marks
from reconciler.model.findings import Finding, Place, Pointer
from reconciler.model.refs import Ref

_VISIBLE = bytes({9, 10, 13} | set(range(32, 127)))


class Loaded(NamedTuple):
    """What a file holds. With findings `value` is as much as could be read, for further findings only; None is nothing at all."""

    value: Any
    marks: Marks
    findings: tuple[Finding, ...]


class Positions:
    """Where everything in a text stands (the Marks of a document), from a second reading when first asked."""

    __slots__ = ("_keys", "_text", "_values")

    def __init__(self, text: str) -> None:
        self._text = text
        self._values: dict[Pointer, At] | None = None
        self._keys: dict[Pointer, At] = {}

    def value(self, pointer: Pointer) -> At:
        """Line and column of the value at `pointer`, or of its nearest parent."""
        values = self._read()
        while pointer and pointer not in values:
            pointer = pointer[:-1]
        return values.get(pointer, START)

    def key(self, pointer: Pointer) -> At:
        """Line and column of the key that leads to `pointer`, or else of the value there."""
        self._read()
        return self._keys.get(pointer) or self.value(pointer)

    def _read(self) -> dict[Pointer, At]:
        if self._values is None:
            reading = Reading(self._text, UNLIMITED, values={}, keys=self._keys)
            reading.run()
            self._values = reading.values
        return self._values or {}


def load(path: str, data: bytes, subject: Ref | None = None, limits: Limits = SPEC) -> Loaded:
    """The one YAML document of a file. Never raises; every finding says where."""
    text, problems = _decode(data, limits.bytes)
    if problems:
        return Loaded(None, Positions(""), tuple(_finding(path, subject, problem) for problem in problems))
    reading = Reading(text, limits)
    value = reading.run()
    return Loaded(value, Positions(text), tuple(_finding(path, subject, problem) for problem in reading.problems))


def _finding(path: str, subject: Ref | None, problem: Problem) -> Finding:
    return problem.code.at(Place(path, *problem.at, problem.pointer), problem.message, problem.fix, subject)


def _decode(data: bytes, most: int) -> tuple[str, list[Problem]]:
    if len(data) > most:
        message = f"the file has {len(data):,} bytes; it may have {most:,}"
        return "", [Problem(codes.TOO_LARGE, START, (), message, "split it, or move the data out of the spec")]
    if not data.translate(None, _VISIBLE):
        return data.decode("ascii"), []
    try:
        text = data.decode()
    except UnicodeDecodeError as fault:
        at = _position(data[: fault.start].decode(errors="replace"))
        fix = "save the file as UTF-8" + (" (it looks like UTF-16)" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "")
        return "", [Problem(codes.NOT_UTF8, at, (), f"byte 0x{data[fault.start]:02x} is not UTF-8", fix)]
    hidden = list(UNSEEN.finditer(text))[:MAX_PROBLEMS]
    return text, [Problem(codes.UNSEEN, _position(text[: found.start()]), (), *unseen(found[0])) for found in hidden]


def _position(before: str) -> At:
    return before.count("\n") + 1, len(before) - before.rfind("\n")
