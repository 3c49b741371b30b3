"""What a person is told at the end of a run: what happened, what was and was not applied, what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from reconciler.core.aside import is_guarded, owner_of_step
from reconciler.core.guard import taken_down
from reconciler.core.health import Failed, Progressing
from reconciler.core.refusals import fix
from reconciler.flow.lease import is_operator
from reconciler.model.manifests import ObjectId
from reconciler.model.plan import Block, Plan
from reconciler.model.result import Outcome, Status
from reconciler.ports import Refused

SHOWN = 5


def counted(number: int, thing: str) -> str:
    """`1 object`, `2 objects`."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def nothing() -> str:
    """A run with nothing to do."""
    return "No changes: everything is as desired."


def applied(outcomes: Iterable[Outcome]) -> str:
    """How much a run wrote."""
    done = [outcome.action for outcome in outcomes if outcome.status is Status.DONE]
    parts = [f"{done.count(action)} {action}d" for action in ("create", "update", "delete") if action in done]
    return ", ".join(parts) + " so far" if parts else "nothing was written"


def completed(outcomes: Iterable[Outcome]) -> str:
    """A run that did everything."""
    outcomes = tuple(outcomes)
    if not outcomes:
        return f"{nothing()} Only the inventory was not up to date; now it is."
    return f"Applied: {applied(outcomes).removesuffix(' so far')}."


def blocked(blocks: tuple[Block, ...]) -> str:
    """A run that was refused before any write."""
    lines = [f"{block.id}: {block.reason}; {block.fix}" for block in blocks[:SHOWN]]
    return _list(f"Refused: {counted(len(blocks), 'object')} cannot be written. Nothing was written.", lines, len(blocks))


def locked(holder: str) -> str:
    """Somebody else writes."""
    if is_operator(holder):
        return (
            f"The {holder} holds the Lease of this environment, and writes what git says. Nothing was written. "
            "Push a commit, or stop it first: fleet runs shows what it does, fleet pause keeps it from writing."
        )
    return f"{holder} holds the Lease of this environment. Nothing was written. Wait for it to end, or let it do the work."


def never_begun(why: str) -> str:
    """The target did not answer, and no write was sent."""
    return f"{why}. Nothing was written."


def lost(why: str, fix: str, outcomes: Iterable[Outcome], steps: int) -> str:
    """The target stopped answering in the middle."""
    outcomes = tuple(outcomes)
    rest = steps - len(outcomes)
    return (
        f"The target stopped answering: {why} ({applied(outcomes)}; of {rest} more steps it is not known, or they were not begun).\n"
        f"The inventory knows all that may have been written. {fix[:1].upper()}{fix[1:]}, then apply again to go on."
    )


def preflight(refused: Mapping[ObjectId, Refused], outcomes: Iterable[Outcome]) -> str:
    """The server refused something once its namespace was there."""
    lines = [f"{id}: {answer.status} {answer.reason}: {answer.message}; {fix(answer)}" for id, answer in list(refused.items())[:SHOWN]]
    head = f"The preflight refused {counted(len(refused), 'object')}. Only namespaces and accounts were written ({applied(outcomes)})."
    return _list(head, lines, len(refused))


def failed(outcomes: Iterable[Outcome], rest: int) -> str:
    """Writes failed."""
    outcomes = tuple(outcomes)
    bad = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    head = f"{counted(len(bad), 'write')} failed ({applied(outcomes)}, {rest} not tried). The inventory knows what was written; apply again to go on."
    return _list(head, [f"{outcome.id}: {outcome.reason}" for outcome in bad[:SHOWN]], len(bad))


def stopped(reason: str, outcomes: Iterable[Outcome]) -> str:
    """Somebody ended the run."""
    return f"Stopped: {reason} ({applied(outcomes)}). The inventory is consistent; apply again to go on."


def unhealthy(what: str, sick: Mapping[ObjectId, Failed], rest: int) -> str:
    """A wave did not become healthy."""
    head = f"{what.capitalize()}: {len(sick)} not healthy, so the run stopped here. {rest} later steps were not begun; mend it and apply again to go on."
    return _list(head, [f"{id}: {health.reason}" for id, health in list(sick.items())[:SHOWN]], len(sick))


def late(what: str, slow: Mapping[ObjectId, Progressing], rest: int, seconds: float) -> str:
    """A wave took too long."""
    head = f"{what.capitalize()}: not healthy after {seconds:g} s, and nothing has failed. {rest} later steps were not begun; apply again to wait on."
    return _list(head, [f"{id}: {health.reason}" for id, health in list(slow.items())[:SHOWN]], len(slow))


def unjudged(question: str, rest: int) -> str:
    """A wave waits for a person's word."""
    return f"{question[:1].upper()}{question[1:]}. {counted(rest, 'later step')} not begun."


def paused(steps: int) -> str:
    """A run of which everything is paused."""
    return f"All that there is to do is paused: {counted(steps, 'step')}. fleet resume lets it go on."


def left_out(outcomes: Collection[Outcome], questions: Iterable[str]) -> str:
    """What a run had to leave out, and why."""
    texts = tuple(questions)
    asked = [f"{text[:1].upper()}{text[1:]}." for text in texts]
    reasons = list(dict.fromkeys(one.owner if one.reason in texts else f"{one.owner}: {one.reason}" for one in outcomes))
    return _list(" ".join([f"{counted(len(outcomes), 'step')} left out.", *asked]), reasons[:SHOWN], len(reasons))


def held(plan: Plan, environment: str) -> str:
    """Guards hold deletions."""
    steps = [step for step in plan.steps if is_guarded(step)]
    number = taken_down(steps)
    owners = sorted({owner_of_step(step) for step in steps})
    head = (
        f"Everything else is applied. Guards hold {counted(number, 'step')} that would take down {counted(len(owners), 'resource')}:"
        " a namespace, a claim, or more than this environment lets go at once.\n"
        f"If that is meant: fleet apply --env {environment} --allow-delete={number}"
    )
    return _list(head, owners[:SHOWN], len(owners))


def _list(head: str, lines: list[str], total: int) -> str:
    more = [f"and {total - len(lines)} more"] if total > len(lines) else []
    return "\n  ".join([head, *lines, *more])
