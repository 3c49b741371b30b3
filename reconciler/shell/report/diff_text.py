"""Differences field by field, in unified style: what is live, and what the specs ask for."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, assert_never

import click

from reconciler.model.manifests import SOURCE_ANNOTATION
from reconciler.model.plan import Block, Change, Create, Delete, Plan, Step, Update
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.report.plan_values import HIDDEN, pointer, redacted

_COLORS = {"+": "green", "-": "red", "@": "cyan", "!": "magenta"}


def diff_text(plan: Plan, *, color: bool = False, before: str = "live", after: str = "desired") -> str:
    """Every difference in full, objects in the order of an apply; empty where there is none."""
    lines = [line for step in plan.steps for line in _step(step, before, after)]
    return "".join(f"{_painted(line) if color else line}\n" for line in lines)


def _painted(line: str) -> str:
    if line.startswith(("---", "+++")):
        return click.style(line, bold=True)
    color = _COLORS.get(line[:1])
    return click.style(line, fg=color) if color else line


def _step(step: Step, before: str, after: str) -> Iterator[str]:
    match step:
        case Create(manifest=manifest):
            yield f"--- {before}: nothing"
            yield visible(f"+++ {after}: {manifest.id} ({_source(manifest.body)})")
        case Update(manifest=manifest):
            yield visible(f"--- {before}: {manifest.id}")
            yield visible(f"+++ {after}: {manifest.id} ({_source(manifest.body)})")
            for change in step.changes:
                yield from _change(change)
            if step.strips:
                yield visible(f"!fields that {', '.join(step.strips)} left")
        case Delete(observed=observed):
            yield visible(f"--- {before}: {observed.id}")
            yield visible(f"+++ {after}: nothing ({'; '.join(step.because)})")
        case Block(id=id, reason=reason):
            yield visible(f"!{id}: {reason}")
        case _:
            assert_never(step)


def _source(body: Any) -> str:
    return str(body["metadata"].get("annotations", {}).get(SOURCE_ANNOTATION, "no source"))


def _change(change: Change) -> Iterator[str]:
    yield visible(f"@@ {'.'.join(pointer(change.path))} @@")
    old, new = (_lines(redacted(change.path, side)) for side in (change.before, change.after))
    if old == new and HIDDEN in old:
        yield f" {HIDDEN}"
        return
    if old == new:  # such as 1 and "1"
        old, new = [json.dumps(change.before, default=str)], [json.dumps(change.after, default=str)]
    for line in difflib.ndiff(old, new) if max(len(old), len(new)) < _CLOSE else _whole(old, new):
        if not line.startswith("?"):
            yield line[0] + visible(line[2:])


_CLOSE = 200
"""Lines up to which each is matched with each: that takes quadratic time."""


def _whole(old: list[str], new: list[str]) -> Iterator[str]:
    for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]:
        yield f"{line[0]} {line[1:]}"


def _lines(value: Any) -> list[str]:
    match value:
        case None:
            return []
        case str():
            return value.splitlines() or [""]
        case _:
            return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str).splitlines()
