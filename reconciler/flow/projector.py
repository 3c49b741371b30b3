"""The projector: writes what git says and how it stands into custom resources, and only what differs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from reconciler.core.facts import Facts
from reconciler.core.projecting import Projection, Whose, id_of, mark
from reconciler.core.standing import changed, standing
from reconciler.flow.fan import Stop, fan
from reconciler.flow.inscribe import Inscriber
from reconciler.flow.known import Known, known, status_of
from reconciler.model.happenings import ConditionChanged
from reconciler.model.kind import Kind
from reconciler.model.manifests import ObjectId, Observed
from reconciler.model.projection import Standing
from reconciler.model.refs import Ref
from reconciler.model.spec import GROUP
from reconciler.ports import Cluster

_ROUNDS = 2
"""A custom resource may be deleted between its spec and its status: it is made once more."""
_BREATH = 50
"""What needs no request lets nobody else run; after so many it does."""
_NONE: Mapping[str, str] = MappingProxyType({})


class Glance(NamedTuple):
    """What an event showed of a custom resource."""

    id: ObjectId
    is_drift: bool
    """It is no longer as we wrote it, or gone: project again."""
    is_command: bool
    """Its commands are others than before."""
    commands: Mapping[str, str]


@dataclass(slots=True)
class Projected:
    """What came of a pass. `problems` are all that stand, by what they are about; `news` those that were not told before."""

    specs: int = 0
    statuses: int = 0
    deleted: int = 0
    changes: list[ConditionChanged] = field(default_factory=list)
    problems: Mapping[str, str] = field(default_factory=dict)
    news: tuple[str, ...] = ()


class Projector:
    """What is known of the live custom resources, and the passes that make them as they should be.

    It is fed by `load` and by a watch over `selection` without labels; passes must not overlap.
    """

    def __init__(self, cluster: Cluster, environment_id: str, kinds: tuple[Kind, ...]) -> None:
        self._cluster = cluster
        self._environment_id = environment_id
        self.selection = tuple((GROUP, kind.name) for kind in kinds)
        """Group and kind of what it projects."""
        self._known: dict[ObjectId, Known] = {}
        self._inscriber = Inscriber(cluster, environment_id, self._known)
        self._told: Mapping[str, str] = {}

    async def load(self) -> None:
        """Looks at everything there is. Raises Unreachable."""
        found: set[ObjectId] = set()
        for kind in self.selection:
            for observed in await self._cluster.list({}, [kind]):
                found.add(observed.id)
                self._known[observed.id] = known(observed.body, self._environment_id, self._known.get(observed.id))
        for id in [id for id, one in self._known.items() if one.is_there and id not in found]:
            self._known[id].bury()
        self._inscriber.forget_refusals()

    def seen(self, observed: Observed) -> Glance:
        """A watch showed it."""
        old = self._known.get(observed.id)
        if old is None or old.is_news(observed):
            self._known[observed.id] = known(observed.body, self._environment_id, old)
        now = self._known[observed.id]
        before = old.commands if old is not None else _NONE
        return Glance(observed.id, now.whose is Whose.OURS and now.is_drift, now.commands != before, now.commands)

    def gone(self, observed: Observed) -> Glance:
        """A watch saw it go. What it said is kept until git does not have it any more."""
        old = self._known.get(observed.id)
        if old is None or old.uid != observed.uid:
            return Glance(observed.id, is_drift=False, is_command=False, commands=old.commands if old is not None else _NONE)
        was, ours = old.commands, old.whose is Whose.OURS
        old.bury(observed.resource_version)
        return Glance(observed.id, is_drift=ours, is_command=bool(was), commands=_NONE)

    def commands(self) -> Mapping[ObjectId, Mapping[str, str]]:
        """What people ask for, by custom resource: of ours, and of those in git alone."""
        return {id: one.commands for id, one in self._known.items() if one.commands and one.whose is Whose.OURS}

    def is_ours(self, id: ObjectId) -> bool:
        """Whether it exists and belongs to this environment."""
        live = self._known.get(id)
        return live is not None and live.is_there and live.whose is Whose.OURS

    def ours(self) -> Iterator[ObjectId]:
        """Everything that exists and belongs to this environment."""
        return (id for id in self._known if self.is_ours(id))

    def standing(self, id: ObjectId) -> Standing | None:
        """How one stands, as far as it was said."""
        return self._known[id].before

    def ready(self) -> Mapping[tuple[str, str], int]:
        """How many of ours there are by kind and by the reason of their condition Ready; empty where they have none."""
        return Counter((id.kind, one.reason) for id, one in self._known.items() if one.is_there and one.whose is Whose.OURS)

    async def project(
        self, projection: Projection, facts: Mapping[Ref, Facts], at: str, *, whole: bool = True, stop: Stop | None = None
    ) -> Projected:
        """Makes the custom resources of everything in `facts` as they should be; `at` is now (RFC 3339, UTC).

        `whole`: `facts` cover everything, so what is not in git goes (except what has facts: it waits for something). Raises Unreachable.
        """
        done = Projected()
        self._inscriber.begin(whole=whole)
        asked = {id_of(ref, projection.graph.environment): ref for ref in facts}
        chosen = [(id, ref) for id, ref in asked.items() if id in projection.ids or id in self._known]

        async def one(numbered: tuple[int, tuple[ObjectId, Ref]]) -> None:
            number, (id, ref) = numbered
            if number % _BREATH == 0:
                await asyncio.sleep(0)
            await self._one(id, ref, projection, facts[ref], at, done)

        await fan(enumerate(chosen), one, stop)
        if whole and not (stop is not None and stop.is_set()):
            await self._prune({id for id in self._known if id not in projection.ids and id not in asked}, projection, done, stop)
        done.problems = dict(self._inscriber.problems)
        done.news = tuple(why for what, why in done.problems.items() if self._told.get(what) != why)
        self._told = done.problems
        return done

    async def _one(self, id: ObjectId, ref: Ref, projection: Projection, facts: Facts, at: str, done: Projected) -> None:
        for _ in range(_ROUNDS):
            live = self._known.get(id)
            if live is not None and live.is_there and live.whose is not Whose.OURS:
                self._inscriber.problems[str(id)] = f"{id} exists and is not ours ({live.whose}); it is left alone"
                return
            if (body := projection.body(ref)) is not None:
                wanted = mark(body)
                renewed = live is not None and (live.sent != wanted if live.sent else not (live.stands(wanted) or live.has_hands))
                wrote = await self._inscriber.specify(id, body, wanted)
                done.specs += wrote
                facts = replace(facts, wrote=facts.wrote or renewed)
            live = self._known.get(id)
            if live is None or not live.is_there or live.whose is not Whose.OURS:
                return
            if await self._say(id, ref, live, projection, facts, at, done):
                return

    async def _say(self, id: ObjectId, ref: Ref, live: Known, projection: Projection, facts: Facts, at: str, done: Projected) -> bool:
        """Writes the status where it differs; False where the custom resource was gone."""
        before = live.before
        told = replace(facts, generation=live.generation, findings=projection.findings.get(ref, ()))
        after = standing(ref, projection.graph, told, before, at)
        wanted = (live.said or live.status) if after is before else status_of(after)
        if live.says(wanted):
            live.said = wanted
            self._inscriber.settled(id)
            return True
        wrote = await self._inscriber.say(id, wanted)
        if wrote:
            done.statuses += 1
            done.changes += changed(ref, id.namespace, before, after)
        return wrote is not None

    async def _prune(self, gone: set[ObjectId], projection: Projection, done: Projected, stop: Stop | None) -> None:
        doomed = []
        for id in sorted(gone):
            live = self._known[id]
            if not live.is_there:
                del self._known[id]
            elif live.whose is Whose.NOBODYS or (live.whose is Whose.OURS and not live.is_labelled):
                self._inscriber.problems[str(id)] = f"{id} was made by hand, and git does not have it; it is left alone"
            elif live.whose is Whose.OURS and projection.prunes and not live.is_leaving:
                doomed.append(id)
        done.deleted += sum(await fan(doomed, self._inscriber.remove, stop))
