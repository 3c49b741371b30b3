"""Scenarios: what stands, and the commit that comes next. Each is run with a kill at each of its writes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from reconciler.core.orders import APPROVED
from tests.faults.place import Place, lenient
from tests.fleets import Repo, lock, service, tenant

CONFIG = '  config: {/etc/app.conf: "x=1"}\n'
BUILDS = (("b", "20261120-bbbbbbb"), ("a", "20261119-aaaaaaa"))
HOLD = "  forceImageTag: {tag: 20261119-aaaaaaa, reason: slow, by: ana}\n"
S0, S1 = "specs/services/acme/s0.yaml", "specs/services/acme/s1.yaml"
OTHER = "specs/tenants/zeta.yaml"


@dataclass(frozen=True, eq=False)
class Scenario:
    """From one commit to the next; `before` is None where nothing stands yet."""

    name: str
    before: Repo | None
    after: Repo
    approves: bool = False
    """A person says yes to what guards hold."""


def _base() -> Repo:
    repo = Repo.small(2).having(S1, service("s1", wave=10, extra=CONFIG)).having("fleet.lock", lock("b", *BUILDS))
    return lenient(repo)


def _scenarios() -> tuple[Scenario, ...]:
    base = _base()
    two = base.having(OTHER, tenant("zeta")).having("specs/services/zeta/z0.yaml", service("z0"))
    held = base.having(S0, service("s0", extra=HOLD))
    return (
        Scenario("create", None, base),
        Scenario("update", base.having("fleet.lock", lock("a", BUILDS[1])), Repo(base.files, "d00d001")),
        Scenario("another config", base, base.having(S1, service("s1", wave=10, extra=CONFIG.replace("x=1", "x=2")))),
        Scenario("hold", base, held),
        Scenario("release", held, Repo(base.files, "d00d002")),
        Scenario("removed service", base, base.without([S1])),
        Scenario("new tenant", base, two),
        Scenario("removed tenant", two, two.without([OTHER, "specs/services/zeta/z0.yaml"]), approves=True),
        Scenario("suspended tenant", base, base.having("specs/tenants/acme.yaml", tenant("acme", "  state: suspended\n"))),
        Scenario("projection", base, base.having("specs/images/app.yaml", base.files["specs/images/app.yaml"] + "  epoch: 2\n")),
    )


SCENARIOS = _scenarios()


@contextlib.asynccontextmanager
async def approving(place: Place) -> AsyncIterator[None]:
    """A person who says yes to whatever is asked, after a moment."""

    async def person() -> None:
        while True:
            await asyncio.sleep(5)
            asked = next((life.operator.state.asked for life in place.lives if not life.dead and life.operator.state.asked), ())
            if asked and place.record in place.store.objects:
                place.annotate(place.record, APPROVED, asked[0].hash)

    task = asyncio.ensure_future(person())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
