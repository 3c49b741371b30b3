"""Assembles one image on this machine, from its recipe to what is in it: built, packed, tried, described. No registry sees it yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import PurePath

from pipelines.core.config import Image
from pipelines.core.dockerfile.outside import outside, pin
from pipelines.core.dockerfile.parse import parse
from pipelines.core.sbom.canonical import PATH
from pipelines.flow.build.ahead import Ahead
from pipelines.flow.build.describe import Described, describe
from pipelines.flow.build.outfit import Outfit, Wish
from pipelines.flow.reading import read_image
from pipelines.model.context import ContextFile, ContextItem, ContextLink
from pipelines.model.oci import Pinned
from pipelines.model.recipe import SOURCE_DATE, Files, FromRegistry, Recipe, Target
from pipelines.ports import Order
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
    start: Pinned | None = None
    """Where the image that it starts from stands by now, if that is not its own repository yet."""
    cleared: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once what it starts from has passed: before that nothing of it goes to a registry."""
    known: Callable[[Pinned], None] = lambda _: None
    """Told where the image stands before it is judged; its digest may turn out to be another, where somebody else built it just then."""


class Assembler:
    """Builds some images at once, and looks into some at once."""

    def __init__(self, outfit: Outfit, wish: Wish) -> None:
        self._outfit, self._wish = outfit, wish
        self._builds, self.looks = asyncio.Semaphore(wish.jobs), asyncio.Semaphore(wish.jobs)

    async def assembled(self, task: Task, start: Pinned, phase: Phase) -> tuple[Image, Described]:
        """The image with its SBOM inside, and the SBOM; `start` is where its parent can be read. Raises BuildFailed, RegistryFault, NoVerdict."""
        outfit, name, recipe = self._outfit, task.target.name, task.recipe
        with outfit.desk.scratch(name) as folder, outfit.desk.context(_items(recipe.files), SOURCE_DATE) as context:
            async with self._builds:
                phase("build")
                parent = await outfit.images.parent(start, recipe.platform)
                alone = (await read_image(outfit.registry, start.repository, start.digest, recipe.platform)).pinned
                text = self._pinned_text(task, alone)
                layout = None if self._wish.pushes or isinstance(recipe.start, FromRegistry) else folder / "parent"
                if layout:
                    await outfit.images.write(parent, start.repository, layout)
                below = parent.config.diff_ids
                order = Order(name, context, text, alone, recipe.platform, recipe.args, SOURCE_DATE, self._wish.secrets, below, layout)
                made = await outfit.builder.build(order, folder, lambda line: outfit.watcher.line(name, line))
                phase("pack")
                image = await outfit.images.extend(parent, start.repository, made, SOURCE_DATE)
                layout = folder / "layout"
                await outfit.images.write(image, start.repository, layout)
            async with Ahead() as ahead:
                described = ahead.begin(self.described(task, image, layout))
                if command := self._wish.smokes.get(name):
                    phase("try")
                    async with self._builds:
                        await outfit.builder.run(layout, command, lambda line: outfit.watcher.line(name, line))
                phase("describe")
                inside = await described
            return await outfit.images.with_file(image, PATH, inside.sbom, SOURCE_DATE), inside

    async def described(self, task: Task, image: Image, layout: PurePath) -> Described:
        """What is in an image in a layout folder. Raises NoVerdict, NotABom, BuildFailed."""
        async with self.looks:
            return await describe(self._outfit, task.target.name, image, layout, task.owners)

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


class Phase:
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
