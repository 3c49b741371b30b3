"""Audits an image: its files are looked at once, and what they lack is looked up in the distribution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath

from pipelines.core.audit.evidence import Folders
from pipelines.core.audit.judge import complete, judge
from pipelines.core.audit.look import Look
from pipelines.core.audit.report import edits
from pipelines.model.audit import Audit, GapKind
from pipelines.ports import NoContents, Packages, Roots


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where the edits go: paths as people know them, and the text of the Dockerfile."""

    dockerfile: str = "Dockerfile"
    text: str = ""
    requirements: str = "requirements.txt"


async def audit(
    layout: PurePath, roots: Roots, packages: Packages, folders: Folders, recipe: Recipe, platform: str = "linux/amd64"
) -> Audit:
    """What the image in an OCI layout folder lacks, and how to mend it. Raises ports.Unreadable.

    A distribution whose packages are not known leaves the libraries without a remedy, and says so.
    """
    async with roots.read(layout, Look(folders.python, folders.libraries), platform) as evidence:
        findings = judge(evidence, folders)
    wanted = {gap.name for gap in findings.audit.gaps if gap.kind is GapKind.LIBRARY}
    names = frozenset(one for name in wanted for one in findings.alternatives.get(name, (name,)))
    try:
        found = complete(findings, await packages.libraries(findings.audit.system, names))
    except NoContents as fault:
        found = replace(findings.audit, unread={**findings.audit.unread, "": str(fault)})
    return replace(found, edits=edits(found, recipe.dockerfile, recipe.text, recipe.requirements))
