"""Parse: the text of a Dockerfile into stages and instructions, each word with its place. What cannot be read is a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from pipelines.core.dockerfile import codes
from pipelines.model.dockerfile import Dockerfile, Instruction, Stage, Word
from reconciler.model.findings import Code, Finding

KNOWN = frozenset(
    ("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "LABEL", "RUN", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
)
ELSEWHERE = frozenset(("CROSS_BUILD", "HEALTHCHECK", "MAINTAINER", "ONBUILD", "SHELL"))
"""Instructions that exist, and that builders treat differently or an OCI image has no place for."""
_DIRECTIVE = re.compile(r"#\s*(syntax|escape|check)\s*=\s*(\S+)\s*$", re.IGNORECASE)
_SYNTAX = re.compile(r"^(docker\.io/)?(docker|moby)/dockerfile(-upstream)?(:|@|$)")
_HEREDOC = re.compile(r"(?<![<\w\"'])\d*<<(-?)([\"']?)([A-Za-z_][\w.]*)\2(?=[\s;|&)]|$)")
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\]|["'])+""")
_Line = tuple[str, int]


def parse(text: str, path: str) -> Dockerfile:
    """A Dockerfile; never raises. Positions count characters of `text`."""
    lines = (0, *(match.end() for match in re.finditer("\n", text)))
    reader = _Reader(Dockerfile(path, text, lines=lines))
    instructions = list(reader.instructions())
    return reader.file(instructions)


def words_of(text: str, origins: tuple[int, ...]) -> tuple[Word, ...]:
    """The words of a line; what stands in quotes stays together."""
    return tuple(Word(match[0], origins[match.start()], origins[match.end() - 1] + 1) for match in _WORD.finditer(text))


class _Reader:
    def __init__(self, empty: Dockerfile) -> None:
        self._empty = empty
        self._found: list[Finding] = []

    def file(self, instructions: list[Instruction]) -> Dockerfile:
        defaults: list[Instruction] = []
        stages: list[tuple[Instruction, list[Instruction]]] = []
        for instruction in instructions:
            if instruction.name == "FROM":
                stages.append((instruction, []))
            elif stages:
                stages[-1][1].append(instruction)
            elif instruction.name == "ARG":
                defaults.append(instruction)
            else:
                self._find(codes.UNREADABLE, instruction.start, f"{instruction.name} stands before the first FROM", "begin with FROM")
        made = tuple(self._stage(position, start, steps) for position, (start, steps) in enumerate(stages))
        if not made and not any(found.is_error for found in self._found):
            self._find(codes.UNREADABLE, 0, "there is no FROM", "begin with FROM and what the spec's `from` names")
        file = self._empty
        return Dockerfile(file.path, file.text, tuple(defaults), made, tuple(self._found), file.lines)

    def _stage(self, position: int, start: Instruction, steps: list[Instruction]) -> Stage:
        words = start.words
        named = len(words) == 3 and words[1].text.lower() == "as"
        if not words or not (len(words) == 1 or named):
            self._find(codes.UNREADABLE, start.start, f"`FROM {start.rest}` cannot be read", "write `FROM IMAGE` or `FROM IMAGE AS NAME`")
        if named and words[2].text != words[2].text.lower():
            fix = f"write {words[2].text.lower()}, here and where it is used"
            self._find(codes.NOT_SHARED, words[2].start, f"the stage {words[2].text} has capitals, which builders read differently", fix)
        base = words[0] if words else Word("", start.start, start.start)
        return Stage(position, words[2].text.lower() if named else "", base, start, tuple(steps))

    def instructions(self) -> Iterator[Instruction]:
        lines = self._lines()
        for line, offset in lines:
            bare = line.strip()
            if not bare or bare.startswith("#"):
                continue
            text, origins = self._joined(line, offset, lines)
            instruction = self._instruction(text, origins)
            if instruction is None:
                continue
            self._skip_heredocs(instruction, lines)
            yield instruction

    def _lines(self) -> Iterator[_Line]:
        """Lines without their ends. Directives are comments at the very top (Dockerfile reference, "Parser directives")."""
        text, top = self._empty.text, True
        for begin, end in zip(self._empty.lines, [*(start - 1 for start in self._empty.lines[1:]), len(text)], strict=True):
            line = text[begin:end].removesuffix("\r")
            if begin == 0:
                line = line.replace("\ufeff", " ", 1) if line.startswith("\ufeff") else line
            directive = _DIRECTIVE.match(line.strip()) if top else None
            top = directive is not None
            if directive is not None:
                self._directive(directive[1].lower(), directive[2], begin)
            yield line, begin

    def _directive(self, name: str, value: str, offset: int) -> None:
        if name == "escape" and value != "\\":
            self._find(codes.UNREADABLE, offset, f"`escape={value}` changes how lines go on", "take it out, and end lines with a backslash")
        if name == "syntax" and not _SYNTAX.match(value):
            self._find(codes.NOT_SHARED, offset, f"`syntax={value}` asks for another language than Dockerfiles", "take it out")

    def _joined(self, line: str, offset: int, lines: Iterator[_Line]) -> tuple[str, tuple[int, ...]]:
        """An instruction on one line, and where each of its characters comes from."""
        text = ""
        origins: list[int] = []
        while True:
            bare = line.rstrip()
            goes_on = bare.endswith("\\")
            kept = bare[:-1] if goes_on else bare
            text += kept
            origins += range(offset, offset + len(kept))
            if not goes_on:
                return text, tuple(origins)
            for line, offset in lines:  # noqa: B007 - the line that it goes on with is used above
                if (ahead := line.strip()) and not ahead.startswith("#"):
                    break
            else:
                return text, tuple(origins)

    def _instruction(self, text: str, origins: tuple[int, ...]) -> Instruction | None:
        begin = len(text) - len(text.lstrip())
        if begin == len(text):
            return None
        name = text[begin:].split(None, 1)[0]
        upper, after = name.upper(), begin + len(name)
        if upper not in KNOWN | ELSEWHERE:
            near = get_close_matches(upper, KNOWN, 1)
            fix = f"did you mean {near[0]}?" if near else "see the line before: does it end in a backslash?"
            self._find(codes.UNREADABLE, origins[begin], f"{name[:40]} is no instruction", fix)
            return None
        flags = []
        while match := re.compile(r"\s*(--[a-z][a-z-]*(=\S*)?)(?=\s|$)").match(text, after):
            flags.append(Word(match[1], origins[match.start(1)], origins[match.end(1) - 1] + 1))
            after = match.end()
        after += len(text[after:]) - len(text[after:].lstrip())
        rest, rest_origins = text[after:], origins[after:]
        return Instruction(upper, tuple(flags), rest, words_of(rest, rest_origins), rest_origins, origins[begin])

    def _skip_heredocs(self, instruction: Instruction, lines: Iterator[_Line]) -> None:
        if instruction.name not in ("RUN", "COPY", "ADD"):
            return
        for match in _HEREDOC.finditer(instruction.rest):
            fix = "put the text into a file of the context, or join commands with `&&`"
            self._find(codes.HEREDOC, instruction.origins[match.start()], f"{instruction.name} has a heredoc", fix)
            for line, _ in lines:
                if (line.lstrip("\t") if match[1] else line) == match[3]:
                    break

    def _find(self, code: Code, offset: int, message: str, fix: str) -> None:
        self._found.append(code.at(self._empty.place(offset), message, fix))
