"""Trusted keys, and who of them made a signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from pipelines.model.trust import Early, Expired, Tampered, WrongKey
from pipelines.ports import PublicKey
from reconciler.model.signing import SigningRules


@dataclass(frozen=True, slots=True)
class Trusted:
    """A key of `fleet.yaml` and the days on which it counts, both included."""

    name: str
    key: PublicKey
    since: date
    until: date


def trusted(rules: SigningRules, read: Callable[[str], PublicKey]) -> tuple[Trusted, ...]:
    """The keys of `fleet.yaml`. Raises what `read` does for a PEM that is no key after all: one that is off its curve."""
    return tuple(Trusted(name, read(key.public_key), key.from_, key.until) for name, key in rules.keys.items())


@dataclass(frozen=True, slots=True)
class Signature:
    """Bytes, what is said to be their signature, and which key (its fingerprint) is said to have made it."""

    what: str
    data: bytes
    signature: bytes
    hint: str


def signer(keys: Iterable[Trusted], today: date, of: Signature) -> Trusted | Expired | Early | Tampered | WrongKey:
    """Whose signature it is, if the key counts today.

    There is no clock that both sides trust, so a key counts or not for all that it ever signed: whoever stole an old one cannot date back.
    """
    keys = tuple(keys)
    made = [one for one in keys if one.key.verifies(of.data, of.signature)]
    for one in made:
        if one.since <= today <= one.until:
            return one
    if not made:
        ours = of.hint in {one.key.fingerprint for one in keys}
        return Tampered(f"the {of.what} is not what a trusted key signed") if ours else WrongKey(of.what)
    past = [one for one in made if one.until < today]
    last = max(past or made, key=lambda one: one.until)
    return Expired(last.name, last.until) if past else Early(last.name, min(one.since for one in made))
