"""Note: what is in the images of a build goes into the ledger, for searches."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.flow.remember import learn
from pipelines.flow.rescan import Known
from pipelines.model.outcome import Outcome, Passed
from pipelines.ports import Registry
from pipelines.shell import equipment
from pipelines.shell.matter import Matter


async def note(found: Matter, registry: Registry, outcomes: Mapping[str, Outcome]) -> None:
    """Of each image that passed. What cannot be noted now is fetched by the search that misses it."""
    lock = found.lock_now()
    passed = {name: one for name, one in outcomes.items() if isinstance(one, Passed)}
    builds = [
        (Known(name, one.pinned, one.sbom, sbom_size=one.sbom_size), builds.current)
        for name, one in passed.items()
        if (builds := lock.builds(name)) and builds.current.digest == one.pinned.digest
    ]
    if builds:
        await learn(registry, equipment.components(found.workspace.root), builds)
