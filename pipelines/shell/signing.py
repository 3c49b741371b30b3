"""Signing: the private key of a command, the keys that a fleet trusts, and how signing goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.flow.trusted import Trusted, trusted
from pipelines.ports import PrivateKey
from reconciler.model.fleet import Environment
from reconciler.shell import variables
from reconciler.shell.aside import aside
from reconciler.shell.exits import Exit
from reconciler.shell.interrupts import asking
from reconciler.shell.refusal import Refusal

if TYPE_CHECKING:
    from pipelines.adapters.keys import EcPrivateKey

PEM = "-----BEGIN"


def trusted_keys(where: Environment) -> tuple[Trusted, ...]:
    """The keys that an environment trusts. Refuses one that is none after all."""
    from pipelines.adapters.keys import BadKey, public_key

    try:
        return trusted(where.signing, public_key)
    except BadKey as bad:
        raise Refusal(f"a key under `signing` in fleet.yaml: {bad}", bad.fix, Exit.FINDINGS) from None


def signing_key(file: Path | None, where: Environment, today: date) -> PrivateKey:
    """The key of `--key`, else of FLEET_SIGNING_KEY: a file or the PEM itself. Refuses where there is none, or one that nobody trusts."""
    key = _read(file, os.environ.get(variables.SIGNING_KEY, "").strip())
    known = [one for one in trusted_keys(where) if one.key.fingerprint == key.fingerprint]
    if not known:
        raise Refusal(
            f"{where.name} does not trust this key ({key.fingerprint[:19]}): what it signs would not verify",
            "put its public part under `signing.keys` in fleet.yaml first (docs/how-to/signing-keys.md)",
            Exit.FINDINGS,
        )
    if not any(one.since <= today <= one.until for one in known):
        aside(f"warning: {known[0].name} counts from {known[0].since} to {known[0].until}, not today")
    return key


def passphrase(question: str, *, twice: bool = False) -> bytes | None:
    """The passphrase of FLEET_SIGNING_PASSPHRASE, else what somebody types; None where nobody can be asked."""
    given = os.environ.get(variables.SIGNING_PASSPHRASE)
    if given is not None:
        return given.encode()
    if not sys.stdin.isatty():
        return None
    with asking():
        typed: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True, confirmation_prompt=twice)
    return typed.encode()


def _read(file: Path | None, given: str) -> EcPrivateKey:
    from pipelines.adapters.keys import BadKey, private_key, read_private_key

    if file is None and not given:
        raise Refusal("there is no key to sign with", f"give --key FILE, or {variables.SIGNING_KEY}: a file, or the PEM itself", Exit.USAGE)

    def opened(word: bytes) -> EcPrivateKey:
        if file is None and given.startswith(PEM):
            return private_key(given.encode(), word)
        key, warning = read_private_key(file or Path(given), word)
        if warning:
            aside(f"warning: {warning}")
        return key

    try:
        if os.environ.get(variables.SIGNING_PASSPHRASE) is None:
            try:
                return opened(b"")
            except BadKey:  # perhaps it is locked
                if not sys.stdin.isatty():
                    raise
        return opened(passphrase("Passphrase of the signing key") or b"")
    except BadKey as bad:
        fix = bad.fix or f"{variables.SIGNING_PASSPHRASE} has its passphrase"
        raise Refusal(f"the signing key cannot be used: {bad}", fix, Exit.USAGE) from None


def require_keys(keys: Sequence[Trusted], where: Environment) -> None:
    """Refuses where no key is trusted at all: nothing could verify."""
    if not keys:
        raise Refusal(
            f"{where.name} trusts no key, so nothing can verify",
            "`fleet images keys new NAME` makes one; its public part goes under `signing.keys` in fleet.yaml",
            Exit.USAGE,
        )
