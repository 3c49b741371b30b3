"""Dockerfiles: instructions and stages with where they stand, down to the word."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.model.findings import Finding, Place


@dataclass(frozen=True, slots=True)
class Word:
    """A word of an instruction: as it is written, and the span of the file's text that it stands in."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: continued lines are joined, comments between them left out."""

    name: str
    """In capitals."""
    flags: tuple[Word, ...]
    """`--name=value`, in front of the rest."""
    rest: str
    """What comes after the flags, on one line."""
    words: tuple[Word, ...]
    """The rest by words; what is in quotes is one word, quotes included."""
    origins: tuple[int, ...]
    """Of each character of `rest`: where it stands in the file's text."""
    start: int

    @property
    def is_exec(self) -> bool:
        """Written as a JSON array: run as it is, without a shell."""
        return self.rest.startswith("[")

    def flag(self, name: str) -> Word | None:
        """The value of a flag, the first of that name."""
        return next(iter(self.all_flags(name)), None)

    def all_flags(self, name: str) -> tuple[Word, ...]:
        """The values of a flag that may be given several times."""
        lead = len(name) + 3
        return tuple(Word(flag.text[lead:], flag.start + lead, flag.end) for flag in self.flags if flag.text.startswith(f"--{name}="))


@dataclass(frozen=True, slots=True)
class Stage:
    """A FROM and what follows it."""

    position: int
    name: str
    """In lower case; empty where it has none."""
    base: Word
    """What it starts from, as it is written."""
    start: Instruction
    steps: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile that was read, with what was wrong with it."""

    path: str
    text: str
    defaults: tuple[Instruction, ...] = ()
    """ARG instructions in front of the first FROM: they can be used in FROM alone."""
    stages: tuple[Stage, ...] = ()
    findings: tuple[Finding, ...] = ()
    lines: tuple[int, ...] = field(default=(0,), repr=False)
    """Where each line begins."""

    def place(self, offset: int) -> Place:
        """Line and column of a place in the text."""
        line = sum(1 for begin in self.lines if begin <= offset)
        return Place(self.path, line, offset - self.lines[line - 1] + 1)
