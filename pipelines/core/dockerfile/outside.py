"""Outside: every image that a Dockerfile takes something from, and the same Dockerfile with each of them by digest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pipelines.model.dockerfile import Dockerfile, Instruction, Stage, Word

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Outside:
    """One mention of an image that is not a stage of the same file."""

    image: str
    """As it is meant, variables replaced: a name of the fleet, or a full reference. Empty where a variable has no value."""
    word: Word
    """As it is written."""
    by: Literal["FROM", "COPY", "RUN"]
    stage: int

    @property
    def has_digest(self) -> bool:
        """Whether nobody can move it."""
        return _DIGEST.search(self.image) is not None


def outside(file: Dockerfile, args: Mapping[str, str]) -> tuple[Outside, ...]:
    """Every mention, in order. `args` are the spec's build arguments."""
    values = defaults(file, args)
    return tuple(mention for stage in file.stages for mention in _of_stage(file, stage, values))


def _of_stage(file: Dockerfile, stage: Stage, values: Mapping[str, str]) -> Iterator[Outside]:
    before = {other.name for other in file.stages[: stage.position] if other.name}
    if stage.base.text not in (*before, "", "scratch"):
        yield Outside(replaced(stage.base.text, values) or "", stage.base, "FROM", stage.position)
    for step in stage.steps:
        for by, word in _taken_from(step):
            is_stage = word.text in before or (word.text.isdecimal() and int(word.text) < stage.position)
            if not is_stage:
                yield Outside("" if "$" in word.text else word.text, word, by, stage.position)


def _taken_from(step: Instruction) -> Iterator[tuple[Literal["COPY", "RUN"], Word]]:
    if step.name == "COPY" and (word := step.flag("from")):
        yield "COPY", word
    if step.name == "RUN":
        for mount in step.all_flags("mount"):
            for match in re.finditer(r"(?:^|,)from=([^,]+)", mount.text):
                yield "RUN", Word(match[1], mount.start + match.start(1), mount.start + match.end(1))


def defaults(file: Dockerfile, args: Mapping[str, str]) -> dict[str, str]:
    """Variables that FROM sees: ARGs in front of the first FROM, each with what the spec gives or with its default."""
    values: dict[str, str] = {}
    for instruction in file.defaults:
        for word in instruction.words:
            name, equals, default = word.text.partition("=")
            if name in args:
                values[name] = args[name]
            elif equals and (value := replaced(default.strip("\"'"), values)) is not None:
                values[name] = value
    return values


def replaced(text: str, values: Mapping[str, str]) -> str | None:
    """The text with its variables replaced (`$A`, `${A}`, `${A:-default}`, `${A:+instead}`); None where one has no value."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        found = values.get(match[1] or match[2], "")
        if match[3] == "+":
            return match[4] if found else ""
        if match[3] == "-":
            return found or match[4]
        missing = missing or not found
        return found

    made = _VARIABLE.sub(value, text)
    return None if missing or "$" in made else made


def pin(file: Dockerfile, args: Mapping[str, str], digests: Mapping[str, str]) -> str:
    """The text with each image from outside replaced by what `digests` has for it. KeyError names one that it does not have.

    What is by digest already stays, unless `digests` has something else for it (a mirror, a stand-in).
    """
    text = file.text
    for mention in sorted(outside(file, args), key=lambda mention: -mention.word.start):
        pinned = digests.get(mention.image) if mention.has_digest else digests[mention.image]
        if pinned is not None:
            text = text[: mention.word.start] + pinned + text[mention.word.end :]
    return text
