"""YAML's only door: a text becomes one plain value, read strictly, in one pass over the parser's events."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import yaml

from reconciler.core.codes import documents as codes
from reconciler.core.scalars import Doubtful, plain
from reconciler.model.findings import Code, Pointer

MAX_DEPTH = 64
MAX_PROBLEMS = 50
"""Of one file: who has more has pasted something else."""

UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
"""Control characters, line separators, and marks of direction."""
START = (1, 1)


class Limits(NamedTuple):
    """How large a file may be: a spec, unless something else is said."""

    bytes: int = 1 << 20
    nodes: int = 50_000


SPEC = Limits()
UNLIMITED = Limits(1 << 62, 1 << 62)
"""For a text that was read within its limits before."""

At = tuple[int, int]
"""Line and column, from 1."""


class Problem(NamedTuple):
    """What is wrong with a text, and where."""

    code: Code
    at: At
    pointer: Pointer
    message: str
    fix: str


def unseen(character: str) -> tuple[str, str]:
    """What to say of a character that cannot be seen, and what to do."""
    if character == "\ufeff":
        return "byte order mark (U+FEFF)", "save the file as UTF-8 without a byte order mark"
    name = unicodedata.name(character, "control character")
    return f"character U+{ord(character):04X} ({name}) cannot be seen", "delete it"


class _Unreadable(Exception):
    """Reading cannot go on; the problem is told."""


class _Vacant:
    """No key is waiting for its value."""


class _Again:
    """A key that was there before: its value is read and dropped."""

    __slots__ = ("key",)

    def __init__(self, key: str | int) -> None:
        self.key = key


_VACANT = _Vacant()


class Reading:
    """One pass over the parser's events with a stack of our own: the C composer recurses and dies of deep nesting."""

    __slots__ = ("_again", "_base", "_key", "_limit", "_nodes", "_root", "_stack", "_text", "_top", "keys", "problems", "values")

    def __init__(
        self, text: str, limits: Limits = SPEC, values: dict[Pointer, At] | None = None, keys: dict[Pointer, At] | None = None
    ) -> None:
        self._text = text
        self._limit = limits.nodes
        self._root: list[Any] = []
        self._top: Any = self._root
        self._key: Any = _VACANT
        self._base: Pointer = ()
        self._stack: list[tuple[Any, Any, Pointer]] = []
        self._nodes = 0
        self._again: Reading | None = None
        self.keys = {} if keys is None else keys
        self.values = values
        self.problems: list[Problem] = []

    def run(self) -> Any:
        """The value, or as much of it as could be read."""
        parser = yaml.CSafeLoader(self._text)
        try:
            while (event := parser.get_event()) is not None:
                _HANDLERS[type(event)](self, event)
        except _Unreadable:
            return None
        except yaml.MarkedYAMLError as fault:
            self.problems.append(_syntax(fault, self._text))
            return None
        except yaml.YAMLError as fault:
            self.problems.append(Problem(codes.SYNTAX, START, (), f"this cannot be read: {fault}", ""))
            return None
        finally:
            parser.dispose()
        value = self._root[0] if self._root else None
        if value is None and not self.problems:
            self.problems.append(Problem(codes.EMPTY, START, (), "the file holds nothing", "write the spec, or delete the file"))
        return value

    def scalar(self, event: Any) -> None:
        """A scalar: a value, or the key of one."""
        self._nodes += 1
        if event.anchor is not None or event.tag is not None:
            self._decorated(event)
        value: Any = event.value
        if not event.style:
            value = plain(value)
            if type(value) is Doubtful:
                self._problem(value.code, event, value.message, value.fix)
                value = value.meant
        elif event.style == '"' and (found := UNSEEN.search(value)):
            self._problem(codes.UNSEEN, event, *unseen(found[0]))
        if self._key is _VACANT and type(self._top) is dict:
            self._name(value, event)
        else:
            self._add(value, event)

    def _add(self, value: Any, event: Any) -> None:
        if self.values is not None:
            self.values.setdefault(self._here(), _at(event.start_mark))
        if type(self._top) is list:
            self._top.append(value)
        else:
            if type(self._key) is not _Again:
                self._top[self._key] = value
            self._key = _VACANT

    def _name(self, key: Any, event: Any) -> None:
        if key == "<<" and not event.style:
            self._problem(codes.MERGE, event, "merge keys are not allowed", "write the fields out")
        if type(key) is not str and type(key) is not int:
            self._problem(codes.KEY, event, f"`{event.value}` is not a key", f'write "{event.value}"')
            key = event.value
        if key in self._top:
            first = self._first(key)
            self._problem(codes.DUPLICATE, event, f"`{key}` is here twice; first on line {first}", "delete one of the two")
            self._key = _Again(key)
            return
        self._key = key
        if self.values is not None:
            self.keys[self._here()] = _at(event.start_mark)

    def _first(self, key: str | int) -> int:
        """The line where a key stands first; only a reading that keeps positions knows, so read again, once."""
        if self.values is None and self._again is None:
            self._again = Reading(self._text, UNLIMITED, values={}, keys={})
            self._again.run()
        keys = self._again.keys if self._again else self.keys
        return keys.get((*self._pointer(), key), START)[0]

    def mapping(self, event: Any) -> None:
        """A mapping begins."""
        self._open({}, event)

    def sequence(self, event: Any) -> None:
        """A list begins."""
        self._open([], event)

    def _open(self, value: Any, event: Any) -> None:
        self._nodes += 1
        if event.anchor is not None or event.tag is not None:
            self._decorated(event)
        if self._key is _VACANT and type(self._top) is dict:
            self._problem(codes.KEY, event, "a list or a mapping cannot be a key", "keys are text; quote what begins with [, { or ?")
            raise _Unreadable
        if len(self._stack) >= MAX_DEPTH:
            self._problem(codes.TOO_DEEP, event, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
            raise _Unreadable
        key, base = self._key, self._here() if self.values is not None else ()
        self._add(value, event)
        self._stack.append((self._top, key, self._base))
        self._base = base
        self._top, self._key = value, _VACANT
        self._bound(event)

    def end(self, event: Any) -> None:
        """A mapping or a list ends."""
        self._bound(event)
        self._top, _, self._base = self._stack.pop()

    def _bound(self, event: Any) -> None:
        if self._nodes > self._limit:
            self._problem(codes.TOO_MANY, event, f"more than {self._limit:,} keys and values", "split it, or move the data out of the spec")
            raise _Unreadable

    def alias(self, event: Any) -> None:
        """An alias: always refused."""
        self._nodes += 1
        self._problem(codes.ANCHOR, event, f"alias *{event.anchor}", "write the value out, or quote text that begins with *")
        if self._key is _VACANT and type(self._top) is dict:
            self._key = _Again(f"*{event.anchor}")
        else:
            self._add(None, event)

    def _decorated(self, event: Any) -> None:
        if event.anchor is not None:
            self._problem(codes.ANCHOR, event, f"anchor &{event.anchor}", "write the value out, or quote text that begins with &")
        if event.tag is not None:
            self._problem(codes.TAG, event, f"tag {event.tag}", "leave it out; quote what is text")

    def document(self, event: Any) -> None:
        """A document begins: there is one."""
        if self._root:
            self._problem(codes.SECOND, event, "a second document begins here", "move it into a file of its own")
            raise _Unreadable
        if event.version or event.tags:
            self._problem(codes.DIRECTIVE, event, "directives are not allowed", "delete the lines that begin with %")

    def nothing(self, event: Any) -> None:
        """What begins and ends streams says nothing."""

    def _problem(self, code: Code, event: Any, message: str, fix: str) -> None:
        self.problems.append(Problem(code, _at(event.start_mark), self._pointer(), message, fix))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Unreadable

    def _here(self) -> Pointer:
        """Where the next value goes, while positions are kept."""
        if not self._stack:
            return ()
        return (*self._base, len(self._top) if type(self._top) is list else self._key.key if type(self._key) is _Again else self._key)

    def _pointer(self) -> Pointer:
        """Where the next value goes, worked out from the stack."""
        frames = [*self._stack, (self._top, self._key, ())][1:]
        last = len(frames) - 1
        return tuple(
            len(container) - (place < last) if type(container) is list else key.key if type(key) is _Again else key
            for place, (container, key, _) in enumerate(frames)
            if key is not _VACANT or type(container) is list
        )


_HANDLERS: Mapping[type, Callable[[Reading, Any], None]] = {
    yaml.ScalarEvent: Reading.scalar,
    yaml.MappingStartEvent: Reading.mapping,
    yaml.SequenceStartEvent: Reading.sequence,
    yaml.MappingEndEvent: Reading.end,
    yaml.SequenceEndEvent: Reading.end,
    yaml.AliasEvent: Reading.alias,
    yaml.DocumentStartEvent: Reading.document,
    yaml.DocumentEndEvent: Reading.nothing,
    yaml.StreamStartEvent: Reading.nothing,
    yaml.StreamEndEvent: Reading.nothing,
}


def _at(mark: Any) -> At:
    return mark.line + 1, mark.column + 1


def _index(mark: Any) -> int:
    index: int = mark.index
    return index


class Token(NamedTuple):
    """One step through a text, with the characters it goes from and to."""

    kind: Literal["scalar", "mapping", "sequence", "end"]
    style: str
    """Of a scalar its quote or sign (`\"`, `'`, `|`, `>`, or nothing); of the others `flow` or `block`."""
    text: str
    """What a scalar says."""
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """Everything in a text that was read without problems, in order."""
    parser = yaml.CSafeLoader(text)
    try:
        while (event := parser.get_event()) is not None:
            start, end = _index(event.start_mark), _index(event.end_mark)
            match event:
                case yaml.ScalarEvent():
                    yield Token("scalar", event.style or "", event.value, start, end)
                case yaml.MappingStartEvent():
                    yield Token("mapping", "flow" if event.flow_style else "block", "", start, end)
                case yaml.SequenceStartEvent():
                    yield Token("sequence", "flow" if event.flow_style else "block", "", start, end)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    yield Token("end", "", "", start, end)
    finally:
        parser.dispose()


_EXPLAINED = (
    ("mapping values are not allowed", "a key cannot begin here", "check the indentation, or quote a value that holds `: `"),
    ("did not find expected key", "a key is expected here", "check the indentation and the quotes of the lines above"),
    ("could not find expected ':'", "a key without `:`", "write `key: value`, with a space after the colon"),
    ("found unexpected end of stream", "a quote is never closed", "close it"),
    ("block sequence entries are not allowed", "a list cannot begin here", "put `- ` on a line of its own"),
    ("did not find expected ','", "a comma or a closing bracket is expected here", "close the bracket"),
    ("did not find expected node content", "a value is expected here", "close the bracket, or quote the value"),
    ("found character that cannot start", "text cannot begin with this character", "put it in quotes"),
    ("did not find expected '-' indicator", "the next item of a list is expected here", "check the indentation"),
    ("did not find expected alphabetic", "`*` and `&` begin no text", "put it in quotes"),
)


def _syntax(fault: yaml.MarkedYAMLError, text: str) -> Problem:
    problem, mark = str(fault.problem), fault.problem_mark or fault.context_mark
    ends = _end(text)
    if mark and _at(mark) > ends and fault.context_mark:  # nothing is wrong at the end: something began and never ended
        mark = fault.context_mark
    at = min(_at(mark), ends) if mark else START
    if _character(text, at) == "\t":
        return Problem(codes.TAB, at, (), "a tab cannot stand here", "indent with spaces")
    since = ""
    if fault.context_mark and fault.context_mark.line + 1 < at[0] and fault.context:
        since = f" ({str(fault.context).removeprefix('while parsing ').removeprefix('while scanning ')} begins on line {fault.context_mark.line + 1})"
    for said, message, fix in _EXPLAINED:
        if problem.startswith(said):
            return Problem(codes.SYNTAX, at, (), message + since, fix)
    return Problem(codes.SYNTAX, at, (), f"this is not YAML: {problem}{since}", "see `fleet explain DOC004`")


def _character(text: str, at: At) -> str:
    lines = text.splitlines()
    line = lines[at[0] - 1] if at[0] <= len(lines) else ""
    return line[at[1] - 1 : at[1]]


def _end(text: str) -> At:
    """Just behind the last character that is no white space."""
    text = text.rstrip()
    return text.count("\n") + 1, len(text) - text.rfind("\n")
