"""Decides what of the images is to be built, from files and lock alone: no registry, no builder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from pipelines.core.ignore import kept
from pipelines.core.key import key, several
from pipelines.model.decision import Current, Decided, Decision, Open, Outdated, Unbuildable
from pipelines.model.recipe import Files, FromImage, Recipe, Target
from reconciler.model.lock import Lock

Outside = Callable[[str, Target], tuple[str, ...]]
"""(text of a Dockerfile, target) -> every image that it takes something from, besides the one it starts from. Raises Unclear."""
Was = Callable[[Target], Mapping[str, Recipe] | None]
"""The recipes that the lock's current build was made by, where history can tell."""


class Unclear(ValueError):
    """A Dockerfile that cannot be read."""


def decide(
    all: Collection[Target],
    contexts: Mapping[str, Files],
    bases: Mapping[str, str],
    lock: Lock,
    outside: Outside,
    was: Was = lambda _: None,
) -> tuple[Decided, ...]:
    """What is to be done about each target. `contexts` has the files of each by name; `bases` what references mean, `sha256:...` each."""
    digests = dict(bases)
    found: list[Decided] = []
    for target in all:
        decided = _decided(target, contexts.get(target.name, {}), digests, lock, outside, was)
        found.append(decided)
        if isinstance(decided.decision, Current):
            digests[target.name] = decided.decision.build.digest
    return tuple(found)


def _decided(target: Target, files: Files, digests: Mapping[str, str], lock: Lock, outside: Outside, was: Was) -> Decided:
    made = recipes(target, files, digests, outside)
    if isinstance(made, Unbuildable | Open):
        return Decided(target, {}, "", made)
    name = several({platform: key(recipe) for platform, recipe in made.items()})
    return Decided(target, made, name, _compared(target, made, name, lock, was))


def recipes(target: Target, files: Files, digests: Mapping[str, str], outside: Outside) -> Mapping[str, Recipe] | Open | Unbuildable:
    """The recipes of a target by platform, or why they are not known."""
    context = kept(files, target.dockerfile)
    externals: dict[str, str] = {}
    missing = [] if str(target.start) in digests or _own_digest(str(target.start)) else [_unknown(target)]
    if target.context is not None:
        if not files:
            return Unbuildable(f"the folder {target.context} is empty or not there", "commit its files, or correct `context`")
        if target.dockerfile not in context:
            return Unbuildable(f"{target.context}/{target.dockerfile} is not there", "write it, or correct `dockerfile`")
        try:
            taken = outside(context[target.dockerfile].data.decode(errors="replace"), target)
        except Unclear as fault:
            return Unbuildable(str(fault), "fleet lint shows where")
        for reference in taken:
            if found := _own_digest(reference) or digests.get(reference):
                externals[reference] = found
            else:
                missing.append(f"what {reference} stands for is not recorded")
    if missing:
        return Open(tuple(missing))
    start = _own_digest(str(target.start)) or digests[str(target.start)]
    return {
        platform: Recipe(target.name, target.start, start, target.dockerfile, context, externals, target.args, target.epoch, platform)
        for platform in target.platforms
    }


def _own_digest(reference: str) -> str:
    return reference.partition("@")[2]


def _unknown(target: Target) -> str:
    if isinstance(target.start, FromImage):
        return f"parent {target.start} rebuilt"
    return f"what {target.start} stands for is not recorded"


def _compared(target: Target, made: Mapping[str, Recipe], key: str, lock: Lock, was: Was) -> Decision:
    builds = lock.builds(target.name)
    if builds is None:
        return Outdated(("never built",))
    if builds.current.key == key:
        return Current(builds.current)
    if not builds.current.key:
        return Outdated(("the current build was entered by hand",))
    before = was(target)
    return Outdated((differences(before, made) if before else ()) or ("its key is another",))


def differences(before: Mapping[str, Recipe], after: Mapping[str, Recipe]) -> tuple[str, ...]:
    """What makes two sets of recipes different, as short sentences."""
    if before.keys() != after.keys():
        return (f"platforms changed: {', '.join(after)}",)
    platform = next(iter(after))
    old, new = before[platform], after[platform]
    found: list[str] = []
    if changed := sorted(path for path in old.files.keys() | new.files.keys() if old.files.get(path) != new.files.get(path)):
        found.append(f"context changed: {', '.join(changed[:3])}{f' and {len(changed) - 3} more' if len(changed) > 3 else ''}")
    if old.start != new.start:
        found.append(f"starts from {new.start} instead of {old.start}")
    elif old.start_digest != new.start_digest:
        found.append(f"parent {new.start} rebuilt" if isinstance(new.start, FromImage) else "base digest moved")
    if moved := sorted(name for name in new.externals if old.externals.get(name) != new.externals[name]):
        found.append(f"digest moved: {', '.join(moved)}")
    if old.args != new.args:
        found.append("arguments changed")
    if old.epoch != new.epoch:
        found.append(f"epoch {old.epoch} -> {new.epoch}")
    return tuple(found)
