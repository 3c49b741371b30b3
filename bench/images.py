"""Builds, measured: what a check of nothing costs, keys, tags, searches, and a hierarchy beside the same calls by hand."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench import by_hand
from bench.processes import Cost, Failed, fleet
from bench.table import Line
from pipelines.core.key import key
from pipelines.model.recipe import File, FromRegistry, Recipe
from reconciler.adapters.ledger import components_at
from reconciler.ports import ComponentRecord, ImageRecord
from reconciler.shell.ledgers import url_of
from tests.engines import registries, trivy, trivy_db
from tests.images.builders.base import layout
from tests.images.story.shop import files

PARENTS = {
    "base-python": None,
    "base-gpu": None,
    "legacy": None,
    "base-utils": "base-python",
    "base-cpu-pydeps": "base-utils",
    "family-web": "base-cpu-pydeps",
    "family-torch": "base-gpu",
    "family-vision": "base-gpu",
    "family-llm": "family-torch",
}
"""The nine contexts of the reference fleet, parents first, and what each starts from; None for a base in a registry."""
IMAGES = len(PARENTS)
MANY, PACKAGES = 200, 400
NAMES = (
    "images-offline",
    "images-online",
    "images-keys",
    "images-hierarchy",
    "images-judged",
    "images-retag",
    "images-layer",
    "images-rescan",
    "images-search",
)


@contextmanager
def place(folder: Path) -> Iterator[tuple[Path, dict[str, str], str]]:
    """A repository with nine small images on a base in a registry, built by nobody yet; its variables, and the registry's host."""
    folder.mkdir(exist_ok=True)
    daemon, host = registries.start(folder / "registry")
    try:
        layout(folder / "base")
        name = f"{host}/base/busybox:1"
        push = ["skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{folder / 'base'}:base", f"docker://{name}"]
        subprocess.run(push, check=True, capture_output=True)
        root = folder / "repo"
        for path, text in nine(host, name).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        for command in (
            ("init", "-q", "-b", "main"),
            ("add", "-A"),
            ("-c", "user.name=b", "-c", "user.email=b@b.invalid", "commit", "-qm", "nine"),
        ):
            subprocess.run(["git", *command], cwd=root, check=True)
        trivy_db.write(folder / "trivy", (), datetime.fromtimestamp(time.time(), UTC))
        env = {"FLEET_BLOBS": str(folder / "blobs"), "FLEET_TRIVY": str(trivy.find()), "FLEET_TRIVY_DATABASE": str(folder / "trivy")}
        yield root, env, host
    finally:
        daemon.stop()


def nine(host: str, base: str) -> dict[str, str]:
    """The hierarchy of the reference fleet, each image with a step or a few files."""
    found = {path: text for path, text in files(host, base).items() if not path.startswith(("specs/images", "images/", "specs/services"))}
    system = {path.rpartition("/")[2]: text for path, text in files(host, base).items() if path.startswith("images/system/")}
    for name, parent in PARENTS.items():
        start = f"{{image: {parent}}}" if parent else f"{{registry: {base}}}"
        found[f"specs/images/{name}.yaml"] = (
            f"apiVersion: fleetwright.dev/v1alpha1\nkind: Image\nmetadata: {{name: {name}}}\nspec:\n  from: {start}\n  context: images/{name}\n"
        )
        if parent:
            found[f"images/{name}/Dockerfile"] = f"FROM {parent}\nUSER 0:0\nRUN echo {name} > /etc/{name}\nUSER 1000:1000\n"
        else:
            found |= {f"images/{name}/{file}": text for file, text in system.items()}
    return found


def lines(names: tuple[str, ...], runs: int, say: Callable[[str], None]) -> Iterator[Line]:
    """The lines that were asked for."""
    if "images-keys" in names:
        yield keys()
    if set(names) & {"images-hierarchy", "images-judged"}:
        yield from (line for line in hierarchy(runs, say) if line.name in names)
    if set(names) & {"images-offline", "images-online", "images-retag", "images-rescan", "images-search"}:
        with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder, place(Path(folder)) as (root, env, host):
            yield from unchanged(names, root, env, host, max(3, runs))
            if "images-retag" in names:
                yield retagged(host)
    if "images-layer" in names:
        yield packed()


def hierarchy(runs: int, say: Callable[[str], None]) -> Iterator[Line]:
    """Everything from nothing, by fleet and by hand, the one directly after the other, each time in a registry of its own.

    Nothing is removed before the last run: for minutes after many files were, ext4 looks past the inodes of all of them for each new file.
    """
    ours, judged, bare = [], [], []
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        for number in range(runs):
            say(f"nine images from nothing, by fleet and by hand ({number + 1} of {runs})")
            with place(Path(folder) / str(number)) as (root, env, host):
                cost = measured(root, env, "images", "build")
                ours.append((cost.wall, cost.speed))
                bare.append(by_hand.built(root, host, PARENTS, root.parent / "bare"))
                judge = by_hand.judged(root, Path(env["FLEET_TRIVY_DATABASE"]))
                judged.append(by_hand.built(root, host, PARENTS, root.parent / "judged", judge))
    yield Line(
        "images-hierarchy", f"{IMAGES} small images from nothing by buildah, judged and published, beside buildah and push by hand", _ratio(ours, bare), "x", 1.3,
        f"{_wall(ours):.1f} s; by hand {_wall(bare):.1f} s",
    )  # fmt: skip
    yield Line(
        "images-judged", "the same beside buildah, push and both runs of Trivy by hand", _ratio(ours, judged), "x", 1.1, f"by hand {_wall(judged):.1f} s"
    )  # fmt: skip


def _ratio(ours: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> float:
    """The median, at the speed that the machine had."""
    return median(mine * fast / (other * slow) for (mine, fast), (other, slow) in zip(ours, theirs, strict=True))


def _wall(runs: list[tuple[float, float]]) -> float:
    return median(wall for wall, _ in runs)


def unchanged(names: tuple[str, ...], root: Path, env: dict[str, str], host: str, runs: int) -> Iterator[Line]:
    """What is asked of images that are built already."""
    measured(root, env, "images", "build")

    def line(name: str, what: str, budget: float, *arguments: str) -> tuple[Line, str]:
        """Its median, and what it said the first time."""
        costs = [measured(root, env, *arguments) for _ in range(runs)]
        return Line(name, what, median(cost.wall for cost in costs), "s", budget, spread(costs)), costs[0].said

    if "images-offline" in names:
        yield line("images-offline", f"fleet images plan: nothing to do for {IMAGES} images, offline", 0.15, "images", "plan")[0]
    if "images-online" in names:
        pairs = [(by_hand.asked(root, host), measured(root, env, "images", "build")) for _ in range(runs)]
        bare, wall = median(bare for bare, _ in pairs), median(cost.wall for _, cost in pairs)
        yield Line(
            "images-online", f"fleet images build: nothing to do for {IMAGES} images, registry on loopback", wall / bare, "x", 1.0,
            f"{wall:.2f} s, {spread([cost for _, cost in pairs])}; a program that only asks for each by httpx {bare:.2f} s",
        )  # fmt: skip
    if "images-rescan" in names:
        yield line("images-rescan", f"fleet images rescan: {IMAGES} SBOMs by today's database", 3.0, "images", "rescan")[0]
    if "images-search" in names:
        filled(root)
        what = f"fleet sbom search over {MANY} images of {PACKAGES} packages"
        found, said = line("images-search", what, 1.0, "sbom", "search", "--all", "package-7")
        if any(f"image-{number} " not in said for number in range(MANY)):
            raise Failed(f"a search did not find every image: {said[-1000:]}")
        yield found


def filled(root: Path) -> None:
    """A ledger that knows what is in many images."""
    ledger = components_at(url_of(root), lambda _: None)
    for number in range(MANY):
        said = ImageRecord(
            f"sha256:{number:064x}", f"image-{number}", f"{number:040x}", "passed 2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)
        )
        names = [f"package-{which}" for which in range(PACKAGES)]
        ledger.keep(said, [ComponentRecord("deb", name, "1.0-1", name, f"pkg:deb/debian/{name}@1.0-1", said.image) for name in names])


def spread(costs: list[Cost]) -> str:
    return f"fastest {min(cost.wall for cost in costs):.2f} s, {median(cost.cpu for cost in costs):.2f} s CPU"


def measured(root: Path, env: dict[str, str], *arguments: str) -> Cost:
    with variables(env):
        return fleet(root, *arguments)


@contextmanager
def variables(env: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def keys(images: int = 1_000) -> Line:
    """Keys of many images: three files of a kilobyte each."""
    recipes = [
        Recipe(
            f"image-{number}", FromRegistry("registry.example/base:1"), f"sha256:{number:064x}", "Dockerfile",
            {name: File(0o100644, f"{name} {number}".encode() * 100) for name in ("Dockerfile", "requirements.txt", "app.py")},
            {}, {"A": "b"}, 0, "linux/amd64",
        )
        for number in range(images)
    ]  # fmt: skip
    began = time.perf_counter()
    found = {key(recipe) for recipe in recipes}
    wall = time.perf_counter() - began
    assert len(found) == images
    return Line("images-keys", f"keys of {images} images", wall, "s", 1.0)


def packed() -> Line:
    """The largest memory of packing a layer of 2 GB."""
    from tests.pipelines.layer.test_memory import PROGRAM

    program = PROGRAM.replace("COUNT = 1 << 20, 640", "COUNT = 1 << 20, 2048")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    return Line("images-layer", f"largest memory of packing a layer of {said['size'] >> 20} MiB", said["mib"], "MB", 200)


def retagged(host: str, count: int = 30) -> Line:
    """Seconds a tag, of many labels on one image."""
    from pipelines.adapters.registry import KnownLogins, OciRegistry, Settings
    from pipelines.flow.retag import retag
    from pipelines.model.oci import Repository

    async def work() -> float:
        registry = OciRegistry(Settings(KnownLogins({})))
        repository = Repository(host, "base/busybox")
        found = await registry.head(repository, "1")
        assert found is not None
        began = time.perf_counter()
        await retag(registry, repository, {f"label-{number}": found.digest for number in range(count)})
        wall = time.perf_counter() - began
        await registry.close()
        return wall / count

    return Line("images-retag", f"a tag put on an image, of {count}, registry on loopback", asyncio.run(work()), "s", 0.01)
