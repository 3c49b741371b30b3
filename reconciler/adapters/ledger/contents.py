"""What is in which image, in the ledger's database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select

from reconciler.adapters.ledger.database import Database
from reconciler.adapters.ledger.tables import components, images
from reconciler.ports import ComponentRecord, ImageRecord

_AT_ONCE = 500
_LONGEST = 600


def components_at(url: str, warn: Callable[[str], None]) -> SqlComponents:
    """The contents of images at a database's URL. Nothing is opened before something is written or read."""
    return SqlComponents(url, warn)


class SqlComponents(Database):
    """The port Components on SQLAlchemy."""

    def keep(self, image: ImageRecord, components: Collection[ComponentRecord]) -> None:
        """In one transaction."""
        self._do(lambda connection: _keep(connection, image, components), None, writes=True)

    def images(self) -> tuple[ImageRecord, ...]:
        """Every image, the newest first."""
        return self._do(_images, ())

    def named(self, names: Collection[str]) -> tuple[tuple[ImageRecord, ComponentRecord], ...]:
        """By index: it does not read what is not asked for."""
        return self._do(lambda connection: _named(connection, names), ())

    def forget(self, digests: Collection[str]) -> None:
        """In one transaction."""
        self._do(lambda connection: _forget(connection, list(digests)), None, writes=True)


def _keep(connection: Connection, image: ImageRecord, some: Collection[ComponentRecord]) -> None:
    since = connection.scalar(select(images.c.since).where(images.c.digest == image.digest))
    _forget(connection, [image.digest])
    row = {
        "digest": image.digest,
        "image": image.image,
        "revision": image.revision,
        "verdict": image.verdict,
        "since": since or image.since,
    }
    connection.execute(insert(images), row)
    rows = [_row(image.digest, position, one) for position, one in enumerate(sorted(some))]
    if rows:
        connection.execute(insert(components), rows)


def _row(digest: str, position: int, one: ComponentRecord) -> dict[str, Any]:
    """PostgreSQL keeps no NUL, and names from images may be of any length."""
    texts = {field: value.replace("\0", "")[:_LONGEST] for field, value in one._asdict().items()}
    return {"digest": digest, "position": position, **texts, "ecosystem": texts["ecosystem"][:40], "brought_by": texts["brought_by"][:400]}


def _images(connection: Connection) -> tuple[ImageRecord, ...]:
    return tuple(map(_image, connection.execute(select(images).order_by(images.c.since.desc(), images.c.digest)).mappings()))


def _named(connection: Connection, names: Collection[str]) -> tuple[tuple[ImageRecord, ComponentRecord], ...]:
    wanted = list(names)[:_AT_ONCE]
    either = or_(components.c.name.in_(wanted), components.c.source.in_(wanted))
    found = (
        select(images, *(components.c[field] for field in ComponentRecord._fields))
        .join(components, images.c.digest == components.c.digest)
        .where(either)
    )
    ordered = found.order_by(images.c.image, images.c.since.desc(), images.c.digest, components.c.position)
    return tuple((_image(row), _component(row)) for row in connection.execute(ordered).mappings())


def _forget(connection: Connection, digests: list[str]) -> None:
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        connection.execute(delete(components).where(components.c.digest.in_(some)))
        connection.execute(delete(images).where(images.c.digest.in_(some)))


def _image(row: Mapping[Any, Any]) -> ImageRecord:
    return ImageRecord(row["digest"], row["image"], row["revision"], row["verdict"], row["since"])


def _component(row: Mapping[Any, Any]) -> ComponentRecord:
    return ComponentRecord(*(row[field] for field in ComponentRecord._fields))
