"""Told: what came of a build, in sentences and in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, assert_never

from pipelines.core.visible import visible
from pipelines.model.outcome import Failed, Outcome, Part, Passed, Refused, Skipped, Unchanged
from reconciler.shell.exits import Exit

if TYPE_CHECKING:  # of nothing to do nothing is judged
    from pipelines.model.verdict import Verdict

LAST = 20
"""Lines of a log that are shown."""


def word(outcome: Outcome) -> str:
    """What came of an image, in a word or two."""
    match outcome:
        case Unchanged():
            return "unchanged"
        case Passed(is_new=is_new):
            return "built" if is_new else "from cache"
        case Part():
            return "built in part"
        case Refused():
            return "gate failed"
        case Failed(phase=phase):
            return f"failed at {phase}"
        case Skipped():
            return "skipped"
        case _:
            assert_never(outcome)


def line(name: str, outcome: Outcome) -> str:
    """What came of an image, in a line."""
    return f"{name}: {word(outcome)}  {about(outcome)}"


def about(outcome: Outcome) -> str:
    """The rest of the line."""
    match outcome:
        case Unchanged(build=build):
            return f"{build.tag}  {build.digest[7:19]}"
        case Passed(pinned=pinned, seconds=seconds, verdict=verdict):
            return f"{pinned.digest[7:19]}  {seconds:.0f} s  {_gate(verdict)}"
        case Part(passed=passed, missing=missing):
            return f"{', '.join(passed)} passed; {', '.join(missing)} is not in the cache yet"
        case Refused(verdict=verdict):
            return _gate(verdict)
        case Failed(message=message):
            return message
        case Skipped(because=because):
            return because
        case _:
            assert_never(outcome)


def more(outcome: Outcome, heirs: Mapping[str, int]) -> Iterator[str]:
    """What is to be said besides: why a gate failed, how to mend what went wrong, the end of its log."""
    match outcome:
        case Passed(verdict=verdict) | Refused(verdict=verdict):
            yield from _below(verdict, heirs)
        case Failed(fix=fix, log=log):
            if fix:
                yield f"  help: {fix}"
            yield from (f"  | {visible(line, 500)}" for line in log.splitlines()[-LAST:])
        case Part(passed=passed):
            for one in passed.values():
                yield from _below(one.verdict, heirs)
        case Unchanged() | Skipped():
            pass
        case _:
            assert_never(outcome)


def _gate(verdict: Verdict) -> str:
    from pipelines.core.tell import headline

    return headline(verdict).partition(": ")[2]


def _below(verdict: Verdict, heirs: Mapping[str, int]) -> list[str]:
    from pipelines.core.tell import sentences

    return list(sentences(verdict, heirs))[1:]


def exit_of(outcomes: Mapping[str, Outcome]) -> Exit:
    """The exit code of a build that ended so."""
    if any(isinstance(one, Failed) for one in outcomes.values()):
        return Exit.PARTLY
    return Exit.FINDINGS if any(isinstance(one, Refused | Skipped) for one in outcomes.values()) else Exit.OK


def as_json(name: str, outcome: Outcome, tag: str) -> dict[str, Any]:
    """One image."""
    said: dict[str, Any] = {"image": name, "outcome": word(outcome), "about": about(outcome)}
    match outcome:
        case Unchanged(build=build):
            return {**said, "tag": build.tag, "digest": build.digest}
        case Passed(pinned=pinned, key=key, seconds=seconds):
            return {**said, "tag": tag, "digest": pinned.digest, "key": key, "seconds": round(seconds, 1)}
        case _:
            return said
