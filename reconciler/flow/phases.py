"""Phases of a run: each writes its steps side by side, and none begins once something failed or somebody asked to stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.core.health import waits
from reconciler.core.waves import Write
from reconciler.flow.account import Account
from reconciler.flow.fan import Stop, fan
from reconciler.flow.planning import Planned
from reconciler.flow.writing import remove, write
from reconciler.model.answers import Refused
from reconciler.model.manifests import ObjectId, Stage
from reconciler.model.plan import Delete
from reconciler.model.result import Outcome, Status
from reconciler.ports import Cluster, Progress


class Phases:
    """Writes and deletes for one run, and keeps its account."""

    def __init__(self, cluster: Cluster, progress: Progress, stop: Stop, account: Account, revision: str, *, isolate: bool = False) -> None:
        self._cluster, self._progress, self._stop = cluster, progress, stop
        self._account, self._revision, self._isolate = account, revision, isolate

    def is_over(self) -> bool:
        """Whether nothing more may be written."""
        return self._stop.is_set() or (self._account.has_failed() and not self._isolate)

    def set_aside(self, planned: Planned, refused: Mapping[ObjectId, Refused]) -> bool:
        """Leaves out the owners of what a preflight refused, where each owner stands for itself; whether it did."""
        if not self._isolate:
            return False
        for manifest in planned.desired:
            if answer := refused.get(manifest.id):
                why = f"{answer.status} {answer.reason}: {answer.message}"
                self._account.outcomes.append(Outcome(manifest.id, "create", Status.FAILED, why, str(manifest.owner)))
        return True

    async def write(self, name: str, steps: Iterable[Write]) -> None:
        """Applies these: what workloads stand on first, then the workloads."""
        steps = tuple(steps)
        if not steps or self.is_over():
            return
        self._progress.phase(name, len(steps))
        await fan(self._left([step for step in steps if not waits(step.manifest.body)]), self._write, self._stop)
        if not self.is_over():
            await fan(self._left([step for step in steps if waits(step.manifest.body)]), self._write, self._stop)

    def _left(self, steps: list[Write]) -> list[Write]:
        """Without owners of whom a write has failed: half of one is worse than none."""
        failed = {outcome.owner for outcome in self._account.outcomes if outcome.status is Status.FAILED} if self._isolate else set()
        return [step for step in steps if str(step.manifest.owner) not in failed]

    async def remove(self, name: str, steps: Iterable[Delete]) -> None:
        """Deletes these, namespaces last. Nothing is deleted where something failed before."""
        steps = tuple(steps)
        if not steps or self.is_over() or self._account.has_failed():
            return
        self._progress.phase(name, len(steps))
        for stage in (Stage.WORKLOADS, Stage.TENANCY, Stage.NAMESPACES):
            if self.is_over():
                return
            await fan([step for step in steps if step.stage is stage], self._remove, self._stop)

    async def _write(self, step: Write) -> None:
        outcome, uid = await write(self._cluster, step, self._revision)
        self._account.outcomes.append(outcome)
        if uid:
            self._account.uids[step.manifest.id] = uid
        self._progress.step(outcome.id, outcome.reason or outcome.action + "d")

    async def _remove(self, step: Delete) -> None:
        outcome = await remove(self._cluster, step)
        self._account.outcomes.append(outcome)
        self._progress.step(outcome.id, outcome.reason or "deleted")
