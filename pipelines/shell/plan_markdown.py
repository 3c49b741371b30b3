"""What is to be built, as a comment on a pull request: image, why, what it starts from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import assert_never

from pipelines.model.decision import Current, Decision, Open, Outdated, Planned, Unbuildable
from reconciler.shell.report.plan_escape import code

LIMIT = 65_000
"""Bytes of UTF-8. GitHub refuses comments above 65,536 characters."""
_FOOT = 400
"""Bytes kept for the last lines."""
_LONGEST = 300
"""Characters of one cell."""


def marker(environment: str) -> str:
    """The hidden first line by which the next run finds its comment and updates it."""
    return f"<!-- fleetwright images {re.sub(r'[^A-Za-z0-9._-]', '_', environment)} -->"


def plan_markdown(planned: Sequence[Planned], environment: str) -> str:
    """The comment, always below LIMIT: what cannot be built first, then what is to be, and a count of the rest."""
    rows = [_row(one) for one in sorted(planned, key=_rank) if not isinstance(one.decision, Current)]
    bad = sum(isinstance(one.decision, Unbuildable) for one in planned)
    lines = [marker(environment), _headline(len(rows), bad, len(planned), environment), ""]
    if rows:
        lines += ["| | image | why | starts from |", "|---|---|---|---|"]
    left = LIMIT - _FOOT - sum(_size(line) for line in lines)
    shown = 0
    for row in rows:
        left -= _size(row)
        if left < 0:
            break
        lines.append(row)
        shown += 1
    if shown < len(rows):
        lines += ["", f"And {len(rows) - shown} more."]
    if rows:
        lines += ["", "What is in the cache under its key is taken from there and judged again; the rest is built."]
    return "\n".join(lines) + "\n"


def _headline(due: int, bad: int, all: int, environment: str) -> str:
    if not due:
        return f"**Images for {code(environment)}**: all {all} are as the lock has them."
    failing = f", {bad} that cannot be built as written" if bad else ""
    return f"**Images for {code(environment)}**: {due} of {all} to look up or build{failing}."


def _rank(one: Planned) -> bool:
    return not isinstance(one.decision, Unbuildable)


def _row(one: Planned) -> str:
    cells = (one.name, why(one.decision), one.start)
    mark = ":x:" if isinstance(one.decision, Unbuildable) else ":hammer:"
    return f"| {mark} | {' | '.join(code(_cut(cell)) for cell in cells)} |"


def why(decision: Decision) -> str:
    """The reason in a line; of a build that is current, which one it is."""
    match decision:
        case Current(build=build):
            return f"{build.tag}  {build.digest[7:19]}"
        case Outdated(because=because) | Open(because=because):
            return "; ".join(because)
        case Unbuildable(because=because, fix=fix):
            return f"{because}; {fix}" if fix else because
        case _:
            assert_never(decision)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _size(line: str) -> int:
    return len(line.encode("utf-8", "replace")) + 1
