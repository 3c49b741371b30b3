"""Statuses: what passes, repairs and watches found, projected into custom resources. Only what may have changed is looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.core.approval import brief
from reconciler.core.crds import crds
from reconciler.core.facts import Approval, Facts
from reconciler.core.orders import Orders, given
from reconciler.core.projecting import Projection, projection, ref_of
from reconciler.core.quarrel import Quarrel
from reconciler.flow.fan import Stop
from reconciler.flow.install import Action, install, survey
from reconciler.flow.operator.state import Outfit, State
from reconciler.flow.projector import Glance, Projector
from reconciler.model.graph import Graph
from reconciler.model.manifests import ObjectId, Observed
from reconciler.model.refs import Ref
from reconciler.model.result import Ending, Status
from reconciler.ports import Cluster

SHOWN = 3


class Unprojected(Exception):
    """Custom resources that could not be written now; they are tried again."""


class Statuses:
    """The projection of one environment."""

    def __init__(self, outfit: Outfit, state: State, cluster: Cluster, environment_id: str) -> None:
        self._outfit, self._state, self._cluster = outfit, state, cluster
        self._is_troubled = False
        self._projector = Projector(cluster, environment_id, outfit.kinds)
        self._of: tuple[Graph, Projection] | None = None
        self._whole = True
        self._dirty: set[Ref] = set()
        self._wrote: set[Ref] = set()
        self._repaired: set[Ref] = set()
        self.ready: Mapping[tuple[str, str], int] = {}
        """Resources by kind and by the reason of their condition Ready."""

    async def load(self) -> None:
        """Sees to it that there are definitions, and looks at the custom resources there are. Raises Unreachable."""
        await self._define()
        await self._projector.load()
        self._whole = True

    async def _define(self) -> None:
        """Writes what is missing or old of the definitions, if this operator may: somebody else may have installed them, or taken them away."""
        items = await survey(self._cluster, crds(self._outfit.kinds), adopt=False)
        done = await install(self._cluster, self._outfit.clock, items, self._outfit.progress, Stop())
        blocked = {item.id: item.reason for item in items if item.action is Action.BLOCKED}
        self._say([f"{id}: {why}" for id, why in {**blocked, **done.failed}.items()])

    def _say(self, news: Sequence[str]) -> None:
        """Problems, the first few of many."""
        for text in news[:SHOWN]:
            self._outfit.progress.say(text)
        if len(news) > SHOWN:
            self._outfit.progress.say(f"and {len(news) - SHOWN} more like these")

    def orders(self) -> dict[ObjectId, Orders]:
        """What people ask for on custom resources, as they were found."""
        return {id: given(said) for id, said in self._projector.commands().items()}

    def seen(self, observed: Observed, *, gone: bool) -> Glance:
        """A watch showed one."""
        glance = self._projector.gone(observed) if gone else self._projector.seen(observed)
        if self._of is not None and glance.id not in self._of[1].ids and self._projector.is_ours(glance.id):
            glance = glance._replace(is_drift=True)  # git does not have it: whoever led before may have written it late
        if glance.is_drift or glance.is_command:
            self._whole = self._whole or self._of is None or glance.id not in self._of[1].ids
            self._dirty |= {self._of[1].ids[glance.id]} if self._of and glance.id in self._of[1].ids else set()
        return glance

    def passed(self, wrote: Iterable[Ref], *, is_new: bool) -> None:
        """A pass has ended: `is_new` where it did something, or was of another commit."""
        self._wrote.update(wrote)
        self._whole = self._whole or is_new

    def changed(self, ref: Ref, *, repaired: bool = False) -> None:
        """Something about one resource may be another."""
        self._dirty.add(ref)
        if repaired:
            self._repaired.add(ref)

    def look_again(self) -> None:
        """Something about everything may be another."""
        self._whole = True

    @property
    def is_due(self) -> bool:
        """Whether anything may have to be written."""
        return self._whole or bool(self._dirty)

    async def project(self) -> None:
        """Writes what differs. Raises Unreachable, and then all of it is due again."""
        graph = self._state.graph
        if graph is None or not self.is_due:
            return
        if self._of is None or self._of[0] is not graph:
            self._of, self._whole = (graph, projection(graph, self._outfit.kinds)), True
        whole, dirty, self._whole, self._dirty = self._whole, self._dirty, False, set()
        wrote, repaired, self._wrote, self._repaired = self._wrote, self._repaired, set(), set()
        asked = self._of[1]
        facts = self._facts({*asked.ids.values(), *self._lingering(asked)} if whole else dirty, wrote, repaired)
        now = self._outfit.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            if self._is_troubled:
                await self.load()
            done = await self._projector.project(asked, facts, now, whole=whole)
        except BaseException:
            self._whole, self._wrote, self._repaired = True, self._wrote | wrote, self._repaired | repaired
            raise
        for change in done.changes:
            self._outfit.listener.hear(change)
        if done.changes or whole:
            self.ready = self._projector.ready()
        self._say(done.news)
        self._is_troubled = bool(done.problems)
        if done.problems:
            self._whole = True
            raise Unprojected(f"{len(done.problems)} custom resources are not as they should be")

    def _lingering(self, asked: Projection) -> Iterator[Ref]:
        """What git does not have any more and stays for now: it waits for a person, or somebody paused it."""
        state, now = self._state, self._outfit.clock.now()
        waits = {owner for one in state.asked for owner in one.owners}
        for id in self._projector.ours():
            if id in asked.ids:
                continue
            ref = ref_of(id, asked.graph.environment)
            if (str(ref) in waits or state.pause_of(ref, now)) and self._projector.standing(id) is not None:
                yield ref

    def _facts(self, refs: Iterable[Ref], wrote: set[Ref], repaired: set[Ref]) -> dict[Ref, Facts]:
        state = self._state
        objects: dict[Ref, list[ObjectId]] = {}
        for id, owner in state.keeper.owners():
            if id in state.keeper.health or id in state.quarrels:
                objects.setdefault(owner, []).append(id)
        waiting = self._waiting()
        return {ref: self._one(ref, objects.get(ref, ()), waiting, wrote, repaired) for ref in refs}

    def _one(self, ref: Ref, objects: Iterable[ObjectId], waiting: Mapping[str, str], wrote: set[Ref], repaired: set[Ref]) -> Facts:
        state, clock = self._state, self._outfit.clock.now()
        name = str(ref)
        quarrels = [state.quarrels.get(id, Quarrel()) for id in objects]
        trouble = state.troubles.get(name)
        return Facts(
            revision=state.applied,
            health={id: state.keeper.health[id] for id in objects if id in state.keeper.health},
            failures=(trouble.reason,) if trouble else (),
            awaiting=waiting.get(name, ""),
            approval=next((Approval(brief(one.hash), one.text) for one in state.asked if name in one.owners), None),
            conflict=tuple(sorted({manager for quarrel in quarrels if quarrel.is_on(clock) for manager in quarrel.managers})),
            paused=state.pause_until(ref, clock),
            repaired=ref in repaired,
            wrote=ref in wrote,
        )

    def _waiting(self) -> dict[str, str]:
        """Owners of what the last run did not get to, and why."""
        result = self._state.result
        if result is None or result.ending not in (Ending.BLOCKED, Ending.EXPIRED):
            return {}
        why = result.message.partition("\n")[0]
        return {outcome.owner: why for outcome in result.outcomes if outcome.status is Status.SKIPPED and outcome.owner}
