"""A plan as versioned JSON, and what of a saved one binds an apply."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, assert_never

from reconciler.model.findings import Finding
from reconciler.model.graph import Graph
from reconciler.model.plan import FORMAT_VERSION, Block, Change, Create, Delete, Effect, Plan, Rebuild, Roll, Step, Update, step_id
from reconciler.shell.report.plan_header import header_of
from reconciler.shell.report.plan_summary import summary
from reconciler.shell.report.plan_values import redacted, without_password


def plan_json(plan: Plan, graph: Graph | None = None, *, place: str = "", against: str = "") -> str:
    """The plan as `docs/reference/plan-json.md` describes it. Only ASCII: nothing in it can move a cursor."""
    header = header_of(graph, place=place, against=against) if graph is not None else None
    value: dict[str, Any] = {
        "formatVersion": FORMAT_VERSION,
        "hash": plan.hash,
        "environment": plan.environment,
        "revision": plan.revision,
        "dirty": plan.dirty,
        **({"fleet": header.fleet, "target": header.target, "simulated": header.simulated} if header else {}),
        **({"against": against} if against else {}),
        "summary": {_camel(name): count for name, count in asdict(summary(plan)).items()},
        "steps": [_step(step) for step in plan.steps],
        "effects": [_effect(effect) for effect in plan.effects],
        "notes": [{"note": str(note.kind), "resource": str(note.resource), "text": without_password(note.text)} for note in plan.notes],
        "findings": [_finding(finding) for finding in plan.findings],
    }
    return json.dumps(value, indent=2, default=str) + "\n"


def read_hash(text: str | bytes) -> tuple[str, str]:
    """(hash, environment) of a saved plan. Raises ValueError with the end of a sentence where it is none that we can read."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(value, dict) or not isinstance(value.get("formatVersion"), str):
        raise ValueError("it has no formatVersion")  # noqa: TRY004 - one exception for whatever is no plan
    major = value["formatVersion"].partition(".")[0]
    if major != FORMAT_VERSION.partition(".")[0]:
        raise ValueError(f"its format {value['formatVersion']} is not one that this version reads ({FORMAT_VERSION})")
    found, environment = value.get("hash"), value.get("environment")
    if not (isinstance(found, str) and found and isinstance(environment, str) and environment):
        raise ValueError("it has no hash or no environment")
    if "against" in value:
        raise ValueError("it compares two revisions and was never made for a target")
    return found, environment


def _step(step: Step) -> dict[str, Any]:
    told: dict[str, Any]
    match step:
        case Create(manifest=manifest, because=because, adopts=adopts):
            told = _written("create", str(manifest.owner), manifest.stage.name, manifest.wave, because) | _if("adopts", list(adopts))
        case Update(manifest=manifest, because=because):
            told = _written("update", str(manifest.owner), manifest.stage.name, manifest.wave, because)
            told |= {"changes": [_change(change) for change in step.changes]}
            told |= _if("strips", list(step.strips)) | _if("guarded", step.guarded)
        case Delete(owner=owner, stage=stage, because=because):
            told = _written("delete", owner, stage.name, None, because) | _if("guarded", step.guarded)
        case Block(owner=owner, stage=stage, wave=wave, reason=reason):
            told = _written("block", owner, stage.name, wave, (reason,)) | _if("fix", step.fix) | _if("conflict", step.conflict)
        case _:
            assert_never(step)
    return {"id": str(step_id(step)), **told}


def _written(action: str, resource: str, stage: str, wave: int | None, because: tuple[str, ...]) -> dict[str, Any]:
    told = {"action": action, "resource": resource, "stage": stage.lower()}
    return told | ({"wave": wave} if wave is not None else {}) | {"because": [without_password(reason) for reason in because]}


def _if(key: str, value: Any) -> dict[str, Any]:
    return {key: value} if value else {}


def _change(change: Change) -> dict[str, Any]:
    return {"path": change.path, "before": redacted(change.path, change.before), "after": redacted(change.path, change.after)}


def _effect(effect: Effect) -> dict[str, Any]:
    match effect:
        case Rebuild(resource=resource, path=path):
            name = "rebuild"
        case Roll(resource=resource, path=path):
            name = "roll"
        case _:
            assert_never(effect)
    return {"effect": name, "resource": str(resource), "path": [str(ref) for ref in path]}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "path": finding.place.path,
        "line": finding.place.line,
        "column": finding.place.column,
        "pointer": "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in finding.place.pointer),
        "resource": str(finding.subject) if finding.subject else None,
        "message": finding.message,
        "fix": finding.fix,
    }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)
