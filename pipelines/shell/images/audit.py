"""`fleet images audit`: say what an image's code will ask for and not find."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePath
from typing import Any

import click
import orjson

from pipelines.core.audit.ask import folders
from pipelines.core.audit.report import how, sentence, sentences
from pipelines.core.visible import visible
from pipelines.flow.audit import Recipe, audit
from pipelines.model.audit import Audit
from pipelines.model.oci import Pinned, below
from pipelines.model.recipe import Target
from pipelines.ports import BuildFailed, RegistryFault, Unreadable
from pipelines.shell import equipment
from pipelines.shell.matter import Matter, matter
from reconciler.flow.fan import Stop
from reconciler.shell.exits import Exit
from reconciler.shell.options import environment_option, output_option, repository_option
from reconciler.shell.refusal import Refusal
from reconciler.shell.session import run

REQUIREMENTS = ("requirements.in", "requirements.txt")
"""Where Python packages are named; the first one that a context has is what people edit."""


@click.command(name="audit")
@click.argument("name")
@click.option(
    "--layout",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="An OCI layout folder to look at, instead of the build that the lock names.",
)
@click.option("--platform", metavar="P", default="", help="Of an image for several; by default its first one.")
@output_option("text", "json")
@environment_option
@repository_option
def command(name: str, layout: Path | None, platform: str, output: str, env: str | None, repo: Path | None) -> None:
    """Read the image that the lock names, run nothing of it, and say which libraries, modules and packages its code lacks.

    What is looked through stands under `audit` in its spec. The last lines say what to change. Exit code 1 when something is missing that
    fails as soon as the code is loaded; what may fail is told and is no error.

    \b
    Example: fleet images audit family-web
    """
    found = matter(repo, env)
    found.named([name])  # refuses what there is not
    target = next(one for one in found.targets if one.name == name)
    if layout is not None and not (layout / "index.json").is_file():
        raise Refusal(
            f"{layout} is no OCI layout folder: it has no index.json", "skopeo copy docker://REGISTRY/NAME@DIGEST oci:DIR writes one"
        )
    wanted = platform or target.platforms[0]
    if wanted not in target.platforms:
        raise Refusal(f"{name} is not for {wanted}", f"it is for {', '.join(target.platforms)}")
    made = run(lambda stop: _audited(found, target, layout, wanted, stop))
    if output == "json":
        click.echo(orjson.dumps(_json(name, made), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(visible(line, 2_000) for line in sentences(made)))
    raise SystemExit(Exit.OK if made.passed else Exit.FINDINGS)


async def _audited(found: Matter, target: Target, layout: Path | None, platform: str, stop: Stop) -> Audit:
    del stop  # nothing is left half done
    from pipelines.adapters.contents import MirrorContents
    from pipelines.adapters.rootfs import LayoutRoots

    root, mirror = equipment.blobs(), equipment.debian_mirror()
    packages = MirrorContents(root / "contents", {"debian": mirror} if mirror else {})
    try:
        if layout is not None:
            return await audit(layout, LayoutRoots(), packages, folders(found.graph, target.name), _recipe(found, target), platform)
        async with _fetched(found, target, platform, root) as folder:
            return await audit(folder, LayoutRoots(), packages, folders(found.graph, target.name), _recipe(found, target), platform)
    except Unreadable as fault:
        raise Refusal(f"{target.name} cannot be read: {fault}", fault.fix, Exit.FINDINGS) from None
    except BuildFailed as fault:  # the store: no room
        raise Refusal(str(fault), fault.fix, Exit.PARTLY) from None
    except RegistryFault as fault:
        raise Refusal(str(fault), fault.fix, Exit.USAGE) from None


@asynccontextmanager
async def _fetched(found: Matter, target: Target, platform: str, root: Path) -> AsyncIterator[PurePath]:
    """The current build as a layout folder; layers that builds have here are not fetched."""
    from pipelines.adapters.desk import WorkDesk
    from pipelines.adapters.layouts import Layouts, Store
    from pipelines.core.manifest import BadManifest

    builds = found.lock.builds(target.name)
    if builds is None:
        fix = f"fleet images build {target.name}, or --layout DIR"
        raise Refusal(f"{found.where.lock} has no build of {target.name}", fix, Exit.FINDINGS)
    pinned = Pinned(below(found.where.registry, target.name), builds.current.digest)
    registry = equipment.registry()
    try:
        layouts = Layouts(Store(root), registry)
        with WorkDesk(root / "desk").scratch("audit") as folder:
            image = await layouts.parent(pinned, platform)
            await layouts.write(image, pinned.repository, folder / "layout")
            yield folder / "layout"
    except BadManifest as wrong:
        raise Refusal(f"{pinned}: {wrong}", wrong.fix, Exit.FINDINGS) from None
    finally:
        await equipment.closed(registry)


def _recipe(found: Matter, target: Target) -> Recipe:
    """Where its edits go."""
    if target.context is None:
        return Recipe()
    files = found.contexts.get(target.name, {})
    text = files[target.dockerfile].data.decode(errors="replace") if target.dockerfile in files else ""
    requirements = next((name for name in REQUIREMENTS if name in files), REQUIREMENTS[0])
    return Recipe(f"{target.context}/{target.dockerfile}", text, f"{target.context}/{requirements}")


def _json(name: str, made: Audit) -> dict[str, Any]:
    return {
        "image": name,
        "system": str(made.system),
        "passed": made.passed,
        "gaps": [
            {
                "kind": gap.kind.value,
                "name": gap.name,
                "grade": gap.grade.value,
                "neededBy": gap.needed_by,
                "add": gap.add,
                "says": sentence(gap),
            }
            for gap in made.gaps
        ],
        "edits": [{"file": edit.file, "line": edit.line, "text": edit.text, "says": how(edit)} for edit in made.edits],
        "unread": dict(made.unread),
        "sources": made.sources,
        "objects": made.objects,
    }
