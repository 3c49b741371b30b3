"""Findings: what is wrong or worth knowing, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from reconciler.model.refs import Ref
from reconciler.model.value import dataclass

Pointer = tuple[str | int, ...]


class Severity(StrEnum):
    """How much a finding matters: only an error stops an apply."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a finding stands. Lines and columns count from 1; 0 means the file as a whole."""

    path: str
    line: int = 0
    column: int = 0
    pointer: Pointer = ()

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `message` says what is wrong, `fix` what to do."""

    code: str
    severity: Severity
    place: Place
    subject: Ref | None
    message: str
    fix: str = ""

    @property
    def is_error(self) -> bool:
        """An error refuses `apply` and fails `lint`."""
        return self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class Code:
    """A finding's code: three letters and three digits, never reused. `about` is what `fleet explain` prints."""

    id: str
    severity: Severity
    title: str
    about: str = ""

    def at(self, place: Place, message: str, fix: str = "", subject: Ref | None = None) -> Finding:
        """The finding of this code at `place`."""
        return Finding(self.id, self.severity, place, subject, message, fix)


def error(code: str, title: str, about: str = "") -> Code:
    """A code whose findings are errors."""
    return Code(code, Severity.ERROR, title, about)


def warning(code: str, title: str, about: str = "") -> Code:
    """A code whose findings are warnings."""
    return Code(code, Severity.WARNING, title, about)


_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by place, each once, errors before warnings at the same place."""
    return tuple(
        sorted(dict.fromkeys(findings), key=lambda f: (f.place.path, f.place.line, f.place.column, _RANK[f.severity], f.code, f.message))
    )


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Only the errors."""
    return tuple(f for f in findings if f.is_error)
