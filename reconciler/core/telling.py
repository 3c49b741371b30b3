"""Tell what changed: which happenings are worth a message, in which words, and that nothing is said twice until it changed."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from reconciler.core.describe import as_json, condition, describe, outcome, short
from reconciler.model.canonical import digest
from reconciler.model.fleet import Topic
from reconciler.model.happenings import (
    ApprovalNeeded,
    BuildPutBack,
    ConditionChanged,
    ConflictFound,
    DriftRepaired,
    Happening,
    LeaseChanged,
    PauseChanged,
    RunBegan,
    RunEnded,
    SourceChanged,
    SourceState,
    VulnerabilitiesFound,
)
from reconciler.model.projection import READY
from reconciler.model.result import Ending
from reconciler.model.secrecy import redacted

REMEMBERED = 20_000
"""Subjects whose last word is remembered."""
_NAMED = 5
"""Resources that are named one by one; of more, the number is told."""
_OFF = "off "
"""Begins the key of what says that something is over."""
_ENDINGS: Mapping[Ending, tuple[Topic, Verdict]] = {
    Ending.COMPLETED: ("applied", "success"),
    Ending.REFUSED: ("failed", "failure"),
    Ending.FAILED: ("failed", "failure"),
    Ending.HELD: ("held", "pending"),
    Ending.BLOCKED: ("blocked", "failure"),
    Ending.EXPIRED: ("failed", "failure"),
}
"""What is told of a run's end. A run that was stale, locked out or cancelled is followed by another."""

_TOLD_OTHERWISE = frozenset({"AwaitingWave", "AwaitingApproval", "Paused"})
"""Reasons of Blocked that the run, the approval and the pause tell."""

Verdict = Literal["", "pending", "success", "failure"]
"""What becomes of a commit, as far as that is known; empty where it is not about one."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell."""

    topic: Topic
    subject: str
    """What it is about: `run`, `source`, `Service/platform/web Ready`. Only the last word on a subject counts."""
    text: str
    key: str
    """What says that it is the same as before."""
    revision: str = ""
    verdict: Verdict = ""
    about: tuple[Mapping[str, Any], ...] = ()
    """The happenings, as JSON has them."""
    proposes: bool = False
    """It asks for a change of the repository, and is for targets that can make one. Nobody else gets it."""

    @property
    def digest(self) -> str:
        """Of what says that it is the same."""
        return digest([self.topic, self.key])


class News(NamedTuple):
    """What is new."""

    messages: tuple[Message, ...]
    said: Mapping[str, str]
    """By subject: the digest of what these messages say of it."""


@dataclass(slots=True)
class Teller:
    """Collects happenings, and says from time to time what is new. No input, output or clock."""

    told: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """By subject: the digest of what was last told."""
    _waiting: dict[str, Message] = field(default_factory=dict)
    _repairs: list[DriftRepaired] = field(default_factory=list)
    _repaired: int = 0

    def remember(self, told: Mapping[str, str]) -> None:
        """What an earlier process told."""
        for subject, said in told.items():
            self.told.setdefault(subject, said)

    def hear(self, happening: Happening) -> None:
        """Something happened."""
        if isinstance(happening, DriftRepaired):
            self._repaired += 1
            if len(self._repairs) < _NAMED:
                self._repairs.append(happening)
            return
        for message in filter(None, (_message(happening), _proposal(happening))):
            self._waiting.pop(message.subject, None)  # the order is that of the last words
            self._waiting[message.subject] = message

    def news(self, now: datetime) -> News:
        """What is to be told now: the last word on each subject, unless it was the last one before, too; many alike are summed up."""
        fresh = [message for message in self._waiting.values() if self._is_new(message)]
        if self._repaired:
            fresh.append(_drift(self._repaired, self._repairs, now))
        self._waiting, self._repairs, self._repaired = {}, [], 0
        return News(tuple(_summed(fresh)), {message.subject: message.digest for message in fresh if message.topic != "drift"})

    def _is_new(self, message: Message) -> bool:
        before = self.told.pop(message.subject, None)
        self.told[message.subject] = message.digest
        while len(self.told) > REMEMBERED:
            self.told.popitem(last=False)
        if before is None and message.key.startswith(_OFF):
            return False  # nobody was told that it was otherwise
        return before != message.digest


def _message(happening: Happening) -> Message | None:
    """The message that one happening is by itself; None where nobody needs to know."""
    about = (as_json(happening),)
    text = redacted(describe(happening).sentence)
    match happening:
        case SourceChanged():
            return _source(happening, text, about)
        case RunBegan(revision=revision, because="commit"):
            return Message("begun", "begun", f"{short(revision)} is being applied", revision, revision, "pending", about)
        case RunEnded() if happening.ending in _ENDINGS:
            return _ended(happening, about)
        case ConditionChanged():
            return _condition(happening, about)
        case ConflictFound() | ApprovalNeeded() | BuildPutBack() | PauseChanged() | VulnerabilitiesFound():
            return _for_people(happening, text, about)
        case RunBegan() | RunEnded() | LeaseChanged() | DriftRepaired():
            return None


def _proposal(happening: Happening) -> Message | None:
    """What git should say from now on. The condition that follows does not take its place, and it is never summed up."""
    if not isinstance(happening, BuildPutBack):
        return None
    text, key = redacted(describe(happening).sentence), f"{happening.failed} {happening.tag}"
    return Message("held", f"{happening.ref} put back", text, key, about=(as_json(happening),), proposes=True)


def _for_people(
    happening: ConflictFound | ApprovalNeeded | BuildPutBack | PauseChanged | VulnerabilitiesFound,
    text: str,
    about: tuple[Mapping[str, Any], ...],
) -> Message:
    """What somebody should look at, or did."""
    match happening:
        case ConflictFound(id=id):
            return Message("conflict", f"{id} conflict", text, text, about=about)
        case ApprovalNeeded(hash=hash):
            return Message("approval", "approval", text, hash, about=about)
        case BuildPutBack(ref=ref, message=said):
            # The condition that follows says the same, and is not told once more.
            return Message("held", f"{ref} Held", text, f"True {said}", about=about)
        case PauseChanged(what=what, paused=paused):
            return Message("paused", f"{what} paused", text, text if paused else f"{_OFF}{what}", about=about)
        case VulnerabilitiesFound(image=image, digest=which, ids=ids, passed=passed):
            key = f"{passed} {' '.join(sorted(ids))}" if ids or not passed else f"{_OFF}{image}"
            return Message("vulnerable", f"{image}@{which} vulnerable", text, key, about=about)


def _source(happening: SourceChanged, text: str, about: tuple[Mapping[str, Any], ...]) -> Message:
    """The state counts: that a followed branch moved on is told by the run. What stands at a commit that is refused is told of each."""
    key = happening.state.value if happening.state is not SourceState.FOLLOWED else f"{_OFF}followed"
    if key in {"rewound", "unverified", "broken"}:
        key += f" {happening.revision}"
    failed: Verdict = "failure" if key.startswith(("unverified", "broken")) else ""
    return Message("source", "source", text, key, happening.revision if failed else "", failed, about)


def _ended(run: RunEnded, about: tuple[Mapping[str, Any], ...]) -> Message:
    """A commit is applied once, however often that is looked at again; what goes wrong is new when it goes wrong otherwise."""
    topic, verdict = _ENDINGS[run.ending]
    key = run.revision if topic == "applied" else f"{run.revision} {run.ending} {run.message}"
    return Message(topic, "run", redacted(outcome(run)), key, run.revision, verdict, about)


def _condition(changed: ConditionChanged, about: tuple[Mapping[str, Any], ...]) -> Message | None:
    """Stalled is what is wrong, Ready that it is over; what is only on its way is neither."""
    text, on = redacted(condition(changed)), changed.status == "True"
    stands, subject = f"{changed.ref} {READY}", f"{changed.ref} {changed.type}"
    match changed.type:
        case "Stalled" if on:
            return Message("unhealthy", stands, text, changed.reason, about=about)
        case "Ready" if on:
            return Message("healthy", stands, text, f"{_OFF}unhealthy", about=about)
        case "Held" if on or changed.before:
            return Message("held", subject, text, f"{changed.status} {changed.message}", about=about)
        case "Blocked" if on and changed.reason not in _TOLD_OTHERWISE:
            return Message("blocked", subject, text, f"{changed.reason} {changed.message}", about=about)
        case _:
            return None


def _drift(count: int, first: Iterable[DriftRepaired], now: datetime) -> Message:
    """Repairs are summed up, and each sum is new."""
    some = tuple(first)
    named = [str(repair.id) for repair in some]
    if count == 1:
        text = describe(some[0]).sentence
    else:
        hands = Counter(manager for repair in some for manager in repair.managers)
        who = f", by {', '.join(hands)}" if hands else ""
        text = f"{count} objects were not as applied, and are again{who}: {_listed(named, count)}"
    return Message("drift", "drift", redacted(text), f"{text} {now.isoformat()}", about=tuple(map(as_json, some)))


def _summed(messages: Iterable[Message]) -> Iterable[Message]:
    """Many conditions of one topic at once are one message."""
    many = tuple(messages)
    groups = Counter(message.topic for message in many if _is_condition(message))
    told: set[Topic] = set()
    for message in many:
        if not _is_condition(message) or groups[message.topic] <= _NAMED:
            yield message
        elif message.topic not in told:
            told.add(message.topic)
            alike = [one for one in many if one.topic == message.topic and _is_condition(one)]
            names = [one.subject.split()[0] for one in alike]
            text = f"{len(alike)} resources are {message.topic}: {_listed(names, len(alike))}"
            about = tuple(part for one in alike[:_NAMED] for part in one.about)
            yield Message(message.topic, f"many {message.topic}", text, digest(sorted(one.subject + one.key for one in alike)), about=about)


def _is_condition(message: Message) -> bool:
    return message.subject.endswith((f" {READY}", " Held", " Blocked"))


def _listed(names: list[str], count: int) -> str:
    rest = count - len(names[:_NAMED])
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
