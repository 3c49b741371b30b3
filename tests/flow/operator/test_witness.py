"""Where an environment demands signatures, an operator brings into force what a witness vouches for, and looks again at the rest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from reconciler.core.codes.signing import UNVERIFIED
from reconciler.model.graph import Graph, Missing
from reconciler.model.refs import Ref
from tests.core.test_signing_keys import KEY
from tests.fleets import FLEET, Repo, digest, lock
from tests.flow.conftest import deployment
from tests.flow.operator.conftest import Shelf, Site, until
from tests.flow.operator.test_operator import settled

S0 = Ref("Service", "s0", "acme")
_KEY = "".join(f"          {line}\n" for line in KEY.strip().splitlines())
_SIGNING = (
    f"  signing:\n    require: true\n    keys:\n      k:\n        from: 2020-01-01\n        until: 2099-12-31\n        publicKey: |\n{_KEY}"
)
DEMANDING = FLEET.replace("  environments:\n", _SIGNING + "  environments:\n")


@dataclass
class Vouching:
    """A witness that vouches for these digests."""

    good: set[str] = field(default_factory=set)
    asked: int = 0

    async def __call__(self, graph: Graph) -> Graph:
        self.asked += 1
        bad = [ref for ref, choice in graph.choices.items() if choice.build.digest not in self.good]
        found = tuple(UNVERIFIED.at(graph.resources[ref].document.place(("spec",)), "it is not signed", "sign it", ref) for ref in bad)
        return replace(
            graph, choices={**graph.choices, **dict.fromkeys(bad, Missing("it is not signed"))}, findings=(*graph.findings, *found)
        )


@pytest.fixture
def repo() -> Repo:
    return Repo.small(services=1).having("fleet.yaml", DEMANDING).having("fleet.lock", lock("a", ("a", "v1")))


async def runs(site: Site) -> str | None:
    live = (await site.live()).get(deployment("s0"))
    return live.body["spec"]["template"]["spec"]["containers"][0]["image"].partition("@")[2] if live else None


async def comes_to_run(site: Site, wanted: str) -> None:
    async with asyncio.timeout(20):
        while await runs(site) != wanted:
            await asyncio.sleep(0.01)


async def test_what_does_not_verify_does_not_start_and_starts_once_it_does(repo: Repo) -> None:
    site = Site(Shelf(repo), witness=(vouching := Vouching()))
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        assert await runs(site) is None
        assert isinstance(operator.state.graph.choices[S0], Missing)
        vouching.good.add(digest("a"))
        operator.wake("asked")
        await comes_to_run(site, digest("a"))


async def test_a_new_build_that_does_not_verify_leaves_the_old_one_running(repo: Repo) -> None:
    site = Site(Shelf(repo), witness=(vouching := Vouching({digest("a")})))
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        assert await runs(site) == digest("a")
        revision = site.shelf.push(repo.having("fleet.lock", lock("b", ("b", "v2"), ("a", "v1"))))
        operator.wake("webhook")
        await settled(site, operator, revision)
        assert await runs(site) == digest("a")
        vouching.good.add(digest("b"))
        operator.wake("asked")
        await comes_to_run(site, digest("b"))


async def test_what_verified_once_is_not_looked_at_again_before_the_next_commit(repo: Repo) -> None:
    site = Site(Shelf(repo), witness=(vouching := Vouching({digest("a")})))
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        asked, fetches = vouching.asked, site.shelf.fetches
        operator.wake("asked")
        await until(lambda: site.shelf.fetches > fetches)
        await settled(site, operator, site.shelf.head.revision)
        assert vouching.asked == asked


async def test_without_a_witness_nothing_new_starts(repo: Repo) -> None:
    site = Site(Shelf(repo))
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        assert await runs(site) is None


async def test_a_witness_is_not_asked_where_nothing_is_demanded(repo: Repo) -> None:
    site = Site(Shelf(repo.having("fleet.yaml", DEMANDING.replace("require: true", "require: false"))), witness=(vouching := Vouching()))
    async with site.running() as operator:
        await settled(site, operator, site.shelf.head.revision)
        assert await runs(site) == digest("a")
    assert vouching.asked == 0
