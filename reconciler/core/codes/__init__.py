"""All codes of findings, for `fleet explain CODE`: core's, one module an area, and those that kinds declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.core.codes import documents, edits, fleet, holds, lock, references, rules, signing, specs
from reconciler.model.findings import Code
from reconciler.model.kind import Kind

CORE: tuple[Code, ...] = (
    *documents.CODES,
    *fleet.CODES,
    *specs.CODES,
    *references.CODES,
    *lock.CODES,
    *holds.CODES,
    *edits.CODES,
    *rules.CODES,
    *signing.CODES,
)


def table(kinds: Iterable[Kind], *others: Iterable[Code]) -> Mapping[str, Code]:
    """Every code by its id. Raises ValueError when an id is given twice."""
    codes: dict[str, Code] = {}
    for code in (*CORE, *(code for kind in kinds for code in kind.codes), *(code for more in others for code in more)):
        if codes.setdefault(code.id, code) is not code:
            raise ValueError(f"{code.id} is given twice: {codes[code.id].title!r} and {code.title!r}")
    return codes
