"""Ports: what the flow needs of the world. Adapters implement them; fakes are real implementations held to the same contract tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from reconciler.model.answers import Accepted, Answer, Refused
from reconciler.model.value import dataclass

if TYPE_CHECKING:  # whoever only reads files, as lint does, needs the faults of a source, and none of what goes through the other ports
    from reconciler.model.documents import SourceTree
    from reconciler.model.findings import Finding
    from reconciler.model.fleet import Notification, Verify
    from reconciler.model.graph import Graph
    from reconciler.model.happenings import Happening
    from reconciler.model.manifests import Body, ObjectId, Observed
    from reconciler.model.plan import Plan
    from reconciler.model.result import Result

__all__ = [
    "Accepted",
    "Answer",
    "BranchGone",
    "Clock",
    "Cluster",
    "CommitUnknown",
    "Event",
    "EventKind",
    "Fetched",
    "Glance",
    "Ledger",
    "Letter",
    "Listener",
    "OnRequest",
    "Outbox",
    "Packed",
    "Post",
    "Posted",
    "Progress",
    "Refused",
    "Relation",
    "RunRecord",
    "RunState",
    "Source",
    "SourceUnavailable",
    "Unreachable",
    "Unverified",
    "Upstream",
    "Witness",
    "whole",
]


class Unreachable(Exception):
    """No answer that means anything: no cluster, wrong credentials, a broken connection past all retries.

    The message is a sentence; `fix` says what to do; `ambiguous` that a write may or may not have happened.
    """

    def __init__(self, message: str, fix: str = "", *, ambiguous: bool = False) -> None:
        super().__init__(message)
        self.fix = fix
        self.ambiguous = ambiguous


class EventKind(StrEnum):
    """What a watch saw."""

    SET = "set"
    """Added or modified."""
    GONE = "gone"
    """Deleted."""
    LOST = "lost"
    """The watch was interrupted: list again."""


class Event(NamedTuple):
    """One event of a watch; `observed` is None only when the watch was lost."""

    kind: EventKind
    observed: Observed | None


Glance = Callable[["Observed"], "Observed"]
"""What to keep of a live object: as much of it as will be looked at."""


def whole(observed: Observed) -> Observed:
    """All of it."""
    return observed


OnRequest = Callable[[str, int, float], None]
"""Told of each try of a request to a target: its method (or `WATCH`), the status of the answer (0 where there was none), the seconds until then."""


class Cluster(Protocol):
    """A target that holds objects with Kubernetes' semantics of server-side apply, labels and preconditions.

    Every method may raise Unreachable. Retries of 429 and 5xx (as long as it is safe) are the adapter's business.
    """

    @property
    def place(self) -> str:
        """Where this is, for people: `kubernetes, context fleet`."""

    async def list(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]], glance: Glance = whole) -> tuple[Observed, ...]:
        """All objects of these (group, kind) with these labels, in every namespace. Kinds that the target does not serve have none.

        `glance` sees each as it comes in, maybe more than once, and says what of it is kept: ten thousand whole bodies are a lot of memory.
        """

    async def read(self, id: ObjectId) -> Observed | None:
        """One object of any kind in SHAPES, or a Lease or Namespace; None where there is none."""

    async def apply(self, body: Body, *, dry_run: bool, force: bool, live: Observed | None = None) -> Answer:
        """Server-side apply as MANAGER. `metadata.uid` and `metadata.resourceVersion` in the body are preconditions (409 otherwise).

        `live` is the object as it was seen last: a forced dry-run may be cheaper for it, and says the same.
        """

    async def apply_status(self, body: Body) -> Answer:
        """Server-side apply of the status of an object that exists (404 otherwise), as MANAGER, forced.

        There are no preconditions: an API server keeps the metadata that the object has.
        """

    async def put(self, body: Body) -> Answer:
        """Create an object, or replace the version that `metadata.resourceVersion` names (409 otherwise): compare and set."""

    async def patch_managers(self, observed: Observed, managers: Iterable[str], subresource: str = "") -> Answer:
        """Hand the fields of these managers over to MANAGER, so that the next apply removes what is not desired.

        Those of the object itself, or those of its `status`.
        """

    async def annotate(self, id: ObjectId, annotations: Mapping[str, str | None]) -> Answer:
        """Set annotations of an object that exists (404 otherwise), as ORDERS: None takes one away. What MANAGER applies is not touched."""

    async def delete(self, observed: Observed) -> Answer:
        """Delete exactly this version of this object (uid and resourceVersion preconditions), in the background."""

    def watch(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]]) -> AsyncIterator[Event]:
        """Changes from now on: first every object as SET, then what happens. LOST means that a new list follows. Never ends by itself."""

    async def close(self) -> None:
        """Let go of connections."""


class Witness(Protocol):
    """Knows whether builds are what was signed and judged."""

    async def __call__(self, graph: Graph) -> Graph:
        """The graph of an environment that demands signatures, with only the choices that verify, and what is to be said of the others.

        Never raises for what a registry does: no answer is no signature.
        """


class Clock(Protocol):
    """Time, as the shell gives it."""

    def now(self) -> datetime:
        """Now, with a time zone."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Source(Protocol):
    """Where specs come from."""

    def tree(self, revision: str | None = None) -> SourceTree:
        """The files at a revision; None is the work tree. Raises SourceUnavailable."""

    def read(self, path: str, revision: str | None = None) -> bytes | None:
        """One file by its path from the root, such as an environment's own lock; None where there is none. Raises SourceUnavailable."""


class Standing(NamedTuple):
    """How a work tree stands to its last commit, as far as the files of a source go."""

    revision: str
    edited: tuple[str, ...]
    """Paths that are not as committed: edited, added, deleted, staged or not."""
    digests: Mapping[str, str]
    """Tree id of each folder under `images/`, as if everything there were committed now."""
    absent: tuple[str, ...] = ()
    """Committed paths that a sparse checkout leaves out: not deleted, only not here."""


class Packed(NamedTuple):
    """A file of an image's context: its mode as git has it, and its bytes; of a link, its target."""

    mode: int
    data: bytes


class History(Source, Protocol):
    """A source that remembers: `tree(None)` is its last commit."""

    def contexts(self, folders: Iterable[str], revision: str | None = None) -> Mapping[str, Packed]:
        """All files of these folders at a revision, by path from the root. Raises SourceUnavailable."""

    def ignored(self, folders: Iterable[str]) -> frozenset[str]:
        """Files of these folders that git is told to keep no versions of."""

    def standing(self) -> Standing | None:
        """How the work tree stands to it; None where there is no commit or git refuses to look."""


class SourceUnavailable(Exception):
    """The source cannot be read: no such revision, no repository. The message says which."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class BranchGone(SourceUnavailable):
    """The repository answers, and the branch is not there."""


class CommitUnknown(SourceUnavailable):
    """The repository was read, and has no such commit."""


class Unverified(SourceUnavailable):
    """The newest commit is not signed by a trusted key."""


class Relation(StrEnum):
    """How the newest commit of a branch stands to one that was known before."""

    FIRST = "first"
    """None was known."""
    SAME = "same"
    FORWARD = "forward"
    """It descends from it."""
    REWOUND = "rewound"
    """It does not: the branch was rewritten."""


class Fetched(NamedTuple):
    """What a fetch found."""

    revision: str
    relation: Relation


class Upstream(Source, Protocol):
    """A repository elsewhere, one branch of which is followed. Reading a revision needs no network once it was fetched."""

    async def fetch(self, since: str | None) -> Fetched:
        """The newest commit of the branch, with everything that reading it takes. Raises SourceUnavailable, BranchGone, Unverified."""

    def parent(self, revision: str) -> str | None:
        """The commit that this one was made on, the first of several; None for the very first. Raises CommitUnknown."""

    def trust(self, keys: Verify | None) -> None:
        """From now on the newest commit must be signed by one of these keys; None asks for no signature."""


class Listener(Protocol):
    """Who wants to know what an operator does. It neither waits nor raises."""

    def hear(self, happening: Happening) -> None:
        """Something happened."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to one target of `notifications`, spooled until it is taken."""

    id: str
    """The same each time that it is sent: receivers know by it what they have."""
    target: str
    """Its name in `fleet.yaml`."""
    body: str
    """JSON."""
    made: datetime
    due: datetime
    tries: int = 0


class Outbox(Protocol):
    """Letters that were not taken yet, first in, first out for each target, and what was last told. Bounded; no method raises."""

    def told(self) -> Mapping[str, str]:
        """By subject: the digest of what was last told of it, by earlier processes, too."""

    def put(self, letters: Iterable[Letter], said: Mapping[str, str], now: datetime) -> None:
        """Spool letters, and remember what was said, whether or not anybody wanted to have it."""

    def due(self, now: datetime) -> tuple[Letter, ...]:
        """The oldest letter of each target, where its time has come."""

    def retry(self, letter: Letter) -> None:
        """It was not taken: its `due` and `tries` are new."""

    def done(self, letter: Letter) -> None:
        """It was taken, or never will be."""

    def waiting(self) -> int:
        """How many letters there are."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a letter."""

    taken: bool
    hopeless: bool = False
    """Sending it again cannot help."""
    reason: str = ""
    wait: float = 0.0
    """Seconds that the target asks to be left alone."""


class Post(Protocol):
    """Who carries letters. No method raises."""

    async def send(self, target: Notification, letter: Letter) -> Posted:
        """Try once."""

    async def close(self) -> None:
        """Let go of connections."""


class CommitRefused(Exception):
    """The edit was not committed, and the files are as before. The message says why, `fix` what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Commit(NamedTuple):
    """A commit of the source."""

    id: str
    author: str
    """Name and address, as git has them."""
    when: datetime
    subject: str
    branch: str = ""
    """Where it was just put; empty for a commit of the past, or on no branch."""


class RunState(StrEnum):
    """Where a run is. See `docs/reference/runs.md`."""

    PENDING = "pending"
    PLANNING = "planning"
    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    BLOCKED = "blocked"
    FAILED = "failed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One attempt to reach a revision, as the ledger remembers it."""

    id: str
    environment: str
    revision: str
    plan_hash: str
    state: RunState
    started: datetime
    ended: datetime | None
    author: str
    summary: Mapping[str, int] = field(default_factory=dict)
    message: str = ""


class StepState(StrEnum):
    """Where a step of a run is."""

    PENDING = "pending"
    RUNNING = "running"
    NEEDS_QA = "needs_qa"
    """Written, and not known to be good yet: by its health, or by a person's word."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Not done, since the run ended before, or nothing was to be done after all."""
    BLOCKED = "blocked"
    """Left out: it cannot be done, is paused, or waits for a person; the reason says which."""


class StepRecord(NamedTuple):
    """One step of a run, as the ledger remembers it: an object, what was to be done with it, what became of that."""

    object: str
    action: str
    state: StepState
    reason: str = ""
    owner: str = ""


class RunDetail(NamedTuple):
    """A run with its steps in the order of the plan, and with what was found."""

    run: RunRecord
    steps: tuple[StepRecord, ...]
    findings: tuple[Finding, ...]


class Ledger(Protocol):
    """History: losing it harms nothing. No method raises: what goes wrong is told once, and then nothing is kept."""

    def begin(self, run: RunRecord, plan: Plan) -> None:
        """A run starts."""

    def advance(self, run: RunRecord, steps: Mapping[str, StepState]) -> None:
        """A run is further on: its state, and that of some of its steps, by their objects."""

    def finish(self, run: RunRecord, result: Result) -> None:
        """A run ended."""

    def runs(self, environment: str | None, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs first, of one environment or of all."""

    def run(self, id: str) -> RunDetail | None:
        """One run, by its id or the beginning of it; None where there is none, or more than one."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image by its digest, as the ledger remembers it."""

    digest: str
    image: str
    revision: str
    """Commit it was built from."""
    verdict: str
    """What its gate last said, in a word or two."""
    since: datetime
    """When it was first noted."""


class ComponentRecord(NamedTuple):
    """A package in an image."""

    ecosystem: str
    """Type of its package URL: `deb`, `pypi`."""
    name: str
    version: str
    source: str
    """The distribution's source package; empty where there is none."""
    purl: str
    brought_by: str
    """The image of the hierarchy that brought it."""


class Components(Protocol):
    """What is in which image. Like the ledger it may be lost, and no method raises."""

    def keep(self, image: ImageRecord, components: Collection[ComponentRecord]) -> None:
        """Note what is in an image, in place of what was noted of its digest; when it was first noted stays."""

    def images(self) -> tuple[ImageRecord, ...]:
        """Every image that is noted, the newest first."""

    def named(self, names: Collection[str]) -> tuple[tuple[ImageRecord, ComponentRecord], ...]:
        """The packages that have one of these names, or were built from a source package that has."""

    def forget(self, digests: Collection[str]) -> None:
        """These images are no more."""


class Progress(Protocol):
    """Who wants to know how a run goes (a terminal, an operator's log)."""

    def phase(self, name: str, total: int) -> None:
        """A phase of so many things begins."""

    def step(self, id: ObjectId, text: str) -> None:
        """One thing is done."""

    def say(self, text: str) -> None:
        """A sentence for whoever waits."""
