"""Signatures: whether a commit is signed by a key that the fleet trusts, by `git verify-commit`, ssh-keygen and gpg."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from reconciler.adapters.git.bare import Bare
from reconciler.adapters.git.child import Bounds, run
from reconciler.adapters.git.process import GitFailed
from reconciler.core.paths import shown
from reconciler.model.fleet import Verify
from reconciler.ports import SourceUnavailable, Unverified

_SIGNED = re.compile(rb"^gpgsig(?:-sha256)? ", re.MULTILINE)
_AUTHOR = re.compile(rb"^author (.*) -?\d+ [+-]\d+$", re.MULTILINE)
_KEY = re.compile(r"key (SHA256:[A-Za-z0-9+/=]+)|\[GNUPG:\] (?:NO_PUBKEY|ERRSIG) ([0-9A-F]+)")
_OLD = re.compile(r"\[GNUPG:\] (EXPKEYSIG|EXPSIG|REVKEYSIG)")
_FORGED = re.compile(r"BADSIG|incorrect signature|signature verification failed", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._@+-]")
_FIX = "sign it with a trusted key, or add the key to source.verify by a commit that is signed by one; fleet apply trusts who runs it"
_GPG_SECONDS = 30


def require_signed(git: Bare, commit: str, keys: Verify) -> None:
    """Raises Unverified, saying which commit and whose, unless one of the keys signed it; SourceUnavailable where that cannot be told."""
    with tempfile.TemporaryDirectory(prefix="fleet-keys-") as folder:
        home = Path(folder)
        signers = home / "signers"
        signers.write_text("".join(_signer(key, place) for place, key in enumerate(keys.ssh)))
        _import(home, keys.gpg)
        settings = (
            ("gpg.ssh.allowedSignersFile", str(signers)),
            ("gpg.x509.program", "false"),
        )
        try:
            git.check("verify-commit", "--raw", commit, settings=settings, environment={"GNUPGHOME": folder})
        except GitFailed as fault:
            _refuse(git, commit, str(fault))


def _signer(key: str, place: int) -> str:
    """A line of an allowed-signers file (ssh-keygen(1), ALLOWED SIGNERS); the key's comment says who it is."""
    kind, data, *comment = key.split(maxsplit=2)
    who = _UNSAFE.sub("-", comment[0])[:100].lstrip("-") if comment else ""
    return f'{who or f"key-{place + 1}"} namespaces="git" {kind} {data}\n'


def _import(home: Path, keys: tuple[str, ...]) -> None:
    if not keys:
        return
    environment = {"PATH": os.environ.get("PATH", os.defpath), "GNUPGHOME": str(home), "HOME": str(home), "LC_ALL": "C"}
    command = ("gpg", "--batch", "--no-tty", "--quiet", "--no-autostart", "--import")
    try:
        run(command, environment, Bounds(time.monotonic() + _GPG_SECONDS), stdin="\n".join(keys).encode())
    except GitFailed as fault:
        said = shown(str(fault).partition("\n")[0])
        raise SourceUnavailable(f"a gpg key of source.verify is not taken: {said}", "gpg --armor --export KEY writes one") from None


def _refuse(git: Bare, commit: str, said: str) -> NoReturn:
    if "cannot run" in said or "cannot exec" in said or "needs git version" in said:
        raise SourceUnavailable(
            f"the signature of commit {commit[:12]} cannot be checked: {shown(said)[:200]}", "install gpg and ssh-keygen"
        )
    raw = git.read("cat-file", "commit", commit, most=16 << 20).partition(b"\n\n")[0]
    author = _AUTHOR.search(raw)
    who = f"commit {commit[:12]} of {shown(author[1].decode(errors='replace'))[:200] if author else 'nobody'}"
    if not _SIGNED.search(raw):
        raise Unverified(f"{who} is not signed", _FIX)
    if _FORGED.search(said):
        raise Unverified(f"{who} is not what was signed: its signature is wrong", _FIX)
    if _OLD.search(said):
        raise Unverified(f"{who} is signed by a key that has expired or was revoked", _FIX)
    key = _KEY.search(said)
    name = f" {key[1] or key[2]}" if key else ""
    raise Unverified(f"{who} is signed by a key{name} that source.verify does not name", _FIX)
