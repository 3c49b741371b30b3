"""Images: what they start from, and what a build of them must pass. They stand for no cluster objects."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.image.checks import CODES, checks
from reconciler.kinds.image.content import content
from reconciler.kinds.image.spec import ImageSpec
from reconciler.model.fleet import Resource
from reconciler.model.kind import Column, Kind
from reconciler.model.refs import Link


def links(resource: Resource[ImageSpec]) -> Iterator[Link]:
    """The image that it starts from."""
    if resource.spec.from_.image is not None:
        yield Link("Image", resource.spec.from_.image, ("spec", "from", "image"))


KIND = Kind(
    name="Image",
    folder="images",
    scope="fleet",
    spec=ImageSpec,
    plural="fleetimages",
    short_names=("fimg",),
    columns=(
        Column("Image", ".status.image", "Image and tag that the lock names."),
        Column("Digest", ".status.digest", "Its digest.", wide=True),
    ),
    codes=CODES,
    links=links,
    checks=checks,
    content=content,
)
