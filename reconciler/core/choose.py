"""Choices: which build of its image a workload runs: the lock's current one, a held one, or none yet."""

from __future__ import annotations

from datetime import date

from reconciler.model.findings import Code, Finding, error, warning
from reconciler.model.fleet import Environment, Resource
from reconciler.model.graph import Choice, Held, Locked, Missing, Unverified
from reconciler.model.holds import Hold, ImageUse
from reconciler.model.lock import Builds, Lock
from reconciler.model.spec import Spec

UNLOCKED_TAG = "unlocked"
"""What an environment with `unlocked: tag` runs while the lock knows no build."""

NOT_GATED = error(
    "HLD001",
    "a hold on a tag that never passed the gate",
    "`forceImageTag` may name only builds that `fleet.lock` records: they were scanned and have a verdict. "
    "`fleet rollback NAME --to prev` picks one; `unsafe: true` in the hold overrides this, and is shown wherever the hold is shown.",
)
PAST_DATE = warning(
    "HLD002",
    "a hold is past its date",
    "A hold stays until somebody releases it, whatever its `until` says: time alone never changes what runs. "
    "`fleet release NAME` lifts it; a later `until` keeps it knowingly.",
)
CODES: tuple[Code, ...] = (NOT_GATED, PAST_DATE)


def choose(resource: Resource[Spec], use: ImageUse, environment: Environment, lock: Lock, today: date) -> tuple[Choice, list[Finding]]:
    """The build that `resource` runs here, and what is to be said of its hold."""
    builds = lock.builds(use.image.short)
    hold = use.hold if use.hold is not None and use.hold.holds_in(environment.name) else None
    if lock.is_unsure(use.image.short) and not (hold and hold.unsafe):
        return Missing(f"{use.image.short} has an error in {environment.lock}"), []
    if hold is not None:
        return _held(resource, use, hold, builds, environment, today)
    if builds is not None:
        return Locked(builds.current), []
    if environment.unlocked == "tag":
        return Unverified(UNLOCKED_TAG), []
    return Missing(f"{use.image.short} is not in {environment.lock}"), []


def _held(
    resource: Resource[Spec], use: ImageUse, hold: Hold, builds: Builds | None, environment: Environment, today: date
) -> tuple[Choice, list[Finding]]:
    place = resource.document.place(("spec", "forceImageTag"))
    findings = []
    if hold.until and hold.until < today:
        message = f"the hold on {hold.tag} was meant to end on {hold.until}; it stays"
        findings.append(PAST_DATE.at(place, message, f"fleet release {resource.ref.short}, or give it a later `until`", resource.ref))
    build = builds.tagged(hold.tag) if builds else None
    if build is not None:
        return Held(build, hold), findings
    if hold.unsafe or (builds is None and environment.unlocked == "tag"):
        return Unverified(hold.tag, hold), findings
    gated = ", ".join(build.tag for build in builds.builds) if builds else "none"
    message = f"{hold.tag} of {use.image.short} never passed the gate"
    findings.append(
        NOT_GATED.at(place, message, f"gated builds in {environment.lock}: {gated}; or say `unsafe: true` in the hold", resource.ref)
    )
    return Missing(message), findings
