"""Following a branch: which commit may be applied. What cannot be reached, verified or trusted changes nothing; it is told once."""

from __future__ import annotations

from reconciler.core.approval import SHORTEST, brief, names
from reconciler.model.happenings import SourceChanged, SourceState
from reconciler.model.value import dataclass
from reconciler.ports import BranchGone, Fetched, Listener, Relation, SourceUnavailable, Unverified, Upstream


@dataclass(frozen=True, slots=True)
class Sighting:
    """How the source stood when it was last looked at."""

    state: SourceState
    revision: str
    """The newest commit that was found; empty where none was."""
    message: str = ""


class Following:
    """Looks at the source, and remembers the commit that may be applied."""

    def __init__(self, upstream: Upstream, listener: Listener) -> None:
        self._upstream, self._listener = upstream, listener
        self._sighting: Sighting | None = None
        self.revision = ""
        """The commit that may be applied; empty before the first."""

    @property
    def is_reached(self) -> bool:
        """Whether the last look got an answer."""
        return self._sighting is not None and self._sighting.state is not SourceState.UNAVAILABLE

    async def look(self, applied: str, approved: str) -> bool:
        """Fetches; whether another commit may be applied from now on. `applied` is what a rewound branch would have to descend from."""
        before = self.revision
        try:
            fetched = await self._upstream.fetch(applied or None)
            is_meant = await self._is_meant(fetched, approved)
        except BranchGone as gone:
            self._tell(SourceState.GONE, _said(gone))
        except Unverified as unsigned:
            self._tell(SourceState.UNVERIFIED, _said(unsigned))
        except SourceUnavailable as unavailable:
            self._tell(SourceState.UNAVAILABLE, _said(unavailable))
        else:
            self._take(fetched, applied, is_meant=is_meant)
        return self.revision != before

    async def confirm(self, applied: str, approved: str) -> None:
        """Looks once more, now that it is known what was applied before this process began. A rewound branch leaves that in force."""
        self.revision = ""
        await self.look(applied, approved)
        self.revision = self.revision or applied

    def broken(self, message: str) -> None:
        """The commit turned out to say nothing that could be applied."""
        self._tell(SourceState.BROKEN, message)

    async def _is_meant(self, fetched: Fetched, approved: str) -> bool:
        """Whether a rewritten branch was approved as it is, or when it had fewer commits: it must not matter when it was looked at."""
        if fetched.relation is not Relation.REWOUND or fetched.revision == self.revision or names(approved, fetched.revision):
            return True
        if len(approved) < SHORTEST:
            return False
        since = await self._upstream.fetch(approved)
        return since.revision == fetched.revision and since.relation is Relation.FORWARD

    def _take(self, fetched: Fetched, applied: str, *, is_meant: bool) -> None:
        newest = fetched.revision
        if not is_meant:
            message = (
                f"the branch was rewritten: {newest[:12]} does not descend from {applied[:12]}, which is applied; "
                f"if that is meant: fleet approve {brief(newest)}"
            )
            self._tell(SourceState.REWOUND, message, newest)
            return
        self.revision = newest
        sighting = self._sighting
        if not (sighting and sighting.state is SourceState.BROKEN and sighting.revision == newest):
            self._tell(SourceState.FOLLOWED)

    def _tell(self, state: SourceState, message: str = "", revision: str = "") -> None:
        sighting = Sighting(state, revision or self.revision, message)
        if sighting != self._sighting:
            self._sighting = sighting
            self._listener.hear(SourceChanged(state, sighting.revision, message))


def _said(fault: SourceUnavailable) -> str:
    return f"{fault}; {fault.fix}" if fault.fix else str(fault)
