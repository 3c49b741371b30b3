"""Images are built while what they start from is judged; and go nowhere before that has passed."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from pathlib import Path, PurePath

import orjson
import pytest

from pipelines.adapters.memory import MemoryRegistry
from pipelines.model.oci import Descriptor, Repository
from pipelines.model.outcome import Failed, Passed, Refused, Skipped
from pipelines.ports import BuildFailed, Log, Made, Order, ScanReport
from reconciler.model.canonical import dumps
from tests.pipelines.build.workshop import MemoryBuilder, MemoryScanner, Workshop, tar_of

PATIENCE = 20.0


class Slow(MemoryScanner):
    """Judges `base` once its child `middle` has been built, and knows something against it where it is `bad`."""

    def __init__(self, built: asyncio.Event, *, is_bad: bool = False) -> None:
        super().__init__()
        self._built, self._is_bad = built, is_bad

    async def rescan(self, sbom: bytes) -> ScanReport:
        if orjson.loads(sbom)["metadata"]["component"]["name"] != "base":
            return await super().rescan(sbom)
        async with asyncio.timeout(PATIENCE):
            await self._built.wait()
        found = [{"VulnerabilityID": "CVE-2026-1", "PkgName": "app", "InstalledVersion": "1", "Severity": "CRITICAL"}] * self._is_bad
        return ScanReport(dumps({"SchemaVersion": 2, "Results": [{"Vulnerabilities": found}]}), "trivy 0.76.0", "2026-11-21T06:00:00Z")


class Noting(MemoryBuilder):
    """Says when `middle` was built; that fails where `fails`, and goes on for ever where it `hangs`."""

    def __init__(self, built: asyncio.Event, *, fails: bool = False, hangs: bool = False) -> None:
        super().__init__()
        self._built, self._fails, self._hangs, self.ended = built, fails, hangs, False

    async def build(self, order: Order, into: PurePath, log: Log) -> Made:
        if order.name != "middle":
            return await super().build(order, into, log)
        try:
            self._built.set()
            if self._fails:
                raise BuildFailed("middle failed")
            if self._hangs:
                await asyncio.Event().wait()
            return await super().build(order, into, log)
        finally:
            self.ended = True


@pytest.fixture
async def shop(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path)
    await shop.upstream()
    return shop


def written(shop: Workshop) -> set[str]:
    """The images that something was written of, below the registry or the cache."""
    return {str(at).rpartition("/")[2] for at in shop.registry.shelves} - {"debian"}


async def test_an_image_is_built_before_the_one_that_it_starts_from_is_judged(shop: Workshop) -> None:
    built = asyncio.Event()
    shop.scanner, shop.builder = Slow(built), Noting(built)
    done = await shop.build()
    assert {name: type(one) for name, one in done.outcomes.items()} == dict.fromkeys(done.outcomes, Passed)
    assert len(done.outcomes) == 5


async def test_nothing_of_it_is_written_to_a_registry_before_that_has_passed(shop: Workshop) -> None:
    built = asyncio.Event()
    shop.scanner, shop.builder = Slow(built, is_bad=True), Noting(built)
    done = await shop.build()
    assert isinstance(done.outcomes.pop("base"), Refused)
    assert set(done.outcomes.values()) == {
        Skipped("base did not come about"),
        Skipped("middle did not come about"),
        Skipped("top did not come about"),
    }
    assert written(shop) == {"base"}
    assert ("middle", "build") in shop.ears.phases
    assert not {("middle", "push"), ("middle", "publish")} & set(shop.ears.phases)


async def test_a_build_that_still_runs_ends_when_what_it_starts_from_fails(shop: Workshop) -> None:
    built = asyncio.Event()
    shop.scanner, shop.builder = Slow(built, is_bad=True), Noting(built, hangs=True)
    async with asyncio.timeout(PATIENCE):
        done = await shop.build("middle")
    assert done.outcomes["middle"] == Skipped("base did not come about")
    assert shop.builder.ended


async def test_its_own_failure_is_told_only_where_what_it_starts_from_passed(shop: Workshop) -> None:
    for is_bad, expected in ((True, Skipped("base did not come about")), (False, Failed("build", "middle failed"))):
        built = asyncio.Event()
        shop.scanner, shop.builder = Slow(built, is_bad=is_bad), Noting(built, fails=True)
        assert (await shop.build("middle", force=True)).outcomes["middle"] == expected


class Forestalled(MemoryRegistry):
    """Once our `middle` was built, somebody else's `base` stands under the key of ours."""

    def __init__(self, theirs: MemoryRegistry, built: asyncio.Event) -> None:
        super().__init__()
        self._theirs, self._built, self._looks = theirs, built, 0

    async def head(self, repository: Repository, reference: str) -> Descriptor | None:
        if repository.path == "acme/cache/base" and reference.startswith("k-"):
            self._looks += 1
            if self._looks == 2:
                async with asyncio.timeout(PATIENCE):
                    await self._built.wait()
                self.shelves[repository] = deepcopy(self._theirs.shelves[repository])
        return await super().head(repository, reference)


class Otherwise(Noting):
    """Makes something else of `base` than others do."""

    async def build(self, order: Order, into: PurePath, log: Log) -> Made:
        made = await super().build(order, into, log)
        return tar_of(Path(into), {"srv/otherwise": b""}) if order.name == "base" else made


async def test_what_was_built_upon_an_image_that_somebody_else_was_faster_with_is_built_anew_upon_theirs(shop: Workshop) -> None:
    built = asyncio.Event()
    theirs = (await shop.build("base")).outcomes["base"]
    registry = Forestalled(shop.registry, built)
    registry.shelves = {at: deepcopy(one) for at, one in shop.registry.shelves.items() if at.path == "debian"}
    shop.builder = Otherwise(built)
    done = await shop.build("middle", registry=registry)
    assert isinstance(base := done.outcomes["base"], Passed)
    assert isinstance(theirs, Passed)
    assert base.pinned.digest == theirs.pinned.digest
    assert isinstance(done.outcomes["middle"], Passed)
    upon = [order.parent.digest for order in shop.builder.orders if order.name == "middle" and order.parent]
    assert len(upon) == 2
    assert upon[0] != upon[1] == theirs.pinned.digest
