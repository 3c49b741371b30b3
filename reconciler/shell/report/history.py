"""History for people and for programs."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import orjson

from reconciler.ports import RunDetail, RunRecord, StepState
from reconciler.shell.report.plan_escape import visible

_COLUMNS = "{:<14}{:<18}{:<12}{:<20}{:>8}  {:<11}{}"


def history_text(runs: tuple[RunRecord, ...]) -> str:
    """A table, a line a run."""
    if not runs:
        return "No runs yet.\n"
    lines = [_COLUMNS.format("run", "environment", "revision", "started (UTC)", "took", "state", "by")]
    lines += [
        _COLUMNS.format(run.id, run.environment, run.revision[:7], f"{run.started:%Y-%m-%d %H:%M:%S}", _took(run), run.state, run.author)
        for run in runs
    ]
    return "\n".join(visible(line).rstrip() for line in lines) + "\n"


def run_text(detail: RunDetail) -> str:
    """One run: how it ended, then its steps, those that went wrong with their reason."""
    run = detail.run
    counts = Counter(step.state for step in detail.steps)
    lines = [
        f"run {run.id}: {run.state}, {run.environment} at {run.revision[:7]}, by {run.author}",
        f"started {run.started:%Y-%m-%d %H:%M:%S} UTC, took {_took(run)}",
        *run.message.splitlines(),
        "",
        ", ".join(f"{counts[state]} {state}" for state in StepState if counts[state]) or "no steps",
    ]
    lines += [f"  {step.state:<10} {step.action:<7} {step.object}" + (f": {step.reason}" if step.reason else "") for step in detail.steps]
    lines += [f"  {finding.place}: {finding.severity}[{finding.code}] {finding.message}" for finding in detail.findings]
    return "\n".join(visible(line) for line in lines) + "\n"


def history_json(runs: tuple[RunRecord, ...]) -> str:
    """Versioned JSON."""
    return _json({"formatVersion": "1.0", "runs": [_run(run) for run in runs]})


def run_json(detail: RunDetail) -> str:
    """Versioned JSON of one run."""
    steps = [
        {"object": step.object, "action": step.action, "state": step.state, "reason": step.reason, "owner": step.owner}
        for step in detail.steps
    ]
    return _json({"formatVersion": "1.0", "run": _run(detail.run), "steps": steps})


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "id": run.id,
        "environment": run.environment,
        "revision": run.revision,
        "planHash": run.plan_hash,
        "state": run.state,
        "started": run.started.isoformat(),
        "ended": run.ended.isoformat() if run.ended else None,
        "author": run.author,
        "summary": dict(run.summary),
        "message": run.message,
    }


def _took(run: RunRecord) -> str:
    return f"{_seconds(run.started, run.ended):.1f} s" if run.ended else "-"


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"
