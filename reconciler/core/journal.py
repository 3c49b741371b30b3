"""The journal: what an operator tells of itself in its target, for people who have a kubeconfig and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.graph import Graph
from reconciler.model.manifests import MANAGED_BY, MANAGER, Body, ObjectId, Observed

RUNS = 20
"""Runs that it remembers; the ledger has all."""
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run. Times are RFC 3339, in UTC."""

    id: str
    revision: str
    because: str
    began: str
    ended: str
    ending: str
    message: str
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Journal:
    """What stands there now."""

    holder: str = ""
    """The operator that writes it."""
    source: str = ""
    """State of the source: `followed`."""
    revision: str = ""
    """The newest commit that was found."""
    message: str = ""
    """What is wrong with the source."""
    asks: str = ""
    """The hash or commit that a person is asked to approve."""
    question: str = ""
    runs: tuple[RunEntry, ...] = ()
    """The newest first."""
    lasting: Mapping[str, str] = field(default_factory=dict)
    """Of each file that is broken now the commit at which it was good last."""

    def with_run(self, run: RunEntry) -> tuple[RunEntry, ...]:
        """The runs, one more, or the same one further on."""
        return (run, *(one for one in self.runs if one.id != run.id))[:RUNS]


def journal_id(graph: Graph) -> ObjectId:
    """Where it is kept."""
    return ObjectId("", "ConfigMap", SYSTEM_NAMESPACE, f"operator-{graph.fleet.name}.{graph.environment.name}")


def encode(id: ObjectId, journal: Journal) -> Body:
    """The ConfigMap. It has no label of the environment: it is no part of what is applied."""
    plain = {name: value for name, value in asdict(journal).items() if isinstance(value, str) and value}
    lines = [orjson.dumps(_cut(asdict(run))).decode() for run in journal.runs]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": id.name, "namespace": id.namespace, "labels": {MANAGED_BY: MANAGER}},
        "data": {**plain, "runs": "\n".join(lines), "lasting": orjson.dumps(journal.lasting, option=orjson.OPT_SORT_KEYS).decode()},
    }


def decode(standing: Observed | None) -> Journal:
    """What a ConfigMap says; empty where there is none, without lines that are none of ours."""
    data: Mapping[str, str] = (standing.body.get("data") or {}) if standing is not None else {}
    runs = tuple(_runs(data.get("runs", "").splitlines()))
    plain = {name: data.get(name, "") for name in ("holder", "source", "revision", "message", "asks", "question")}
    return Journal(**plain, runs=runs, lasting=_lasting(data.get("lasting", "")))


def _runs(lines: Iterable[str]) -> Iterable[RunEntry]:
    for line in lines:
        try:
            yield RunEntry(**orjson.loads(line))
        except (ValueError, TypeError):
            continue


def _lasting(text: str) -> Mapping[str, str]:
    try:
        found = orjson.loads(text or "{}")
    except ValueError:
        return {}
    return {str(path): str(commit) for path, commit in found.items()} if isinstance(found, dict) else {}


def _cut(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "message": entry["message"][:_LONGEST]}
