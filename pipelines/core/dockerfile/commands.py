"""Commands: what a RUN runs, as far as it can be read without a shell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.model.dockerfile import Instruction

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<end>&&|\|\||[;|&(){}]|\$\()|(?P<word>(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|\$\{[^}]*\}|[^\s"'\\;|&(){}]|["'\\])+)"""
)
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_BEFORE = frozenset(("then", "do", "else", "elif", "if", "while", "until", "!", "exec", "command", "env", "sudo", "time", "nice"))
"""Words that a command may stand behind."""


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: its words without quotes, and where it begins in the file."""

    words: tuple[str, ...]
    start: int

    @property
    def name(self) -> str:
        """What is run, without its folder."""
        return self.words[0].rpartition("/")[2]

    @property
    def plain(self) -> tuple[str, ...]:
        """What is not an option, nor the value of apt's `-o`."""
        kept, skip = [], False
        for word in self.words[1:]:
            if not skip and not word.startswith("-"):
                kept.append(word)
            skip = word in ("-o", "-c", "-t") and not skip
        return tuple(kept)


def commands(step: Instruction) -> tuple[Command, ...]:
    """The commands of a RUN in order. What a variable holds, or a script does, nobody knows."""
    if step.is_exec:
        try:
            words = json.loads(step.rest)
        except ValueError:
            return ()
        return (Command(tuple(map(str, words)), step.start),) if words and isinstance(words, list) else ()
    return tuple(_shell(step))


def _shell(step: Instruction) -> Iterator[Command]:
    words: list[str] = []
    start = 0
    for match in _TOKEN.finditer(step.rest):
        if match["end"]:
            if words:
                yield Command(tuple(words), start)
            words = []
        elif match["word"] and (words or not (_ASSIGNMENT.match(match["word"]) or match["word"] in _BEFORE)):
            start = start if words else step.origins[match.start()]
            words.append(unquoted(match["word"]))
    if words:
        yield Command(tuple(words), start)


def unquoted(word: str) -> str:
    """A word without its quotes and backslashes."""
    return re.sub(r"\\(.)|[\"']", lambda match: match[1] or "", word)
