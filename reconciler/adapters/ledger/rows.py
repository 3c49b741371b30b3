"""Rows of the ledger from values, and back."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import RowMapping

from reconciler.model.findings import Finding, Place, Severity
from reconciler.model.plan import Block, Create, Delete, Plan, Step, Update, step_id
from reconciler.model.refs import Ref
from reconciler.model.result import Outcome, Proof, Status
from reconciler.ports import RunRecord, RunState, StepRecord, StepState

_STATES = {Status.FAILED: StepState.FAILED, Status.SKIPPED: StepState.CANCELLED, Status.BLOCKED: StepState.BLOCKED}
_PROOFS = {Proof.GIVEN: StepState.COMPLETED, Proof.AWAITED: StepState.NEEDS_QA, Proof.FAILED: StepState.FAILED}


def run_row(run: RunRecord) -> dict[str, Any]:
    """A run as a row."""
    return {
        "id": run.id,
        "environment": run.environment,
        "revision": run.revision,
        "plan_hash": run.plan_hash,
        "state": run.state.value,
        "started": run.started,
        "ended": run.ended,
        "author": run.author[:400],
        "summary": dict(run.summary),
        "message": run.message,
    }


def run_of(row: RowMapping) -> RunRecord:
    """A run from a row."""
    return RunRecord(
        id=row["id"],
        environment=row["environment"],
        revision=row["revision"],
        plan_hash=row["plan_hash"] or "",
        state=RunState(row["state"]),
        started=row["started"],
        ended=row["ended"],
        author=row["author"],
        summary=row["summary"],
        message=row["message"],
    )


def plan_row(plan: Plan, run: RunRecord) -> dict[str, Any]:
    """A plan as a row: what it would do, counted."""
    return {
        "hash": plan.hash,
        "environment": plan.environment,
        "revision": run.revision,
        "dirty": plan.dirty,
        "summary": dict(Counter(_action(step)[0] for step in plan.steps)),
        "made": run.started,
    }


def step_rows(plan: Plan, run: RunRecord) -> list[dict[str, Any]]:
    """The steps of a plan, none of them done yet."""
    rows = []
    for position, step in enumerate(plan.steps):
        action, owner, state, reason = _action(step)
        rows.append(_step_row(run, position, str(step_id(step)), action, owner, state, reason))
    return rows


def outcome_row(run: RunRecord, position: int, outcome: Outcome) -> dict[str, Any]:
    """What became of a step."""
    state = _PROOFS[outcome.proof] if outcome.status is Status.DONE else _STATES[outcome.status]
    return _step_row(run, position, str(outcome.id), outcome.action, outcome.owner, state, outcome.reason)


def _step_row(run: RunRecord, position: int, id: str, action: str, owner: str, state: StepState, reason: str) -> dict[str, Any]:
    return {
        "run": run.id,
        "position": position,
        "object": id[:1000],
        "action": action,
        "owner": owner[:400],
        "status": state.value,
        "reason": reason,
    }


def _action(step: Step) -> tuple[str, str, StepState, str]:
    match step:
        case Create(manifest=manifest):
            return "create", str(manifest.owner), StepState.PENDING, ""
        case Update(manifest=manifest):
            return "update", str(manifest.owner), StepState.PENDING, ""
        case Delete(owner=owner):
            return "delete", owner, StepState.PENDING, ""
        case Block(owner=owner, reason=reason):
            return "block", owner, StepState.BLOCKED, reason


def step_of(row: RowMapping) -> StepRecord:
    """A step from a row."""
    return StepRecord(row["object"], row["action"], StepState(row["status"]), row["reason"], row["owner"])


def finding_rows(plan: Plan, run: RunRecord) -> list[dict[str, Any]]:
    """The findings of a plan."""
    return [
        {
            "run": run.id,
            "position": position,
            "code": finding.code,
            "severity": finding.severity.value,
            "path": finding.place.path[:2000],
            "line": finding.place.line,
            "column": finding.place.column,
            "subject": list(finding.subject) if finding.subject else None,
            "message": finding.message,
            "fix": finding.fix,
        }
        for position, finding in enumerate(plan.findings)
    ]


def finding_of(row: RowMapping) -> Finding:
    """A finding from a row. Its pointer is not kept."""
    subject = Ref(*row["subject"]) if row["subject"] else None
    place = Place(row["path"], row["line"], row["column"])
    return Finding(row["code"], Severity(row["severity"]), place, subject, row["message"], row["fix"])
