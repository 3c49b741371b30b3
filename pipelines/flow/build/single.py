"""One image, from its recipe to its verdict: found under its key or built, described, judged, and where it passed, published."""

from __future__ import annotations

import asyncio
from datetime import datetime

from pipelines.core.attestation import verdict_statement
from pipelines.core.config import Image, documents
from pipelines.core.judge import judge
from pipelines.core.manifest import BadManifest
from pipelines.core.predicate import predicate
from pipelines.core.provenance import Dependency, Provenance, provenance_statement
from pipelines.core.report import Unreadable, read_report
from pipelines.core.sbom.bom import NotABom
from pipelines.core.sbom.outside import About
from pipelines.core.sbom.outside import outside as beside
from pipelines.core.tally import digest_of
from pipelines.flow.build import papers
from pipelines.flow.build.ahead import Ahead
from pipelines.flow.build.assembly import Assembler, Phase, Task
from pipelines.flow.build.describe import Described
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.build.starts import Starts
from pipelines.flow.cache import Hit, look_up, settle, take
from pipelines.flow.mirror import mirror
from pipelines.flow.publish import Package, publish
from pipelines.flow.reading import read_config, read_image
from pipelines.model.oci import Pinned
from pipelines.model.outcome import Failed, Outcome, Passed, Refused
from pipelines.model.recipe import RECIPE
from pipelines.model.trust import CYCLONEDX, IN_TOTO, PROVENANCE, VERDICT
from pipelines.model.verdict import Subject, Verdict
from pipelines.model.vulnerability import Report
from pipelines.ports import BuildFailed, NoVerdict, RegistryFault, ScanReport
from reconciler.core.address import is_commit
from reconciler.model.value import dataclass


@dataclass(frozen=True, slots=True)
class Shelved:
    """An image under its key in the cache, with its SBOM."""

    pinned: Pinned
    sbom: bytes
    is_new: bool
    origin: bytes | None = None
    """The statement of its provenance, where that was made just now."""
    report: asyncio.Task[ScanReport] | None = None
    """What the scanner says of the SBOM, where it was asked already."""


class Single:
    """Makes one image after the other, any number at once."""

    def __init__(self, outfit: Outfit, wish: Wish, starts: Starts) -> None:
        self._outfit, self._wish, self._starts = outfit, wish, starts
        self._assembler = Assembler(outfit, wish)
        self._prepared: asyncio.Task[None] | None = None

    async def make(self, task: Task) -> Outcome | None:
        """What comes of it; None where the cache does not have it, and it is not to be built here. Never raises but for a cancellation."""
        began, phase = self._outfit.now(), Phase(self._outfit, task.target.name)
        try:
            async with Ahead() as ahead:
                return await self._made(task, began, phase, ahead)
        except NoVerdict as fault:
            return Failed(phase.name, f"there is no verdict: {fault}", fault.fix)
        except BuildFailed as fault:
            return Failed(phase.name, str(fault), fault.fix, fault.log)
        except RegistryFault as fault:
            return Failed(phase.name, str(fault), fault.fix)
        except (BadManifest, NotABom, Unreadable) as fault:
            return Failed(phase.name, str(fault))

    async def _made(self, task: Task, began: datetime, phase: Phase, ahead: Ahead) -> Outcome | None:
        phase("look up")
        may_build = self._wish.may_build(task.recipe.platform)
        shelved = None if self._wish.force and may_build else await self._found(task)
        if shelved is None:
            if not may_build:
                return None
            shelved = await self._built(task, began, phase, ahead)
        task.known(shelved.pinned)
        phase("judge")
        verdict = await self._judged(task, shelved)
        if not verdict.passed:
            return Refused(verdict, shelved.pinned)
        await _clearance(task, phase)
        phase("publish")
        return await self._published(task, shelved, verdict, began)

    async def _found(self, task: Task) -> Shelved | None:
        """What stands under the key, if all of it is there: an image without its SBOM is of no use."""
        registry = self._outfit.registry
        hit = await look_up(registry, self._wish.shelf(task.target.name), task.key)
        if not isinstance(hit, Hit):
            return None
        try:
            found = await papers.find(registry, hit.pinned, CYCLONEDX)
        except RegistryFault as fault:
            self._outfit.watcher.line(task.target.name, f"{hit.pinned} is in the cache, and not all of it can be used: {fault}")
            return None
        return Shelved(hit.pinned, found[0], is_new=False) if found else None

    async def _built(self, task: Task, began: datetime, phase: Phase, ahead: Ahead) -> Shelved:
        outfit, shelf = self._outfit, self._wish.shelf(task.target.name)
        self._prepared = self._prepared or asyncio.create_task(asyncio.to_thread(outfit.prepare))
        start = await self._starts.pinned(task.target.start, task.recipe.start_digest, task.recipe.platform)
        if task.target.context is None:
            image, made, described = await self._mirrored(task, start, phase)
        else:
            image, described = await self._assembler.assembled(task, task.start or start, phase)
            made = Pinned(shelf, documents(image).manifest.digest)
        whole = self._beside(task, described, made, began)
        report: asyncio.Task[ScanReport] | None = ahead.begin(self._scanned(whole))
        await _clearance(task, phase)
        if task.target.context is not None:
            phase("push")
            await publish(outfit.registry, Package(documents(image).manifest, outfit.images.blob), shelf, (start.repository,), is_new=True)
        task.known(made)
        origin = self._origin(task, made, start, began)
        attached: asyncio.Task[None] = ahead.begin(self._attach(made, whole, origin, start))
        settled = await settle(outfit.registry, made, shelf, task.key)
        await attached
        if settled.is_ours:
            return Shelved(made, whole, is_new=True, origin=origin, report=report)
        if found := await papers.find(outfit.registry, settled.pinned, CYCLONEDX):
            return Shelved(settled.pinned, found[0], is_new=False)
        whole, origin = self._beside(task, described, settled.pinned, began), self._origin(task, settled.pinned, start, began)
        await self._attach(settled.pinned, whole, origin, start)
        return Shelved(settled.pinned, whole, is_new=True, origin=origin)

    async def _attach(self, image: Pinned, sbom: bytes, origin: bytes, start: Pinned) -> None:
        """What a cache hit needs besides the image: so it had better be there when the key is."""
        attached = [papers.sbom(sbom), papers.statement(origin, PROVENANCE)]
        await papers.put(self._outfit.registry, image, attached, (start.repository,), is_new=True)

    async def _mirrored(self, task: Task, start: Pinned, phase: Phase) -> tuple[Image, Pinned, Described]:
        """An image of somebody else, copied as it is."""
        outfit, name, platform = self._outfit, task.target.name, task.recipe.platform
        with outfit.desk.scratch(name) as folder:
            phase("mirror")
            image = await outfit.images.parent(start, platform)
            alone = platform if len(task.target.platforms) > 1 else ""  # or an index of others would stand for each of ours
            made = (await mirror(outfit.registry, start, self._wish.shelf(name), alone)).pinned
            await outfit.images.write(image, start.repository, folder / "layout")
            phase("describe")
            return image, made, await self._assembler.described(task, image, folder / "layout")

    async def _scanned(self, sbom: bytes) -> ScanReport:
        async with self._assembler.looks:
            return await self._outfit.scanner.rescan(sbom)

    def _beside(self, task: Task, described: Described, pinned: Pinned, began: datetime) -> bytes:
        made = began.strftime("%Y-%m-%dT%H:%M:%SZ")
        about = About(task.target.name, pinned, self._wish.revision, made, described.scanner, task.ancestors)
        whole = beside(described.sbom, about, self._outfit.bills.license)
        self._outfit.bills.check(whole)
        return whole

    def _origin(self, task: Task, image: Pinned, start: Pinned, began: datetime) -> bytes:
        """The statement of its provenance."""
        commit = self._wish.revision.removesuffix("-dirty")
        source = [Dependency("source", "git+repository", f"gitCommit:{commit}")] if is_commit(commit) else []
        below = Dependency("parent" if task.ancestors else "base", f"oci://{start.repository}", start.digest)
        external = [Dependency("external", f"oci://{name}", digest) for name, digest in sorted(task.recipe.externals.items())]
        wish = self._wish
        made = Provenance(
            task.target.name,
            f"specs/images/{task.target.name}.yaml" if task.target.ref.kind == "Image" else str(task.target.ref),
            task.key,
            task.recipe.platform,
            task.recipe.args,
            wish.builder,
            wish.engine,
            wish.run,
            began,
            self._outfit.now(),
            (*source, below, *external),
            tuple(secret.id for secret in wish.secrets),
            {"recipe": str(RECIPE), "epoch": str(task.recipe.epoch)},
        )
        return provenance_statement(image, made)

    async def _judged(self, task: Task, shelved: Shelved) -> Verdict:
        """Judged by the SBOM: what was built a minute ago and what lay in the cache for a month are treated alike."""
        outfit = self._outfit
        scanned = await (shelved.report or self._scanned(shelved.sbom))
        report: Report = read_report(scanned.report, scanned.scanner, scanned.database)
        image = await read_image(outfit.registry, shelved.pinned.repository, shelved.pinned.digest, task.recipe.platform)
        config = await read_config(outfit.registry, image)
        owners = {**dict.fromkeys(config.diff_ids, task.target.name), **task.owners}
        size = sum(layer.size for layer in image.manifest.layers)
        return judge(report, self._wish.policies[task.target.name], Subject(task.target.name, owners, size), outfit.now().date())

    async def _published(self, task: Task, shelved: Shelved, verdict: Verdict, began: datetime) -> Outcome:
        registry = self._outfit.registry
        taken = await take(registry, Hit(shelved.pinned), self._wish.repository(task.target.name))
        if not isinstance(taken, Pinned):
            return Failed("publish", taken.reason, "run it again: it is built anew")
        sbom_digest = digest_of(shelved.sbom)
        origins = (shelved.origin,) if shelved.origin else (await papers.find(registry, shelved.pinned, IN_TOTO))[:1]
        said = verdict_statement(taken, sbom_digest, predicate(verdict), *map(digest_of, origins))
        attached = [papers.sbom(shelved.sbom), papers.statement(said, VERDICT)]
        attached += [papers.statement(origin, PROVENANCE) for origin in origins]
        await papers.put(registry, taken, attached, (shelved.pinned.repository,), is_new=shelved.is_new)
        seconds = (self._outfit.now() - began).total_seconds()
        return Passed(taken, task.key, verdict, digest_of(said), sbom_digest, len(shelved.sbom), shelved.is_new, seconds)


async def _clearance(task: Task, phase: Phase) -> None:
    """Wait until what it starts from has passed."""
    if not task.cleared.is_set():
        phase(f"wait for {task.target.start}")
        await task.cleared.wait()
