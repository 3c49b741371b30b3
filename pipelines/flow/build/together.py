"""All images of a build: each as soon as what it starts from is there, some at once. What fails takes only its descendants with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from pipelines.core.decide import Unclear, recipes
from pipelines.core.key import key, several
from pipelines.core.sbom.bom import NotABom
from pipelines.core.targets import lineage
from pipelines.flow.build.ahead import Ahead
from pipelines.flow.build.assembly import Ancestors, Task
from pipelines.flow.build.join import join
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.build.single import Single
from pipelines.flow.build.starts import Starts
from pipelines.flow.reading import read_config, read_image
from pipelines.model.decision import Open, Unbuildable
from pipelines.model.oci import Pinned
from pipelines.model.outcome import Failed, Outcome, Part, Passed, Refused, Skipped, Unchanged
from pipelines.model.recipe import FromImage, FromRegistry, Recipe, Target
from pipelines.ports import BomInvalid, RegistryFault
from reconciler.model.lock import Build
from reconciler.model.value import dataclass

UNDER_WAY = 4
"""Images for each that is built at a time: others are judged, published, or wait for what they start from."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of everything, and what external bases meant."""

    outcomes: Mapping[str, Outcome]
    """By image, in the order of the wish; of an interrupted build only those that were done."""
    bases: Mapping[str, str]


class Together:
    """One build of many images."""

    def __init__(self, outfit: Outfit, wish: Wish) -> None:
        self._outfit, self._wish = outfit, wish
        self._starts = Starts(outfit, wish)
        self._single = Single(outfit, wish, self._starts)
        self._gate = asyncio.Semaphore(UNDER_WAY * wish.jobs)
        self._bases: dict[str, str] = {}
        self._faults: Mapping[str, Failed] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._standing: dict[str, asyncio.Future[Pinned | None]] = {}
        """Where each stands before it is judged; None where its outcome was there first."""

    async def build(self) -> Done:
        """Everything that was asked for. An interruption ends what runs and raises; `so_far` says what was done until then."""
        wish = self._wish
        asked = [target for target in wish.targets if target.name in wish.names]
        locked = {name: base.digest for name, base in wish.lock.bases.items()}
        starts = {target.start for target in asked} | {FromRegistry(name) for target in asked for name in self._outside(target)}
        self._bases, self._faults = await self._starts.today.digests(starts, locked)
        tasks: dict[str, asyncio.Task[Outcome]] = {}
        async with asyncio.TaskGroup() as group:
            for target in asked:
                parent = tasks.get(target.start.name) if isinstance(target.start, FromImage) else None
                self._standing[target.name] = asyncio.get_running_loop().create_future()
                tasks[target.name] = group.create_task(self._one(target, parent))
        return self.so_far()

    def so_far(self) -> Done:
        """What is done."""
        order = [target.name for target in self._wish.targets if target.name in self._outcomes]
        return Done({name: self._outcomes[name] for name in order}, dict(self._bases))

    async def _one(self, target: Target, parent: asyncio.Task[Outcome] | None) -> Outcome:
        outcome = await (self._upon(target, parent) if parent else self._outcome(target, _set()))
        self._outcomes[target.name] = outcome
        self._stands(target, None)
        self._outfit.watcher.done(target.name, outcome)
        return outcome

    def _stands(self, target: Target, where: Pinned | None) -> None:
        if not (known := self._standing[target.name]).done():
            known.set_result(where)

    async def _upon(self, target: Target, parent: asyncio.Task[Outcome]) -> Outcome:
        """Begun as soon as it is known what it starts from; gone on with, beyond this machine, once that has passed."""
        assert isinstance(target.start, FromImage)
        await asyncio.shield(self._standing[target.start.name])
        if skipped := _skipped(target, self._outcomes.get(target.start.name)):
            return skipped
        early, cleared = self._early(target.start.name), asyncio.Event()
        async with Ahead() as ahead:
            work = ahead.begin(self._outcome(target, cleared))
            outcome = await parent
            if skipped := _skipped(target, outcome):
                return skipped
            if early is None or (isinstance(outcome, Passed) and outcome.pinned.digest == early.digest):
                cleared.set()
                return await work
        return await self._outcome(target, _set())

    async def _outcome(self, target: Target, cleared: asyncio.Event) -> Outcome:
        if wrong := [self._faults[name] for name in (str(target.start), *self._outside(target)) if name in self._faults]:
            return wrong[0]
        made = recipes(target, self._wish.contexts.get(target.name, {}), self._digests(target), self._wish.outside)
        if isinstance(made, Open):
            return Failed("plan", "; ".join(made.because))
        if isinstance(made, Unbuildable):
            return Failed("plan", made.because, made.fix)
        return await self._recipes(target, made, cleared)

    async def _recipes(self, target: Target, made: Mapping[str, Recipe], cleared: asyncio.Event) -> Outcome:
        """Each platform, then what joins them."""
        keys = {platform: key(recipe) for platform, recipe in made.items()}
        name = several(keys)
        try:
            if build := await self._current(target, name):
                return Unchanged(build)
            async with asyncio.TaskGroup() as group:
                tasks = {
                    platform: group.create_task(self._recipe(target, recipe, keys[platform], cleared)) for platform, recipe in made.items()
                }
            found = {platform: task.result() for platform, task in tasks.items()}
            if len(found) == 1:
                return next(iter(found.values())) or _absent(target, tuple(found))
            return await self._joined(target, name, found)
        except RegistryFault as fault:
            return Failed("look up", str(fault), fault.fix)

    async def _joined(self, target: Target, name: str, found: Mapping[str, Outcome | None]) -> Outcome:
        """What came of all platforms together: the first that went wrong says what."""
        passed = {platform: one for platform, one in found.items() if isinstance(one, Passed)}
        for platform, one in found.items():
            if isinstance(one, Failed):
                return replace(one, message=f"{platform}: {one.message}")
            if one is not None and not isinstance(one, Passed):
                return one
        missing = tuple(platform for platform in found if platform not in passed)
        if missing:
            return Part(passed, missing) if self._wish.platform in passed else _absent(target, missing)
        try:
            return await join(self._outfit, self._wish, target.name, name, passed)
        except (NotABom, BomInvalid) as fault:
            return Failed("join", str(fault))

    async def _current(self, target: Target, name: str) -> Build | None:
        """The lock's current build, if it is of this key and its registry has it."""
        builds = self._wish.lock.builds(target.name)
        if self._wish.force or builds is None or builds.current.key != name:
            return None
        async with self._gate:
            there = await self._outfit.registry.head(self._wish.repository(target.name), builds.current.digest)
        return builds.current if there else None

    async def _recipe(self, target: Target, recipe: Recipe, name: str, cleared: asyncio.Event) -> Outcome | None:
        async with self._gate:
            try:
                ancestors, owners = await self._lineage(target, recipe.platform)
            except RegistryFault as fault:
                return Failed("look up", str(fault), fault.fix)
            start = self._early(target.start.name) if isinstance(target.start, FromImage) else None
            is_all = len(target.platforms) == 1  # else what its children start from is the index of all
            known = partial(self._stands, target) if is_all else _nobody
            return await self._single.make(Task(target, recipe, name, ancestors, owners, start, cleared, known))

    def _early(self, name: str) -> Pinned | None:
        """Where an image stands whose outcome is not there yet."""
        known = self._standing.get(name)
        return known.result() if known and known.done() and name not in self._outcomes else None

    async def _lineage(self, target: Target, platform: str) -> tuple[Ancestors, dict[str, str]]:
        """What it starts from, nearest first, and whose layers those are: each ancestor owns what its own parent does not have."""
        ancestors: list[tuple[str, Pinned]] = []
        owners: dict[str, str] = {}
        for above in lineage(self._wish.targets, target.name)[1:]:
            ancestors.append((above.name, Pinned(self._wish.repository(above.name), self._digests(target)[above.name])))
        for name, published in reversed(ancestors):
            pinned = self._early(name) or published
            image = await read_image(self._outfit.registry, pinned.repository, pinned.digest, platform)
            for diff_id in (await read_config(self._outfit.registry, image)).diff_ids:
                owners.setdefault(diff_id, name)
        return tuple(ancestors), owners

    def _digests(self, target: Target) -> dict[str, str]:
        """What names mean for an image by now: external bases, what this run made, and for what it does not touch the lock.

        Of what it starts from, also what is not judged yet.
        """
        found = dict(self._bases)
        for one in self._wish.targets:
            match self._outcomes.get(one.name):
                case Passed(pinned=pinned):
                    found[one.name] = pinned.digest
                case Unchanged(build=build):
                    found[one.name] = build.digest
                case None if one.name not in self._wish.names and (builds := self._wish.lock.builds(one.name)):
                    found[one.name] = builds.current.digest
                case _:
                    pass
        early = {above.name: self._early(above.name) for above in lineage(self._wish.targets, target.name)[1:]}
        return found | {name: pinned.digest for name, pinned in early.items() if pinned}

    def _outside(self, target: Target) -> tuple[str, ...]:
        """References to other registries in its Dockerfile."""
        files = self._wish.contexts.get(target.name, {})
        if target.dockerfile not in files:
            return ()
        ours = {one.name for one in self._wish.targets}
        text = files[target.dockerfile].data.decode(errors="replace")
        try:
            return tuple(name for name in self._wish.outside(text, target) if name not in ours)
        except Unclear:  # told when its recipe is made
            return ()


def _skipped(target: Target, parent: Outcome | None) -> Skipped | None:
    """What becomes of an image because of what it starts from."""
    match parent:
        case Failed() | Refused() | Skipped():
            return Skipped(f"{target.start} did not come about")
        case Part(missing=missing):
            return Skipped(f"{target.start} is not in the cache yet for {', '.join(missing)}")
        case _:
            return None


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def _nobody(_: Pinned) -> None:
    """Is told."""


def _absent(target: Target, platforms: tuple[str, ...]) -> Failed:
    where = f" for {', '.join(platforms)}" if len(target.platforms) > 1 else ""
    return Failed("look up", f"it is not in the cache{where}, and not to be built here", f"fleet images build {target.name}")
