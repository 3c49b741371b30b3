"""Alerts: vulnerabilities that matter, as findings of the specs of those who brought them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.core.visible import visible
from pipelines.model.verdict import Judged, Stance, Verdict
from pipelines.model.vulnerability import LEVELS
from reconciler.model.findings import Code, Finding, Place, Severity
from reconciler.model.value import dataclass

_SEVERITY = {Stance.FAILS: Severity.ERROR, Stance.WARNS: Severity.WARNING}
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Alerts:
    """Findings, and what their codes (here ids of vulnerabilities) mean."""

    findings: tuple[Finding, ...]
    codes: Mapping[str, Code]


def alerts(verdicts: Iterable[Verdict], places: Mapping[str, Place], runs: Mapping[str, tuple[str, ...]]) -> Alerts:
    """One for each vulnerability in one source package that one image brought, whoever inherits it; the gravest first.

    `places`: by image, where it is declared; `runs`: by image, the services that run it.
    """
    groups: dict[tuple[str, str, str], list[tuple[str, Judged]]] = {}
    for verdict in verdicts:
        for one in verdict.judged:
            if one.stance in _SEVERITY:
                package = one.vulnerability.package
                groups.setdefault((one.vulnerability.id, one.owner, package.source or package.name), []).append((verdict.image, one))
    ordered = sorted(groups.items(), key=lambda pair: (-max(LEVELS.index(one.vulnerability.level) for _, one in pair[1]), pair[0]))
    codes = {_id(id): Code(_id(id), _grave(many), visible(many[0][1].vulnerability.title, 120) or _id(id)) for (id, _, _), many in ordered}
    return Alerts(tuple(_finding(key, many, places, runs) for key, many in ordered), codes)


def _finding(
    key: tuple[str, str, str], many: list[tuple[str, Judged]], places: Mapping[str, Place], runs: Mapping[str, tuple[str, ...]]
) -> Finding:
    id, owner, package = key
    images = sorted({image for image, _ in many})
    services = sorted({service for image in images for service in runs.get(image, ())})
    one = many[0][1].vulnerability
    carried = f"in {_listed(images)}; " + (f"runs in {_listed(services)}" if services else "nothing runs it")
    why = f"; {many[0][1].because}" if many[0][1].because else ""
    message = f"{one.level} {visible(id, 64)} in {visible(package)} {visible(one.package.version, 60)} of {owner} ({carried}){why}"
    fix = f"update it to {visible(one.fixed, 60)} in {owner}" if one.fixed else "there is no fix yet: fleet images baseline"
    return Finding(_id(id), _grave(many), places.get(owner, Place("fleet.yaml")), None, message, fix)


def _id(id: str) -> str:
    return visible(id, 64)


def _grave(many: list[tuple[str, Judged]]) -> Severity:
    return Severity.ERROR if any(one.stance is Stance.FAILS for _, one in many) else Severity.WARNING


def _listed(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
