"""Values of trust: what a signature and an attestation say, what a check of them finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from pipelines.model.oci import Pinned

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
"""Media type of a statement, and its payload type in an envelope (in-toto attestation framework, "Envelope")."""
CYCLONEDX = "application/vnd.cyclonedx+json"

PROVENANCE = "https://slsa.dev/provenance/v1"
VERDICT = "https://fleetwright.dev/verdict/v1"
SBOM = "https://cyclonedx.org/bom"
BUILD = "https://fleetwright.dev/build/v1"
"""The `buildType` of our provenance."""


class Malformed(ValueError):
    """A registry holds something that is not what its place says it is. Nothing of it is used."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope: what was signed, and (key id, signature) pairs. A key id is a hint that anybody can write."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """An in-toto statement: a predicate about what has these digests (`sha256:<hex>`)."""

    subjects: frozenset[str]
    predicate_type: str
    predicate: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class VerdictClaim:
    """What a gate decided about an image, as far as a verification looks at it: what was judged by what, and the outcome."""

    digest: str
    """Of the image's manifest."""
    sbom: str
    """Digest of the SBOM that was judged."""
    scanner: str
    """`trivy 0.76.0`."""
    database: str
    """When the scanner's database was made, RFC 3339."""
    policy: str
    """Digest of the gate's settings and waivers."""
    passed: bool
    provenance: str = ""
    """Digest of the statement of its provenance; empty where the verdict names none."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By what the gate makes of them (such as `fails`), how many vulnerabilities of each severity."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be verified: a build that the lock names."""

    image: str
    at: Pinned
    verdict: str = ""
    """Digest of the statement of its verdict, where the lock has one."""
    sbom: str = ""
    """Digest of its SBOM, where the lock has one."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Signed by a key that counts today; the gate's verdict is a pass; the SBOM is there."""

    key: str
    """Name of the key in `fleet.yaml`."""
    verdict: VerdictClaim


@dataclass(frozen=True, slots=True)
class Absent:
    """The registry has no such manifest."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """There is no signature at all, or none by a key pair."""


@dataclass(frozen=True, slots=True)
class WrongKey:
    """Signed, but by none of the trusted keys."""

    what: str
    """`signature` or `verdict`."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Signed by a key that no longer counts."""

    key: str
    until: date


@dataclass(frozen=True, slots=True)
class Early:
    """Signed by a key that does not count yet."""

    key: str
    since: date


@dataclass(frozen=True, slots=True)
class OtherDigest:
    """A trusted key signed it, for another image: somebody copied it here."""

    what: str
    digest: str
    """What it was signed for."""


@dataclass(frozen=True, slots=True)
class Tampered:
    """What is there is not what was put there."""

    what: str


@dataclass(frozen=True, slots=True)
class Unattested:
    """The image is signed, and something that must come with it is not there."""

    what: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A trusted key says that the gate refused it."""

    verdict: VerdictClaim


@dataclass(frozen=True, slots=True)
class Unchecked:
    """The registry gave no answer that says anything. Not a pass."""

    reason: str


Verification = (
    Verified | Absent | Unsigned | WrongKey | Expired | Early | OtherDigest | Tampered | Unattested | Refused | Unchecked
)  # fmt: skip
