"""Closing: as whom and through what the finished image starts, and what its children inherit of that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.core.dockerfile import codes
from pipelines.model.dockerfile import Dockerfile, Instruction, Stage
from reconciler.model.findings import Finding

SHARED = ("/usr/bin/tini", "--", "/opt/fleet/runtime/entrypoint")
"""The shared entry point: tini as PID 1, then images/runtime."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """What an image hands to those that start from it."""

    user: str = ""
    """As its last USER says; empty means root, or what an image from outside has."""
    entrypoint: tuple[str, ...] = ()


def settled(file: Dockerfile, before: Inherited) -> Inherited:
    """What a Dockerfile makes of what it inherits."""
    if not file.stages:
        return before
    line = _line(file, file.stages[-1])
    for instruction in (step for stage in line for step in stage.steps):
        if instruction.name == "USER":
            before = Inherited(instruction.rest.strip(), before.entrypoint)
        elif instruction.name == "ENTRYPOINT":
            before = Inherited(before.user, exec_words(instruction) or ("/bin/sh",))
    return before


def _line(file: Dockerfile, stage: Stage) -> list[Stage]:
    """The stages that a stage goes on from, the first one first."""
    earlier = (other for other in file.stages[: stage.position] if other.name and other.name == stage.base.text)
    before = next(earlier, None)
    return [*(_line(file, before) if before is not None else ()), stage]


def exec_words(instruction: Instruction) -> tuple[str, ...] | None:
    """The words of a JSON array; None for the shell form, or what is no array of words."""
    try:
        words = json.loads(instruction.rest)
    except ValueError:
        return None
    return tuple(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def closing(file: Dockerfile, inherited: Inherited, runs: bool) -> Iterator[Finding]:
    """Findings on how the image starts. An image that others start from need not start anything itself, but not be root either."""
    last = file.stages[-1]
    result = settled(file, inherited)
    user = result.user.partition(":")[0]
    if not (user.isdecimal() and int(user) > 0):
        said = next((step for step in reversed(last.steps) if step.name == "USER"), None)
        message = f"the last USER is {result.user}" if result.user else "nothing says as whom it runs, so it is root"
        yield codes.ROOT.at(file.place(said.start if said else last.start.start), message, "end with `USER 10001:10001`")
    for step in last.steps:
        if step.name in ("ENTRYPOINT", "CMD") and exec_words(step) is None:
            yield codes.SHELL_FORM.at(
                file.place(step.start), f"{step.name} is not an array of words", f'write `{step.name} ["...", "..."]`'
            )
    if result.entrypoint != SHARED and (runs or result.entrypoint):
        said = next((step for step in reversed(last.steps) if step.name == "ENTRYPOINT"), None)
        message = f"it starts through {' '.join(result.entrypoint)}" if result.entrypoint else "it has no entry point"
        fix = f"write `ENTRYPOINT {json.dumps(SHARED)}`, and what it starts into CMD"
        yield codes.ENTRYPOINT.at(file.place(said.start if said else last.start.start), message, fix)
