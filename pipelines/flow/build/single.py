"""One image, from its recipe to its verdict: found under its key or built, described, judged, and where it passed, published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pipelines.core.attestation import verdict_statement
from pipelines.core.config import Image, documents
from pipelines.core.dockerfile.outside import outside, pin
from pipelines.core.dockerfile.parse import parse
from pipelines.core.judge import judge
from pipelines.core.manifest import BadManifest
from pipelines.core.predicate import predicate
from pipelines.core.provenance import Dependency, Provenance, provenance_statement
from pipelines.core.report import Unreadable, read_report
from pipelines.core.sbom.bom import NotABom
from pipelines.core.sbom.canonical import PATH
from pipelines.core.sbom.outside import About
from pipelines.core.sbom.outside import outside as beside
from pipelines.core.tally import digest_of
from pipelines.flow.build import papers
from pipelines.flow.build.describe import Described, describe
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.build.starts import Starts
from pipelines.flow.cache import Hit, look_up, settle, take
from pipelines.flow.mirror import mirror
from pipelines.flow.publish import Package, publish
from pipelines.flow.reading import read_config, read_image
from pipelines.model.context import ContextFile, ContextItem, ContextLink
from pipelines.model.oci import Pinned
from pipelines.model.outcome import Failed, Outcome, Passed, Refused
from pipelines.model.recipe import RECIPE, SOURCE_DATE, Files, FromRegistry, Recipe, Target
from pipelines.model.trust import CYCLONEDX, IN_TOTO, PROVENANCE, VERDICT
from pipelines.model.verdict import Subject, Verdict
from pipelines.model.vulnerability import Report
from pipelines.ports import BuildFailed, NoVerdict, Order, RegistryFault
from reconciler.core.trees import EXECUTABLE, LINK
from reconciler.model.value import dataclass

Ancestors = tuple[tuple[str, Pinned], ...]
"""What an image starts from, nearest first, each with its name."""


@dataclass(frozen=True, slots=True)
class Task:
    """One image to be made."""

    target: Target
    recipe: Recipe
    key: str
    ancestors: Ancestors
    owners: Mapping[str, str]
    """By diff_id: the image of the hierarchy that brought a layer."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """An image under its key in the cache, with its SBOM."""

    pinned: Pinned
    sbom: bytes
    is_new: bool


class Single:
    """Makes one image after the other, any number at once."""

    def __init__(self, outfit: Outfit, wish: Wish, starts: Starts) -> None:
        self._outfit, self._wish, self._starts = outfit, wish, starts

    async def make(self, task: Task) -> Outcome | None:
        """What comes of it; None where the cache does not have it, and it is not to be built here. Never raises but for a cancellation."""
        began, phase = self._outfit.now(), _Phase(self._outfit, task.target.name)
        try:
            return await self._made(task, began, phase)
        except NoVerdict as fault:
            return Failed(phase.name, f"there is no verdict: {fault}", fault.fix)
        except BuildFailed as fault:
            return Failed(phase.name, str(fault), fault.fix, fault.log)
        except RegistryFault as fault:
            return Failed(phase.name, str(fault), fault.fix)
        except (BadManifest, NotABom, Unreadable) as fault:
            return Failed(phase.name, str(fault))

    async def _made(self, task: Task, began: datetime, phase: _Phase) -> Outcome | None:
        phase("look up")
        may_build = self._wish.may_build(task.recipe.platform)
        shelved = None if self._wish.force and may_build else await self._found(task)
        if shelved is None:
            if not may_build:
                return None
            shelved = await self._built(task, began, phase)
        phase("judge")
        verdict = await self._judged(task, shelved)
        if not verdict.passed:
            return Refused(verdict, shelved.pinned)
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

    async def _built(self, task: Task, began: datetime, phase: _Phase) -> Shelved:
        outfit, name = self._outfit, task.target.name
        shelf, platform = self._wish.shelf(name), task.recipe.platform
        start = await self._starts.pinned(task.target.start, task.recipe.start_digest, platform)
        with outfit.desk.scratch(name) as folder:
            layout = folder / "layout"
            if task.target.context is None:
                phase("mirror")
                image = await outfit.images.parent(start, platform)
                alone = platform if len(task.target.platforms) > 1 else ""  # or an index of others would stand for each of ours
                made = (await mirror(outfit.registry, start, shelf, alone)).pinned
                await outfit.images.write(image, start.repository, layout)
                phase("describe")
                described = await describe(outfit, name, image, layout, task.owners)
            else:
                image, described = await self._assembled(task, start, phase)
                phase("push")
                parents = (start.repository,)
                made = (await publish(outfit.registry, Package(documents(image).manifest, outfit.images.blob), shelf, parents)).pinned
        settled = await settle(outfit.registry, made, shelf, task.key)
        if not settled.is_ours and (found := await papers.find(outfit.registry, settled.pinned, CYCLONEDX)):
            return Shelved(settled.pinned, found[0], is_new=False)
        whole = self._beside(task, described, settled.pinned, began)
        origin = provenance_statement(settled.pinned, self._provenance(task, start, began))
        await papers.put(outfit.registry, settled.pinned, [papers.sbom(whole), papers.statement(origin, PROVENANCE)])
        return Shelved(settled.pinned, whole, is_new=True)

    async def _assembled(self, task: Task, start: Pinned, phase: _Phase) -> tuple[Image, Described]:
        """The image with its SBOM inside, and the SBOM."""
        outfit, name, recipe = self._outfit, task.target.name, task.recipe
        with outfit.desk.scratch(name) as folder, outfit.desk.context(_items(recipe.files), SOURCE_DATE) as context:
            phase("build")
            parent = await outfit.images.parent(start, recipe.platform)
            alone = (await read_image(outfit.registry, start.repository, start.digest, recipe.platform)).pinned
            text = self._pinned_text(task, alone)
            layout = None if self._wish.pushes or isinstance(recipe.start, FromRegistry) else folder / "parent"
            if layout:
                await outfit.images.write(parent, start.repository, layout)
            order = Order(name, context, text, alone, recipe.platform, recipe.args, SOURCE_DATE, self._wish.secrets, parent.config.diff_ids, layout)
            made = await outfit.builder.build(order, folder, lambda line: outfit.watcher.line(name, line))
            phase("pack")
            image = await outfit.images.extend(parent, start.repository, made, SOURCE_DATE)
            layout = folder / "layout"
            await outfit.images.write(image, start.repository, layout)
            if command := self._wish.smokes.get(name):
                phase("try")
                await outfit.builder.run(layout, command, lambda line: outfit.watcher.line(name, line))
            phase("describe")
            described = await describe(outfit, name, image, layout, task.owners)
            return await outfit.images.with_file(image, PATH, described.sbom, SOURCE_DATE), described

    def _pinned_text(self, task: Task, start: Pinned) -> str:
        """The Dockerfile with everything from elsewhere by digest."""
        text = task.recipe.files[task.recipe.dockerfile].data.decode(errors="replace")
        file = parse(text, f"{task.target.context}/{task.recipe.dockerfile}")
        digests = {task.target.literal: str(start), task.target.literal.partition("@")[0]: str(start)}
        for mention in outside(file, task.recipe.args):
            if mention.image not in digests:
                digest = task.recipe.externals[mention.image]
                ours = any(target.name == mention.image for target in self._wish.targets)
                name = str(self._wish.repository(mention.image)) if ours else mention.image.partition("@")[0]
                digests[mention.image] = f"{name}@{digest}"
        return pin(file, task.recipe.args, digests)

    def _beside(self, task: Task, described: Described, pinned: Pinned, began: datetime) -> bytes:
        made = began.strftime("%Y-%m-%dT%H:%M:%SZ")
        about = About(task.target.name, pinned, self._wish.revision, made, described.scanner, task.ancestors)
        whole = beside(described.sbom, about, self._outfit.bills.license)
        self._outfit.bills.check(whole)
        return whole

    def _provenance(self, task: Task, start: Pinned, began: datetime) -> Provenance:
        commit = self._wish.revision.removesuffix("-dirty")
        source = [Dependency("source", "git+repository", f"gitCommit:{commit}")] if _is_commit(commit) else []
        below = Dependency("parent" if task.ancestors else "base", f"oci://{start.repository}", start.digest)
        external = [Dependency("external", f"oci://{name}", digest) for name, digest in sorted(task.recipe.externals.items())]
        wish = self._wish
        return Provenance(
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

    async def _judged(self, task: Task, shelved: Shelved) -> Verdict:
        """Judged by the SBOM: what was built a minute ago and what lay in the cache for a month are treated alike."""
        outfit = self._outfit
        scanned = await outfit.scanner.rescan(shelved.sbom)
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
        origins = (await papers.find(registry, shelved.pinned, IN_TOTO))[:1]
        said = verdict_statement(taken, sbom_digest, predicate(verdict), *map(digest_of, origins))
        attached = [papers.sbom(shelved.sbom), papers.statement(said, VERDICT)]
        attached += [papers.statement(origin, PROVENANCE) for origin in origins]
        await papers.put(registry, taken, attached)
        seconds = (self._outfit.now() - began).total_seconds()
        return Passed(taken, task.key, verdict, digest_of(said), sbom_digest, shelved.is_new, seconds)


class _Phase:
    """Where an image has come to."""

    def __init__(self, outfit: Outfit, image: str) -> None:
        self._outfit, self._image = outfit, image
        self.name = ""

    def __call__(self, name: str) -> None:
        self.name = name
        self._outfit.watcher.phase(self._image, name)


def _items(files: Files) -> dict[str, ContextItem]:
    return {
        path: ContextLink(file.data.decode(errors="surrogateescape"))
        if file.mode == LINK
        else ContextFile(file.data, executable=file.mode == EXECUTABLE)
        for path, file in files.items()
    }


def _is_commit(text: str) -> bool:
    return len(text) in (40, 64) and all(digit in "0123456789abcdef" for digit in text)
