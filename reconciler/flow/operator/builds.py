"""Builds of services that ask for it: judged at each pass, told of when one is put back, looked at again when a run ends on one."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.conclude import Ran, concluded, failing
from reconciler.core.fallback import Moment, judge
from reconciler.core.notes import held_at
from reconciler.core.world import World
from reconciler.flow.account import Account
from reconciler.flow.operator.state import Outfit, State
from reconciler.flow.planning import Planned
from reconciler.model.graph import Graph, Held
from reconciler.model.happenings import BuildPutBack
from reconciler.model.refs import Ref
from reconciler.model.track import Track


class BuildsHere:
    """What becomes of builds in one environment."""

    def __init__(self, outfit: Outfit, state: State) -> None:
        self._outfit, self._state = outfit, state

    def judged(self, graph: Graph, world: World) -> Mapping[Ref, Track]:
        """What is to be made of builds now. Of what somebody paused nothing is decided."""
        state, now = self._state, self._outfit.clock.now()
        return judge(graph, self._outfit.kinds, world, Moment(now, state.released, frozenset(state.paused(now))))

    def tell(self, planned: Planned) -> None:
        """Tells of what is put back and was not before."""
        state, environment = self._state, planned.graph.environment
        for ref, track in planned.tracks.items():
            before = [known.hold for known in (planned.world.inventory.tracks.get(ref), state.tracks.get(ref)) if known is not None]
            choice, hold = planned.graph.choices.get(ref), track.hold
            if hold is not None and isinstance(choice, Held) and hold not in before:
                message = held_at(choice)
                namespace = environment.namespace(ref.tenant)
                self._outfit.listener.hear(BuildPutBack(ref, namespace, hold.failed_tag, hold.tag, message, hold.reason))
        state.tracks = planned.tracks

    def gives_up(self, planned: Planned, account: Account) -> bool:
        """Whether the run ended on a build that the next look at the cluster puts back. One pass is asked for each build, however it goes."""
        state, ran = self._state, Ran(account.health, account.since)
        tracks = concluded(planned.desired, planned.world, planned.tracks, planned.falling, ran)
        found = failing(planned.desired, planned.graph, self._outfit.kinds, tracks, ran, self._outfit.clock.now())
        fresh = set(found.items()) - state.woken
        state.woken |= fresh
        return bool(fresh)
