"""Keys: one digest of all that reaches the builder. The same key means the same image; nothing that only judges a build is part of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pipelines.model.recipe import RECIPE, FromPackages, Recipe
from reconciler.model.canonical import digest


def key(recipe: Recipe) -> str:
    """`sha256:<hex>` of a recipe: files with their executable bits and links, arguments, epoch, parent and other images by digest, platform."""
    return digest(
        {
            "recipe": RECIPE,
            "from": recipe.start_digest,
            "packages": isinstance(recipe.start, FromPackages),
            "dockerfile": recipe.dockerfile if recipe.files else "",
            "files": {path: [file.mode, hashlib.sha256(file.data).hexdigest()] for path, file in recipe.files.items()},
            "externals": dict(recipe.externals),
            "args": dict(recipe.args),
            "epoch": recipe.epoch,
            "platform": recipe.platform,
        }
    )


def several(keys: Mapping[str, str]) -> str:
    """The key of an image for several platforms; of one for one platform it is its own."""
    return next(iter(keys.values())) if len(keys) == 1 else digest(dict(keys))
