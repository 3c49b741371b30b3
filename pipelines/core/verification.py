"""Verification in words: what a verification found, as the end of a sentence about an image, and what to do about it."""

from __future__ import annotations

from typing import assert_never

from pipelines.model.trust import (
    Absent,
    Early,
    Expired,
    OtherDigest,
    Refused,
    Tampered,
    Unattested,
    Unchecked,
    Unsigned,
    Verification,
    Verified,
    WrongKey,
)


def sentence(of: Verification) -> tuple[str, str]:  # noqa: C901  one case a result
    """What is so, and what to do about it (nothing where it is good)."""
    match of:
        case Verified(key=key, verdict=verdict):
            return f"is signed by {key} and passed {verdict.scanner} (database of {verdict.database})", ""
        case Absent():
            return "is not in the registry", "build it again, or take it out of the lock"
        case Unsigned():
            return "is not signed", "fleet images sign"
        case WrongKey(what=what):
            return f"has a {what} that no trusted key made", "find out who signed it; the keys are under `signing` in fleet.yaml"
        case Expired(key=key, until=until):
            return f"is signed by {key}, which counted until {until}", "fleet images sign, with a key that counts today"
        case Early(key=key, since=since):
            return f"is signed by {key}, which counts from {since} on", "sign it with a key that counts today as well"
        case OtherDigest(what=what, digest=digest):
            return f"has a {what} that was made for {digest[:19]}", "find out who put it there, then sign again"
        case Tampered(what=what):
            return f"was tampered with: {what}", "find out who can write to the registry, then build it again"
        case Unattested(what=what):
            return f"comes without {what}", "fleet images build judges it again; then sign it"
        case Refused(verdict=verdict):
            counts = ", ".join(f"{count} {name}" for name, count in verdict.counts.get("fails", {}).items() if count)
            return (
                f"did not pass the gate ({counts or 'by other than vulnerabilities'}; {verdict.scanner})",
                "fix or waive what was found, and build it again",
            )
        case Unchecked(reason=reason):
            return f"could not be checked: {reason}", "run it again when the registry answers"
        case _:
            assert_never(of)
