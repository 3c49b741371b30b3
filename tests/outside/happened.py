"""Happenings and vitals as tests want them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from reconciler.model.happenings import ConditionChanged, DriftRepaired, RunBegan, RunEnded, Vitals
from reconciler.model.manifests import ObjectId
from reconciler.model.refs import Ref
from reconciler.model.result import Ending

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
COMMIT = "9f3c2ab" + "0" * 33
WEB = Ref("Service", "web", "platform")
DEPLOYMENT = ObjectId("apps", "Deployment", "platform", "web")


def began(revision: str = COMMIT, because: str = "commit", run: str = "r1") -> RunBegan:
    return RunBegan(run, revision, because)


def ended(ending: Ending = Ending.COMPLETED, revision: str = COMMIT, run: str = "r1", message: str = "", **counts: int) -> RunEnded:
    return RunEnded(run, revision, ending, message, {"read": 0.25, "plan": 0.5, "apply": 1.0, "project": 0.25}, **counts)


def drift(name: str = "web", *fields: str, managers: tuple[str, ...] = ("kubectl-edit",)) -> DriftRepaired:
    return DriftRepaired(DEPLOYMENT._replace(name=name), WEB._replace(name=name), fields or ("/spec/replicas",), managers, 0.12)


def condition(name: str, type: str, status: str, reason: str = "Crashing", message: str = "", before: str = "True") -> ConditionChanged:
    return ConditionChanged(WEB._replace(name=name), "platform", type, before, status, reason, message)


def vitals(**changed) -> Vitals:
    usual = {
        "beat": 0.5, "leading": True, "revision": COMMIT, "source_age": 12.0, "success_age": 34.0, "queue": 3, "queue_age": 1.5, "holds": 2,
        "held_guards": 4, "paused": 1, "caches": True, "ready": {("Service", "Healthy"): 17, ("Service", "Crashing"): 1},
    }  # fmt: skip
    return Vitals(**usual | changed)


NEVER = math.inf
