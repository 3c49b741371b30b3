"""Codes of the commands that hold, release and roll back."""

from __future__ import annotations

from reconciler.model.findings import Code, error

UNKNOWN = error(
    "HLD010",
    "no such service",
    "The name is that of no service in this fleet. Write it as its file is called, with its tenant where two tenants have one of "
    "that name: `fleet rollback platform/web`.",
)
AMBIGUOUS = error(
    "HLD011", "a name that several tenants have", "Nothing is guessed: put the tenant in front, such as `fleet hold platform/web`."
)
HELD_ALREADY = error(
    "HLD012",
    "already held",
    "Somebody pinned this service, for a reason that stands in its spec. Taking the hold over would lose that reason.\n\n"
    "Fix: `fleet release NAME` first, or `--replace`, which puts the new hold in the place of the old one.",
)
NOT_HELD = error("HLD013", "not held", "The spec has no `forceImageTag`, so there is nothing to release. `fleet status` lists all holds.")
NO_PREV = error(
    "HLD014",
    "no previous build",
    "`prev` is the newest build in the lock that is not the current one and not marked bad. This image has none: it was built "
    "once only, or every earlier build is bad.\n\nFix: name a tag, or build one that works.",
)
UNLOCKED = error(
    "HLD015",
    "nothing to hold on to",
    "The lock of this environment has no build of the image, so nobody knows what would be pinned.\n\n"
    "Fix: name a tag with `--to`; `--unsafe` allows one that never passed the gate.",
)
SAME = error(
    "HLD016",
    "already the current build",
    "A rollback to the build that is current changes nothing. To keep it through the next update of the lock, use `fleet hold NAME`.",
)
BROKEN = error(
    "HLD017",
    "a spec that does not parse cannot be held",
    "What the spec says is not known, so no line of it is edited.\n\nFix: see `fleet lint`; "
    "or put the file back as it was: `fleet rollback --revision REV`.",
)
PAST = error("HLD018", "a hold that ends before it begins", "`until` is the day on which somebody should have released the hold.")
NO_HOLD = error(
    "HLD019",
    "a hold that cannot be written",
    "A tag is one of a registry: up to 128 letters, digits, dots, dashes and underscores. A reason has up to 2000 characters.",
)
CODES: tuple[Code, ...] = (UNKNOWN, AMBIGUOUS, HELD_ALREADY, NOT_HELD, NO_PREV, UNLOCKED, SAME, BROKEN, PAST, NO_HOLD)
