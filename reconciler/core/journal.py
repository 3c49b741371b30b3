"""The journal: what an operator tells of itself in its target, for people who have a kubeconfig and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, field
from typing import Any, TypeVar

import orjson

from reconciler.model.fleet import SYSTEM_NAMESPACE
from reconciler.model.graph import Graph
from reconciler.model.manifests import MANAGED_BY, MANAGER, Body, ObjectId, Observed
from reconciler.model.value import dataclass

RUNS = 20
"""Runs, and builds that were put back, that it remembers; the ledger has all runs."""
_LONGEST = 2000
_PLAIN, _LISTS, _TABLES = ("holder", "source", "revision", "message"), ("asked", "fallen", "runs"), ("lasting", "consents")

T = TypeVar("T")


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
class Asked:
    """What waits for a person."""

    hash: str
    """What an approval names: of a plan, a part of it, a wave; or a commit."""
    question: str


@dataclass(frozen=True, slots=True)
class Fallen:
    """A build that was put back."""

    at: str
    what: str
    """`Service/platform/web`."""
    message: str


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
    asked: tuple[Asked, ...] = ()
    fallen: tuple[Fallen, ...] = ()
    """The newest first."""
    runs: tuple[RunEntry, ...] = ()
    """The newest first."""
    lasting: Mapping[str, str] = field(default_factory=dict)
    """Of each file that is broken now the commit at which it was good last."""
    consents: Mapping[str, str] = field(default_factory=dict)
    """Of each resource that goes on though the policy blocks it, the hash of what a person has agreed to."""

    def with_run(self, run: RunEntry) -> tuple[RunEntry, ...]:
        """The runs, one more, or the same one further on."""
        return (run, *(one for one in self.runs if one.id != run.id))[:RUNS]


def journal_id(graph: Graph) -> ObjectId:
    """Where it is kept."""
    return ObjectId("", "ConfigMap", SYSTEM_NAMESPACE, f"operator-{graph.fleet.name}.{graph.environment.name}")


def encode(id: ObjectId, journal: Journal) -> Body:
    """The ConfigMap. It has no label of the environment: it is no part of what is applied."""
    said = {name: getattr(journal, name) for name in _PLAIN}
    lists = {name: "\n".join(orjson.dumps(_cut(asdict(one))).decode() for one in getattr(journal, name)) for name in _LISTS}
    tables = {name: _dumped(getattr(journal, name)) for name in _TABLES}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": id.name, "namespace": id.namespace, "labels": {MANAGED_BY: MANAGER}},
        "data": {name: text for name, text in {**said, **lists, **tables}.items() if text},
    }


def decode(standing: Observed | None) -> Journal:
    """What a ConfigMap says; empty where there is none, without lines that are none of ours."""
    data: Mapping[str, str] = (standing.body.get("data") or {}) if standing is not None else {}
    return Journal(
        **{name: data.get(name, "") for name in _PLAIN},
        asked=tuple(_read(data.get("asked", ""), Asked)),
        fallen=tuple(_read(data.get("fallen", ""), Fallen)),
        runs=tuple(_read(data.get("runs", ""), RunEntry)),
        lasting=_table(data.get("lasting", "")),
        consents=_table(data.get("consents", "")),
    )


def _read(lines: str, type: Callable[..., T]) -> Iterator[T]:
    for line in lines.splitlines():
        try:
            yield type(**orjson.loads(line))
        except (ValueError, TypeError):
            continue


def _dumped(table: Mapping[str, str]) -> str:
    return orjson.dumps(dict(table), option=orjson.OPT_SORT_KEYS).decode() if table else ""


def _table(text: str) -> Mapping[str, str]:
    try:
        found = orjson.loads(text or "{}")
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _cut(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in entry.items()}
