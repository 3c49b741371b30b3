"""Propose: a build that was put back as a change of the repository: on which branch, which line of which file, in which words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.core.address import seen
from reconciler.core.edit import NotEdited
from reconciler.core.holds import FIELD, with_hold
from reconciler.core.load import load
from reconciler.core.put_back import OPERATOR
from reconciler.kinds import KINDS
from reconciler.model.canonical import short
from reconciler.model.findings import errors
from reconciler.model.holds import Hold
from reconciler.model.refs import Ref
from reconciler.model.spec import NAME_PATTERN
from reconciler.model.value import dataclass

_REASON = 400
_SHOWN = 60
"""Characters of a tag in the name of a branch, which git may keep as the name of a file."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_TITLE = 250
"""Characters; GitHub takes 256."""


class NotProposed(Exception):
    """There is nothing to propose, and there will not be. The message says why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A hold of the operator, for git to take over."""

    ref: Ref
    environment: str
    hold: Hold
    failed: str
    """Tag of the build that failed."""
    branch: str

    @property
    def path(self) -> str:
        """Of the spec, from the folder of the fleet."""
        kind = next(kind for kind in KINDS if kind.name == self.ref.kind)
        return f"specs/{kind.folder}/{self.ref.short}.yaml"

    @property
    def title(self) -> str:
        """One line for people."""
        return f"Hold {self.ref.short} at {self.hold.tag}: {self.failed} did not become healthy in {self.environment}"[:_TITLE]

    @property
    def commit(self) -> str:
        """A commit's message. Why is in the file alone: what pods wrote could close an issue here, or call somebody."""
        facts = {"By": OPERATOR, "Service": self.ref.short, "Was": self.failed, "Only in": self.environment}
        return f"Hold {self.ref.name} at {self.hold.tag}\n\n" + "".join(f"{name}: {value}\n" for name, value in facts.items())

    @property
    def text(self) -> str:
        """What the pull request says, as Markdown. What strangers wrote stands in it as code, in which nothing is a link or calls anybody."""
        why = (self.hold.reason or "it did not become healthy").replace("`", "'")
        return (
            f"The operator of `{self.environment}` gave up a build of `{self.ref.short}` and put an earlier one back.\n\n"
            f"| | |\n|---|---|\n| failed | `{self.failed}` |\n| runs now | `{self.hold.tag}` |\n\n"
            f"Why:\n\n```text\n{why}\n```\n\n"
            f"So far the hold is in the inventory of `{self.environment}` alone, and ends when a commit gives the service another image. "
            f"Merging this makes it permanent in git, for `{self.environment}`: nothing newer is rolled out there until somebody lifts it.\n\n"
            f"`fleet release {self.ref.short}` undoes it: before the merge the failed build is tried once more, afterwards the line is taken out "
            "of the spec. If the build is mended by a new one, close this.\n"
        )


def proposal(letter: Mapping[str, Any]) -> Proposal:
    """What a letter asks for. Raises NotProposed where it is none: the database may hold anything."""
    try:
        fleet, environment, told = letter["fleet"], letter["environment"], letter["about"][0]
        kind, tenant, name = told["ref"].split("/")
        failed, why = told["failed"], told.get("reason") or told["message"]
        reason = seen(str(why))[:_REASON].strip() or None
        hold = Hold(tag=told["tag"], reason=reason, by=OPERATOR, environments=(environment,))
        Hold(tag=failed)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise NotProposed("what was spooled is no build that was put back") from None
    ref = Ref(kind, name, tenant)
    if not all(re.fullmatch(NAME_PATTERN, one) for one in (tenant, name, environment)) or kind not in {
        one.name for one in KINDS if _is_held(one.spec)
    }:
        raise NotProposed("what was spooled is no build that was put back")
    own = short([fleet, environment, str(ref), failed], 7)  # names with `-` in them look alike when they are joined
    return Proposal(ref, environment, hold, failed, f"fleet/hold-{tenant}-{name}-{_UNSAFE.sub('-', failed)[:_SHOWN]}-{own}")


def _is_held(spec: Any) -> bool:
    return FIELD in {field.alias for field in spec.model_fields.values()}


def proposed(wanted: Proposal, data: bytes) -> bytes | None:
    """The spec with the hold in it; None where one is there. Raises NotProposed where it cannot be edited."""
    loaded = load(wanted.path, data)
    if errors(loaded.findings):
        raise NotProposed(f"{wanted.path} does not parse")
    spec = loaded.value.get("spec") if isinstance(loaded.value, dict) else None
    if not isinstance(spec, dict) or not spec:
        raise NotProposed(f"{wanted.path} has no spec")
    if FIELD in spec:
        return None
    fields = wanted.hold.model_dump(by_alias=True, exclude_defaults=True, mode="json")
    try:
        return with_hold(wanted.path, data, list(spec), fields)
    except NotEdited as fault:
        raise NotProposed(fault.finding.message) from None
