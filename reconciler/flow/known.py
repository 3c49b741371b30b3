"""What an operator remembers of a live custom resource: digests, its status as bytes, what people asked for; never a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from reconciler.core.projecting import Whose, carried, commands, hands, is_labelled, mark, whose
from reconciler.model.canonical import dumps
from reconciler.model.manifests import Body, Observed
from reconciler.model.projection import READY, Reason, Standing

_NONE: Mapping[str, str] = MappingProxyType({})
_REASONS: Mapping[str, str] = {str(reason): str(reason) for reason in Reason}
"""One text each, however many custom resources have it."""


@dataclass(slots=True)
class Known:
    """One custom resource. Without a uid it is gone, and this is what it said last."""

    uid: str
    version: str
    generation: int
    whose: Whose
    is_labelled: bool
    is_leaving: bool
    has_hands: bool
    """Somebody else owns something of its spec or of our labels."""
    mark: bytes
    """Of what stands."""
    status: bytes
    """What stands, as canonical JSON."""
    reason: str
    """Of its condition Ready."""
    commands: Mapping[str, str]
    carried: Mapping[str, str]
    sent: bytes = b""
    """The mark that we wanted last."""
    echo: bytes = b""
    """What stood after we wrote that: something else where a webhook or an older definition has its own mind."""
    said: bytes = b""
    """The status that we wanted last."""
    heard: bytes = b""
    sending: bytes = b""
    """The mark and the status that are on their way: a watch may show them before they are answered."""
    saying: bytes = b""

    def stands(self, wanted: bytes) -> bool:
        """Whether its spec is as wanted, or as near as the server lets it be."""
        return self.mark == wanted or (self.sent, self.echo) == (wanted, self.mark)

    def says(self, wanted: bytes) -> bool:
        """Whether its status is as wanted, or as near as the server lets it be."""
        return self.status == wanted or (bool(self.heard) and (self.said, self.heard) == (wanted, self.status))

    def is_news(self, observed: Observed) -> bool:
        """Whether this is not what we know already, by the answer to a write, and nothing older."""
        is_same = (observed.uid, observed.resource_version) == (self.uid, self.version)
        return not is_same and not is_older(observed.resource_version, self.version)

    @property
    def is_drift(self) -> bool:
        """Whether somebody changed it since we wrote it."""
        specified = not self.sent or self.stands(self.sent) or self.mark == self.sending
        told = not self.said or self.says(self.said) or self.status == self.saying
        return not (specified and told)

    @property
    def is_there(self) -> bool:
        """Whether it exists, as far as we know."""
        return bool(self.uid)

    @property
    def before(self) -> Standing | None:
        """How it stood last: what we said, or what was found. None where that cannot be read."""
        text = self.said or self.status
        try:
            return Standing.model_validate_json(text) if text else None
        except ValidationError:
            return None

    def bury(self, version: str = "") -> None:
        """It is gone, at this version of the store where that is known; what it said is kept."""
        self.uid, self.version = "", version
        self.said = self.said or self.status
        self.mark = self.status = self.echo = self.heard = b""
        self.commands = self.carried = _NONE


def known(body: Body, environment_id: str, old: Known | None = None) -> Known:
    """What is worth remembering of a live body, with what was remembered of it before."""
    metadata = body["metadata"]
    found = Known(
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        generation=metadata.get("generation", 1),
        whose=whose(body, environment_id),
        is_labelled=is_labelled(body),
        is_leaving="deletionTimestamp" in metadata,
        has_hands=bool(hands(body)),
        mark=mark(body),
        status=packed(body["status"]) if body.get("status") else b"",
        reason=_reason(body),
        commands=commands(body) or _NONE,
        carried=carried(body) or _NONE,
    )
    if old is not None:
        found.sent, found.echo, found.said, found.heard = old.sent, old.echo, old.said, old.heard
        found.sending, found.saying = old.sending, old.saying
    # Most statuses are what we said: one copy is enough.
    found.status = found.said if found.status == found.said else found.status
    return found


def _reason(body: Body) -> str:
    conditions = body.get("status", {}).get("conditions", ())
    found = next((str(one.get("reason")) for one in conditions if one.get("type") == READY), "")
    return _REASONS.get(found, found)


def is_older(version: str, than: str) -> bool:
    """Whether a resource version was before another (Kubernetes 1.35: they are numbers that grow)."""
    return version.isdigit() and than.isdigit() and int(version) < int(than)


def status_of(after: Standing) -> bytes:
    """A standing as a status: without what is not said."""
    return packed(after.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def packed(value: Any) -> bytes:
    """Canonical JSON to keep: a copy, since what orjson returns holds on to the 4 KiB that it was written into."""
    return bytes(memoryview(dumps(value)))
