"""What came of a run is shown: sentences on stderr, JSON on stdout where it was asked for. Also of a run that had nothing to build."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from pipelines.flow.standing import all_there
from pipelines.model.oci import Pinned, below
from pipelines.model.outcome import Outcome, Unchanged
from pipelines.ports import RegistryFault
from pipelines.shell import equipment
from pipelines.shell.told import as_json, line, more
from reconciler.shell.aside import aside

if TYPE_CHECKING:
    from pipelines.flow.build.together import Done
    from pipelines.model.as_locked import AsLocked
    from pipelines.shell.matter import Matter


def shown(found: Matter, done: Done, output: str) -> None:
    """What came of a run."""
    for name, outcome in done.outcomes.items():
        for text in more(outcome, found.heirs()):
            aside(f"{name}:{text}" if not text.startswith("  |") else text)
    if output == "json":
        _print(done.outcomes, {name: builds.current.tag for name, builds in found.lock_now().images.items()})


def at_rest(known: AsLocked, output: str) -> bool:
    """Whether the registry has all builds of images of which nothing is to be built; then that is what came of the run, and shown.

    A registry that cannot tell is for the build to ask again, and to say what it answered.
    """
    try:
        is_whole = asyncio.run(_are_there([Pinned(below(known.registry, one.name), one.build.digest) for one in known.images]))
    except RegistryFault:
        return False
    if is_whole:
        outcomes = {one.name: Unchanged(one.build) for one in known.images}
        for name, outcome in outcomes.items():
            aside(line(name, outcome))
        if output == "json":
            _print(outcomes, {})
    return is_whole


async def _are_there(builds: list[Pinned]) -> bool:
    registry = equipment.registry()
    try:
        return await all_there(registry, builds)
    finally:
        await equipment.closed(registry)


def _print(outcomes: Mapping[str, Outcome], tags: Mapping[str, str]) -> None:
    import orjson

    said = [as_json(name, one, tags.get(name, "")) for name, one in outcomes.items()]
    click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2))
