"""A small hierarchy of images as text: base <- middle <- top, and side beside them; one service with a build of its own."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.core.contexts import contexts
from pipelines.core.targets import targets
from pipelines.model.recipe import Files, Target
from reconciler.core.trees import EXECUTABLE, FILE
from reconciler.ports import Packed
from tests.fleets import API, FLEET, PACK, Repo, service, tenant

BASE = "registry.example/debian:12"


def image(name: str, start: str, extra: str = "") -> str:
    return f"{API}\nkind: Image\nmetadata: {{name: {name}}}\nspec:\n  from: {start}\n  context: images/{name}\n{extra}"


SPECS = {
    "fleet.yaml": FLEET,
    "specs/policy-packs/default.yaml": PACK,
    "specs/tenants/platform.yaml": tenant("platform"),
    "specs/images/base.yaml": image("base", f"{{registry: {BASE}}}", "  shared: [images/runtime]\n"),
    "specs/images/middle.yaml": image("middle", "{image: base}"),
    "specs/images/top.yaml": image("top", "{image: middle}"),
    "specs/images/side.yaml": image("side", "{image: base}", "  args: {SIDE: left}\n"),
    "specs/services/platform/own.yaml": service("own").replace("  image: app", "  build: {image: top, context: images/own}"),
}
FILES = {
    "images/runtime/entry": Packed(EXECUTABLE, b"#!/bin/sh\n"),
    "images/base/Dockerfile": Packed(FILE, f"FROM {BASE}\nCOPY runtime/ /runtime/\n".encode()),
    "images/middle/Dockerfile": Packed(FILE, b"FROM base\nCOPY a /a\n"),
    "images/middle/a": Packed(FILE, b"a\n"),
    "images/top/Dockerfile": Packed(FILE, b"FROM middle\nCOPY b /b\n"),
    "images/top/b": Packed(FILE, b"b\n"),
    "images/side/Dockerfile": Packed(FILE, b"FROM base\nARG SIDE\n"),
    "images/own/Dockerfile": Packed(FILE, b"FROM top\nCOPY c /c\n"),
    "images/own/c": Packed(FILE, b"c\n"),
}


def hierarchy(specs: Mapping[str, str] = SPECS) -> tuple[Target, ...]:
    """The targets of these specs."""
    return targets(Repo(dict(specs)).graph())


def seen(all: tuple[Target, ...], files: Mapping[str, Packed] = FILES) -> dict[str, Files]:
    """The context of each."""
    return contexts(all, files)
