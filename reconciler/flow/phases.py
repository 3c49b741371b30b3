"""Phases of a run: each writes its steps side by side, and none begins once something failed or somebody asked to stop."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.health import waits
from reconciler.core.waves import Write
from reconciler.flow.account import Account
from reconciler.flow.fan import Stop, fan
from reconciler.flow.writing import remove, write
from reconciler.model.manifests import Stage
from reconciler.model.plan import Delete
from reconciler.ports import Cluster, Progress


class Phases:
    """Writes and deletes for one run, and keeps its account."""

    def __init__(self, cluster: Cluster, progress: Progress, stop: Stop, account: Account, revision: str) -> None:
        self._cluster, self._progress, self._stop = cluster, progress, stop
        self._account, self._revision = account, revision

    def is_over(self) -> bool:
        """Whether nothing more may be written."""
        return self._stop.is_set() or self._account.has_failed()

    async def write(self, name: str, steps: Iterable[Write]) -> None:
        """Applies these: what workloads stand on first, then the workloads."""
        steps = tuple(steps)
        if not steps or self.is_over():
            return
        self._progress.phase(name, len(steps))
        await fan([step for step in steps if not waits(step.manifest.body)], self._write, self._stop)
        if not self.is_over():
            await fan([step for step in steps if waits(step.manifest.body)], self._write, self._stop)

    async def remove(self, name: str, steps: Iterable[Delete]) -> None:
        """Deletes these, namespaces last."""
        steps = tuple(steps)
        if not steps or self.is_over():
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
