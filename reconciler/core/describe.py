"""Describe a happening: its name for programs, a sentence for people, how grave it is, and its fields as JSON has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, assert_never

from reconciler.model.happenings import (
    ApprovalNeeded,
    BuildPutBack,
    ConditionChanged,
    ConflictFound,
    DriftRepaired,
    Happening,
    LeaseChanged,
    PauseChanged,
    RunBegan,
    RunEnded,
    SourceChanged,
    SourceState,
    VulnerabilitiesFound,
)
from reconciler.model.manifests import ObjectId
from reconciler.model.projection import READY
from reconciler.model.refs import Ref
from reconciler.model.result import Ending
from reconciler.model.secrecy import redacted
from reconciler.model.value import dataclass

SHORT = 7
"""Digits of a commit that people see."""
_QUIET = frozenset({Ending.COMPLETED, Ending.STALE, Ending.LOCKED, Ending.CANCELLED, Ending.PAUSED})


class Gravity(IntEnum):
    """How much it matters; the numbers are those of Python's levels of logging."""

    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class Description:
    """A happening in words."""

    name: str
    """For programs: `run.ended`."""
    gravity: Gravity
    sentence: str


def describe(happening: Happening) -> Description:
    """What happened."""
    match happening:
        case SourceChanged() | LeaseChanged() | PauseChanged():
            return _surroundings(happening)
        case RunBegan(revision=revision, because=because):
            return Description("run.began", Gravity.INFO, f"run for {short(revision)} began: {because}")
        case RunEnded():
            return Description("run.ended", _gravity(happening.ending), outcome(happening))
        case DriftRepaired():
            return Description("drift.repaired", Gravity.WARNING, _repair(happening))
        case ConditionChanged():
            return Description("condition.changed", _of_condition(happening), condition(happening))
        case ConflictFound(id=id, managers=managers):
            told = f"{id} is fought over with {', '.join(managers) or 'somebody unknown'}; it is left alone for a while"
            return Description("conflict.found", Gravity.WARNING, told)
        case ApprovalNeeded(hash=hash, message=message):
            return Description("approval.needed", Gravity.WARNING, f"{message} (waits for the approval of {hash})")
        case BuildPutBack(ref=ref, failed=failed, message=message):
            return Description("build.put_back", Gravity.WARNING, f"{ref}: {failed} is given up; it is {message}")
        case VulnerabilitiesFound(passed=passed, message=message):
            return Description("vulnerabilities.found", Gravity.WARNING if passed else Gravity.ERROR, message)
        case _:
            assert_never(happening)


def as_json(happening: Happening) -> Mapping[str, Any]:
    """Its fields with names and values that JSON has, without tokens and passwords."""
    return {field.name: _plain(getattr(happening, field.name)) for field in fields(happening)}


def outcome(run: RunEnded) -> str:
    """How a run ended: `9f3c2ab completed: 2 created, 1 updated`."""
    counts = {"created": run.created, "updated": run.updated, "deleted": run.deleted, "failed": run.failed}
    done = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing to do"
    told = f"{short(run.revision)} {run.ending}: {done}"
    return f"{told}. {run.message}" if run.message else told


def condition(changed: ConditionChanged) -> str:
    """`Service/platform/web is not Ready (Crashing): ...`."""
    words = {"True": "is", "False": "is not"}.get(changed.status, "may be")
    told = f"{changed.ref} {words} {changed.type} ({changed.reason})"
    return f"{told}: {changed.message}" if changed.message else told


def short(revision: str) -> str:
    """A commit as people see it."""
    return revision[:SHORT] or "no commit"


def _surroundings(happening: SourceChanged | LeaseChanged | PauseChanged) -> Description:
    match happening:
        case SourceChanged(state=state, revision=revision, message=message):
            told = f"the repository is {state} at {short(revision)}" + (f": {message}" if message else "")
            return Description("source.changed", Gravity.INFO if state is SourceState.FOLLOWED else Gravity.WARNING, told)
        case LeaseChanged(held=held, holder=holder):
            told = f"{holder} leads" if held else "this operator leads no more" + (f"; {holder} does" if holder else "")
            return Description("lease.changed", Gravity.INFO if held else Gravity.WARNING, told)
        case PauseChanged(what=what, until=until, paused=paused):
            end = f" until {moment(until)}" if until else ""
            return Description("pause.changed", Gravity.INFO, f"{what} is paused{end}" if paused else f"{what} goes on")
        case _:
            assert_never(happening)


def _repair(drift: DriftRepaired) -> str:
    if not drift.fields:
        return f"{drift.id} was gone and is back"
    who = f" by {', '.join(drift.managers)}" if drift.managers else ""
    return f"{drift.id} was changed{who} and is as applied again: {', '.join(drift.fields)}"


def _gravity(ending: Ending) -> Gravity:
    if ending in _QUIET:
        return Gravity.INFO
    return Gravity.WARNING if ending is Ending.HELD else Gravity.ERROR


def _of_condition(changed: ConditionChanged) -> Gravity:
    if changed.type in {"Ready", "Progressing"}:
        return Gravity.WARNING if changed.type == READY and changed.status == "False" else Gravity.INFO
    return Gravity.WARNING if changed.status == "True" else Gravity.INFO


def moment(when: datetime) -> str:
    """RFC 3339, in UTC."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    match value:
        case ObjectId() | Ref():
            return str(value)
        case datetime():
            return moment(value)
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case tuple() | list():
            return [_plain(inner) for inner in value]
        case str():
            return redacted(str(value))
        case _:
            return value
