"""What an image's spec must be beyond its types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from reconciler.kinds.image.cuda import DRIVERS, cuda_of, older
from reconciler.kinds.image.spec import ImageSpec
from reconciler.model.findings import Code, Finding, Pointer, error, warning
from reconciler.model.fleet import Resource
from reconciler.model.kind import Scene
from reconciler.model.secrecy import looks_secret

NO_DIGEST = warning(
    "IMG001",
    "base image without a digest",
    "A tag can be moved or deleted by whoever publishes it; a digest cannot. Until the lock records what the tag resolved to, two builds of "
    "the same commit may differ. Write `registry: REF@sha256:...`.",
)
MIRROR = error(
    "IMG002",
    "a mirror that wants to be built",
    "An image from a registry without a `context` is published as it is: build arguments, a Dockerfile and a CUDA version of its own mean "
    "nothing to it.",
)
NOTHING_ADDED = error(
    "IMG003", "an image that adds nothing", "An image that starts from another one of the fleet needs a `context` with what is added."
)
MACHINE = error("IMG004", "unknown machine", "`machines` must name machines of fleet.yaml.")
DRIVER = error(
    "IMG005",
    "a machine that cannot run this image",
    "Each CUDA runtime needs an NVIDIA driver of some version or later (NVIDIA, CUDA Toolkit Release Notes). The machine has an older one, or "
    "no GPU.",
)
CUDA = warning(
    "IMG006",
    "CUDA version that we know no driver for",
    "The driver of machines is not checked for this image: the table of CUDA versions and their drivers does not have it.",
)
SECRET_ARG = warning(
    "IMG007",
    "build argument that looks like a secret",
    "Build arguments can be read in the image's history by everybody who can pull it. Give secrets to services at run time, with `secrets`.",
)
SHARED = error(
    "IMG008",
    "shared folder that cannot be put into the context",
    "A shared folder goes into the context under the last part of its path. It must lie in a folder of `images/`, be none of the context's own "
    "folders, and no two may end in the same name.",
)
CODES: tuple[Code, ...] = (NO_DIGEST, MIRROR, NOTHING_ADDED, MACHINE, DRIVER, CUDA, SECRET_ARG, SHARED)

Image = Resource[ImageSpec]


def checks(image: Image, scene: Scene) -> Iterator[Finding]:
    """Findings on one image."""
    yield from _start(image)
    yield from _machines(image, scene)
    yield from _shared(image)
    for name, value in image.spec.args.items():
        if reason := looks_secret(name, value):
            yield _at(image, SECRET_ARG, ("args", name), f"the build argument {name} looks like a secret: {reason}", "take it out")


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or the names that there are."""
    names = sorted(known)
    near = get_close_matches(word, names, 1)
    return f"did you mean `{near[0]}`?" if near else f"there is {', '.join(names) or 'none'}"


def _at(image: Image, code: Code, pointer: Pointer, message: str, fix: str = "") -> Finding:
    return code.at(image.document.place(("spec", *pointer)), message, fix, image.ref)


def _start(image: Image) -> Iterator[Finding]:
    spec = image.spec
    registry = spec.from_.registry
    if registry is not None and "@" not in registry:
        yield _at(image, NO_DIGEST, ("from", "registry"), f"{registry} has no digest", "add the digest: `REF@sha256:...`")
    if spec.is_mirror:
        given = {"args": spec.args, "cuda": spec.cuda, "dockerfile": "dockerfile" in spec.model_fields_set, "shared": spec.shared}
        for key in (key for key, value in given.items() if value):
            yield _at(image, MIRROR, (key,), f"`{key}` means nothing to a mirror", f"take `{key}` out, or give it a `context`")
    if spec.from_.image is not None and spec.context is None:
        fix = f"add a `context`, or use {spec.from_.image} itself"
        yield _at(image, NOTHING_ADDED, ("from", "image"), f"nothing is added to {spec.from_.image}", fix)


def _shared(image: Image) -> Iterator[Finding]:
    names: dict[str, str] = {}
    for position, folder in enumerate(image.spec.shared):
        name = folder.rpartition("/")[2]
        reason = ""
        if not folder.startswith("images/"):
            reason = "is not under images/"
        elif f"{folder}/".startswith(f"{image.spec.context}/"):
            reason = "is part of the context already"
        elif names.setdefault(name, folder) != folder or folder in image.spec.shared[:position]:
            reason = f"would be `{name}` in the context, which there is already"
        if reason:
            yield _at(
                image, SHARED, ("shared", position), f"{folder} {reason}", "name a folder under images/ that ends in a name of its own"
            )


def _machines(image: Image, scene: Scene) -> Iterator[Finding]:
    spec, fleet = image.spec, scene.fleet.spec
    if spec.cuda is not None and spec.cuda not in DRIVERS:
        yield _at(image, CUDA, ("cuda",), f"CUDA {spec.cuda} is not in our table of drivers", f"known are {', '.join(DRIVERS)}")
    cuda = cuda_of(scene.fleet, image.ref.name)
    needed = DRIVERS.get(cuda or "")
    for position, name in enumerate(spec.machines if fleet is not None else ()):
        assert fleet is not None
        machine = fleet.machines.get(name)
        if machine is None:
            yield _at(image, MACHINE, ("machines", position), f"there is no machine `{name}`", nearest(name, fleet.machines))
        elif cuda is not None and machine.gpu is None:
            yield _at(image, DRIVER, ("machines", position), f"CUDA {cuda} needs a GPU, {name} has none", "take the machine out")
        elif needed and machine.gpu is not None and older(machine.gpu.driver, needed):
            message = f"CUDA {cuda} needs NVIDIA driver {needed} or later, {name} has {machine.gpu.driver}"
            yield _at(image, DRIVER, ("machines", position), message, f"update the driver of {name}, or take the machine out")
