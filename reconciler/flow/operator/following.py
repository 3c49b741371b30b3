"""Following a branch: which commit may be applied. What cannot be reached, verified or trusted changes nothing; it is told once."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.happenings import SourceChanged, SourceState
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
    def sighting(self) -> Sighting | None:
        """The last look; None before the first."""
        return self._sighting

    @property
    def is_reached(self) -> bool:
        """Whether the last look got an answer."""
        return self._sighting is not None and self._sighting.state is not SourceState.UNAVAILABLE

    async def look(self, applied: str, approved: str) -> bool:
        """Fetches; whether another commit may be applied from now on. `applied` is what a rewound branch would have to descend from."""
        before = self.revision
        try:
            fetched = await self._upstream.fetch(applied or None)
        except BranchGone as gone:
            self.tell(Sighting(SourceState.GONE, before, _said(gone)))
        except Unverified as unsigned:
            self.tell(Sighting(SourceState.UNVERIFIED, before, _said(unsigned)))
        except SourceUnavailable as unavailable:
            self.tell(Sighting(SourceState.UNAVAILABLE, before, _said(unavailable)))
        else:
            self._take(fetched, approved)
        return self.revision != before

    def _take(self, fetched: Fetched, approved: str) -> None:
        if fetched.relation is Relation.REWOUND and fetched.revision != self.revision and not is_approved(fetched.revision, approved):
            message = (
                f"the branch was rewritten: {fetched.revision[:12]} does not descend from what is applied; "
                f"if that is meant: fleet approve {fetched.revision[:12]}"
            )
            self.tell(Sighting(SourceState.REWOUND, fetched.revision, message))
            return
        self.revision = fetched.revision
        if not (self._sighting and self._sighting.state is SourceState.BROKEN and self._sighting.revision == fetched.revision):
            self.tell(Sighting(SourceState.FOLLOWED, fetched.revision))

    def broken(self, message: str) -> None:
        """The commit turned out to say nothing that could be applied."""
        self.tell(Sighting(SourceState.BROKEN, self.revision, message))

    def tell(self, sighting: Sighting) -> None:
        """Remembers, and tells it where it is news."""
        if sighting != self._sighting:
            self._sighting = sighting
            self._listener.hear(SourceChanged(sighting.state, sighting.revision, sighting.message))


def is_approved(revision: str, approved: str) -> bool:
    """Whether an approval names this commit, by twelve characters of it or more."""
    return len(approved) >= 12 and revision.startswith(approved)


def _said(fault: SourceUnavailable) -> str:
    return f"{fault}; {fault.fix}" if fault.fix else str(fault)
