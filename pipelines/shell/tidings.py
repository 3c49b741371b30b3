"""Tidings: what a rescan found is told to the targets that fleet.yaml names, each thing once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipelines.core.rescan import News, tell_news
from pipelines.shell.matter import Matter
from reconciler.model.happenings import VulnerabilitiesFound
from reconciler.model.value import dataclass
from reconciler.shell.aside import aside
from reconciler.shell.ledgers import url_of


@dataclass(frozen=True, slots=True)
class Tidings:
    """Where they go: what `notifications` say, with the secrets in a folder."""

    found: Matter
    secrets: Path


def happened(one: News, heirs: dict[str, int]) -> VulnerabilitiesFound:
    """News as a happening: also that there are none any more, so that the next ones are told again."""
    ids = tuple(sorted({each.vulnerability.id for each in one.new}))
    said = "\n".join(tell_news([one], heirs)) or f"{one.image} has no vulnerabilities that its verdict did not know of"
    return VulnerabilitiesFound(one.image, one.digest, ids, one.passed, one.services, said)


async def spread(tidings: Tidings, heard: Iterable[News]) -> None:
    """Tell them. What a target does not take now is kept in the ledger, and told by the next rescan."""
    from reconciler.adapters.ledger import SqlOutbox
    from reconciler.adapters.notify import HttpPost
    from reconciler.flow.herald import Herald
    from reconciler.shell.clock import WallClock

    found, where = tidings.found, tidings.found.where
    fleet = found.graph.fleet
    if fleet.spec is None or not fleet.spec.notifications:
        aside("warning: fleet.yaml has no `notifications`, so nobody is told")
        return

    def warn(text: str) -> None:
        aside(f"warning: {text}")

    outbox = SqlOutbox(url_of(found.workspace.root), f"{where.id}-rescan", warn)
    post = HttpPost(tidings.secrets, trial=where.simulated)
    herald = Herald(fleet.name, where.name, outbox, post, WallClock(), warn)
    herald.aim(fleet.spec.notifications)
    for one in heard:
        herald.hear(happened(one, found.heirs()))
    try:
        await herald.turn()
        await herald.settle()
    finally:
        await post.close()
