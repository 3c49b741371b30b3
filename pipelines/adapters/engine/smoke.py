"""Runs a command in an image that is not in a registry yet, by an engine, without network.

The public API of Dagger 0.21 has no network switch; a Dockerfile step has one (`RUN --network=none`). So the image is imported, and its
root copied (by hard links) into a Dockerfile whose only step is the command. Every variable is an argument: arguments need no quoting.
"""

from __future__ import annotations

import asyncio
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.ports import BuildFailed

_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
IGNORE_NOTHING = "# nothing\n"
"""An ignore file of the Dockerfile's own, so that a .dockerignore in the image's root is not read as one."""


class Layout(NamedTuple):
    """What an OCI layout folder holds, as far as running needs it."""

    files: tuple[str, ...]
    """Paths of what the image is made of, relative to the folder, the index aside."""
    listing: bytes
    """An index of that image alone."""
    settings: Mapping[str, Any]
    """The image's `config` object."""


def read(folder: Path) -> Layout:
    """The one image of a layout; BuildFailed where it holds none or cannot be read."""
    try:
        index = json.loads((folder / "index.json").read_bytes())
        entry = index["manifests"][0]
        manifest = json.loads((folder / _path(entry["digest"])).read_bytes())
        config = json.loads((folder / _path(manifest["config"]["digest"])).read_bytes())
        blobs = [entry["digest"], manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
    except (OSError, ValueError, LookupError, TypeError) as fault:
        raise BuildFailed(f"{folder} holds no image: {fault}", "this is a defect of what wrote the layout") from fault
    alone = json.dumps({"schemaVersion": 2, "manifests": [{key: entry[key] for key in ("mediaType", "digest", "size")}]}).encode()
    return Layout(tuple(map(_path, dict.fromkeys(blobs))), alone, config.get("config") or {})


async def pack(folder: Path, layout: Layout, into: Path) -> None:
    """Writes an OCI archive of the image; file by file, so that it can be cancelled in between."""
    with tarfile.open(into, "w") as tar:
        for name in ("oci-layout", *layout.files):
            await asyncio.to_thread(tar.add, folder / name, name)
        index = into.with_suffix(".json")
        index.write_bytes(layout.listing)
        tar.add(index, "index.json")
        index.unlink()


def dockerfile(settings: Mapping[str, Any], command: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The Dockerfile that runs the command as the image would, and its arguments."""
    pairs = (str(pair).partition("=") for pair in settings.get("Env") or ())
    arguments = {name: value for name, _, value in pairs if _SAFE_NAME.fullmatch(name)}
    lines = ["FROM scratch", "COPY . /", *(f"ARG {name}" for name in arguments)]
    # The folder before the user: the engine cannot make one for a user by name where the base is scratch.
    if folder := settings.get("WorkingDir"):
        lines.append(f"WORKDIR {_literal(folder)}")
    if user := settings.get("User"):
        lines.append(f"USER {_literal(user)}")
    lines.append(f"RUN --network=none {json.dumps(list(command))}")
    return "\n".join(lines) + "\n", arguments


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("$", "\\$")


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")
