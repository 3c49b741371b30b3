"""Dockerfiles as builders read them: instructions with their lines (Dockerfile reference), and the two things that builds do to them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

EPOCH = "SOURCE_DATE_EPOCH"
_ESCAPE = re.compile(r"#\s*escape\s*=\s*([\\`])\s*$", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*[a-zA-Z][\w-]*\s*=")
_HEREDOC = re.compile(r"<<(-?)\s*([\"']?)([A-Za-z_][A-Za-z0-9_.]*)\2")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEREDOC_WORDS = frozenset({"RUN", "COPY", "ADD"})


class Instruction(NamedTuple):
    """One instruction: its keyword in capitals, what follows it on one line, and the lines that it takes, counted from 1."""

    word: str
    rest: str
    first: int
    last: int


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, in order; whether they are right is the builder's to say."""
    lines = text.splitlines()
    escape = _escape(lines)
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        first, (joined, at) = at, _joined(lines, at, escape)
        word, _, rest = joined.strip().partition(" ")
        if word.upper() in _HEREDOC_WORDS:
            at = _after_heredocs(lines, at, rest)
        yield Instruction(word.upper(), rest.strip(), first + 1, at)


def _escape(lines: list[str]) -> str:
    """The escape character: a parser directive may change it, in the comments that the file begins with."""
    for line in lines:
        if found := _ESCAPE.match(line.strip()):
            return found[1]
        if not _DIRECTIVE.match(line.strip()):
            break
    return "\\"


def _joined(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    """An instruction on one line, and the index of the line after it. Comments and empty lines inside of it do not end it."""
    parts: list[str] = []
    while at < len(lines):
        line = lines[at].rstrip()
        at += 1
        if parts and (not line or line.lstrip().startswith("#")):
            continue
        if not line.endswith(escape):
            parts.append(line)
            break
        parts.append(line[:-1])
    return " ".join(part.replace("\t", " ") for part in parts), at


def _after_heredocs(lines: list[str], at: int, rest: str) -> int:
    """The index of the line after the bodies of an instruction's here-documents; `at` where it has none."""
    for dash, _, name in _HEREDOC.findall(rest):
        end = next((n for n in range(at, len(lines)) if (lines[n].lstrip("\t") if dash else lines[n]) == name), None)
        if end is None:
            return at
        at = end + 1
    return at


class Dated(NamedTuple):
    """A Dockerfile whose steps see SOURCE_DATE_EPOCH, and where lines were put in."""

    text: str
    inserted: tuple[int, ...]
    """Lines of `text`, counted from 1, that the original does not have."""

    def line(self, number: int) -> int:
        """The line of the original for a line of `text`; for one that was put in, the line above it."""
        return number - sum(1 for line in self.inserted if line <= number)


def dated(text: str) -> Dated:
    """Declares SOURCE_DATE_EPOCH as an argument of every stage, so that its steps see it and the image's configuration does not have it.

    The value comes from the builder (`--build-arg`, `buildArgs`). A stage that declares it itself sees the same value.
    """
    lines = text.splitlines()
    ends = [one.last for one in instructions(text) if one.word == "FROM"]
    for end in reversed(ends):
        lines.insert(end, f"ARG {EPOCH}")
    return Dated("\n".join(lines) + "\n", tuple(end + n for n, end in enumerate(ends, 1)))


class _Stage(NamedTuple):
    name: str
    base: str
    arguments: set[str]
    settings: set[str]


def arguments_only(text: str, inherited: Collection[str] = ()) -> frozenset[str]:
    """Names that are arguments (ARG) of the last stage and of those it starts from, and no environment (ENV) of theirs or of the parent.

    A builder that runs steps with arguments as environment must not leave these in the image's configuration.
    """
    chain = _chain(text)
    arguments = {EPOCH}.union(*(stage.arguments for stage in chain))
    return frozenset(arguments.difference(inherited, *(stage.settings for stage in chain)))


def start(text: str) -> str:
    """What the last stage starts from outside of the Dockerfile, as FROM has it: `scratch`, a reference, perhaps with variables in it."""
    chain = _chain(text)
    return chain[-1].base if chain else ""


def _chain(text: str) -> list[_Stage]:
    """The last stage, the one it starts from, and so on."""
    stages = _stages(text)
    chain: list[_Stage] = []
    while stages:
        stage = stages.pop()
        if not chain or stage.name.lower() == chain[-1].base.lower():
            chain.append(stage)
    return chain


def _stages(text: str) -> list[_Stage]:
    stages: list[_Stage] = []
    for one in instructions(text):
        match one.word:
            case "FROM":
                base, _, name = _from(one.rest)
                stages.append(_Stage(name or str(len(stages)), base, set(), set()))
            case "ARG" if stages:
                stages[-1].arguments.update(_names(one.rest))
            case "ENV" if stages and one.rest:
                stages[-1].settings.update(_names(one.rest) if "=" in one.rest.split(None, 1)[0] else one.rest.split(None, 1)[:1])
    return stages


def _from(rest: str) -> tuple[str, str, str]:
    words = [word for word in rest.split() if not word.startswith("--")] + ["", "", ""]
    return words[0], words[1], words[2]


def _names(rest: str) -> list[str]:
    """The names of `A=1 B="x y" C`."""
    return [
        found[1]
        for found in re.finditer(r"(?:^|\s)(" + _NAME.pattern + r")(?:=(?:\"(?:\\.|[^\"\\])*\"|'[^']*'|(?:\\.|[^\s\\])*))?(?=\s|$)", rest)
    ]
