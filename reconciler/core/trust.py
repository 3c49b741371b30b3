"""Trust: whether anybody's signature counts today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from reconciler.core.codes.signing import NO_KEY
from reconciler.model.documents import FLEET_FILE
from reconciler.model.findings import Finding, Place, Pointer
from reconciler.model.fleet import Environment, Fleet
from reconciler.model.refs import FLEET


def trust(fleet: Fleet, environment: Environment, today: date) -> Iterator[Finding]:
    """A warning when keys are named and none of them counts today."""
    keys = environment.signing.keys
    if not keys or any(key.counts(today) for key in keys.values()):
        return
    own = fleet.spec is not None and fleet.spec.environments[environment.name].signing is not None
    base: Pointer = ("spec", "environments", environment.name) if own else ("spec",)
    place = fleet.document.key_place((*base, "signing", "keys")) if fleet.document else Place(FLEET_FILE)
    last = max(keys, key=lambda name: keys[name].until)
    coming = min((key.from_ for key in keys.values() if key.from_ > today), default=None)
    then = f"the next one counts from {coming} on" if coming else f"the last one, {last}, counted until {keys[last].until}"
    yield NO_KEY.at(place, f"no signing key counts on {today}: {then}", "add a key that counts today, and sign again with it", FLEET)
