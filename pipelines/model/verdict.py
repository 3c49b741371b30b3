"""Verdicts: what a gate asks of an image, and what it said. There is no third word beside passed and failed; no verdict is an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from pipelines.model.vulnerability import Vulnerability


@dataclass(frozen=True, slots=True, order=True)
class Allowance:
    """A waiver and the image whose spec has it."""

    id: str
    image: str
    owner: str
    reason: str
    until: date
    packages: tuple[str, ...] = ()
    """Names of packages or of their sources; empty for all."""
    while_unfixed: bool = False
    """It is over as soon as there is a version without the vulnerability."""


@dataclass(frozen=True, slots=True, order=True)
class Statement:
    """What a VEX document says of a vulnerability in a product."""

    file: str
    ids: tuple[str, ...]
    """The vulnerability's name, then its aliases."""
    product: str
    """A package URL: of a package, or of an image that has it."""
    status: str
    """`not_affected`, `fixed`, `affected` or `under_investigation`."""
    because: str = ""
    said: str = ""
    """When, as the document has it (RFC 3339). The newest statement that matches decides."""
    packages: tuple[str, ...] = ()
    """Package URLs of parts of the product; empty when the product itself is meant."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What one image must pass."""

    fail_on: tuple[str, ...]
    unfixed: str
    """`fail` or `warn`."""
    allowances: tuple[Allowance, ...] = ()
    """Those of the image first, then those of what it starts from."""
    statements: tuple[Statement, ...] = ()
    """Oldest first."""
    faults: tuple[str, ...] = ()
    """Sentences about parts of the policy that cannot be read. With one of them nothing passes."""
    budget: int | None = None
    """Most bytes that all compressed layers may have together."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged."""

    image: str
    owners: Mapping[str, str] = field(default_factory=dict)
    """By diff_id, lowest layer first: the image of the hierarchy that brought it. What no one owns is the image's own."""
    size: int = 0
    """Bytes of all compressed layers."""


class Stance(StrEnum):
    """What a gate makes of one vulnerability."""

    FAILS = "fails"
    WARNS = "warns"
    WAIVED = "waived"
    UNAFFECTED = "unaffected"
    """A VEX statement says so."""
    PASSES = "passes"
    """Its severity is none that fails."""


class Use(StrEnum):
    """What became of a waiver."""

    USED = "used"
    UNUSED = "unused"
    EXPIRED = "expired"
    FIXED = "fixed"
    """It was for as long as there is no fix, and there is one."""
    TOO_LONG = "too-long"
    """It is for as long as there is no fix, and reaches further than such a waiver may."""


@dataclass(frozen=True, slots=True, order=True)
class Judged:
    """A vulnerability, who brought it, and what the gate makes of it."""

    vulnerability: Vulnerability
    owner: str
    stance: Stance
    because: str = ""
    """Which waiver or VEX file, or why none counts."""


@dataclass(frozen=True, slots=True, order=True)
class WaiverUse:
    """A waiver of this image's own spec, or an inherited one that was used or would have been."""

    allowance: Allowance
    use: Use


@dataclass(frozen=True, slots=True, order=True)
class Unmatched:
    """A VEX statement that matched nothing, and what comes nearest."""

    statement: Statement
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of an image on a day."""

    image: str
    day: date
    scanner: str
    database: str
    policy: str
    """Digest of the policy it was judged by."""
    judged: tuple[Judged, ...]
    waivers: tuple[WaiverUse, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    faults: tuple[str, ...] = ()
    size: int = 0
    budget: int | None = None

    @property
    def failing(self) -> tuple[Judged, ...]:
        """What fails it."""
        return tuple(one for one in self.judged if one.stance is Stance.FAILS)

    @property
    def is_too_large(self) -> bool:
        """Whether it is above its budget."""
        return self.budget is not None and self.size > self.budget

    @property
    def passed(self) -> bool:
        """Whether it may be deployed."""
        return not (self.failing or self.is_too_large or self.faults)
