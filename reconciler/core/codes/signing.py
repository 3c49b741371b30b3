"""Codes of signatures."""

from __future__ import annotations

from reconciler.model.findings import Code, warning

NO_KEY = warning(
    "SGN001",
    "no signing key counts today",
    """Each key under `signing` counts from `from` to `until`, both days included. On a day on which none counts, no signature
verifies; with `require: true` no new build may run, and what runs stays.

Fix: add a key that counts today, and sign what the lock names with it (docs/how-to/signing-keys.md).""",
)
UNVERIFIED = warning(
    "SGN002",
    "build that does not verify",
    """The fleet demands (`signing.require`) that a build is signed by a trusted key, that a key also vouches for the gate's verdict, and that
the SBOM is there. Something of that is missing or wrong, so the service keeps what runs.

Fix: `fleet images verify` says what each image lacks. `fleet images sign` signs what passed the gate.""",
)
LET_THROUGH = warning(
    "SGN003",
    "hold with `unsafe` lets an unverified build through",
    """A hold with `unsafe: true` is how people break the glass: its build runs although it does not verify. That is told in
every plan until the hold is released.

Fix: `fleet release NAME` as soon as a build that verifies is there.""",
)
CODES: tuple[Code, ...] = (NO_KEY, UNVERIFIED, LET_THROUGH)
