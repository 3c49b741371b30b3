"""Tracks as text: how the inventory keeps what became of builds, one line of JSON a service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import orjson

from reconciler.model.refs import Ref
from reconciler.model.track import PutBack, Track


def encode_tracks(tracks: Iterable[tuple[Ref, Track]]) -> str:
    """Lines, without what is empty."""
    return "\n".join(orjson.dumps({"kind": ref.kind, "name": ref.name, **_said(track)}).decode() for ref, track in tracks)


def decode_tracks(lines: str, tenant: str) -> Iterator[tuple[Ref, Track]]:
    """The tracks of a tenant. A line that somebody made unreadable is none: what it knew is found out again."""
    for line in lines.splitlines():
        try:
            said = orjson.loads(line)
            ref = Ref(str(said.pop("kind")), str(said.pop("name")), tenant)
            hold = said.pop("hold", None)
            spent = tuple(map(str, said.pop("spent", ())))
            plain = {name: str(value) for name, value in said.items()}
            yield ref, Track(**plain, spent=spent, hold=PutBack(**{key: str(value) for key, value in hold.items()}) if hold else None)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue


def _said(track: Track) -> dict[str, Any]:
    return {name: value for name, value in asdict(track).items() if value}
