"""Subjects: the resources that a command line names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from reconciler.core.holds import PREV
from reconciler.core.world import Options
from reconciler.model.fleet import Fleet
from reconciler.model.holds import Hold
from reconciler.model.refs import Ref
from reconciler.shell.refusal import Refusal

FORCED = "FORCE_IMAGE_TAG"


def named(fleet: Fleet, name: str, kind: str = "Service") -> Ref:
    """The resource that `web` or `platform/web` means. Refuses what does not exist and what is ambiguous."""
    known = sorted({*(ref for ref in fleet.resources if ref.kind == kind), *(ref for ref in fleet.broken if ref.kind == kind)})
    tenant, slash, bare = name.rpartition("/")
    found = [ref for ref in known if ref.name == bare and (not slash or ref.tenant == tenant)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refusal(f"several tenants have a {kind} {name!r}", "write " + " or ".join(ref.short for ref in found))
    near = difflib.get_close_matches(name, [*(ref.name for ref in known), *(ref.short for ref in known)], 1)
    raise Refusal(f"there is no {kind} {name!r}", f"did you mean {near[0]}?" if near else f"fleet status lists every {kind}")


def chosen(fleet: Fleet, names: Iterable[str]) -> tuple[Ref, ...]:
    """The services of `--service`."""
    return tuple(named(fleet, name) for name in names)


def forced_holds(refs: tuple[Ref, ...]) -> Mapping[Ref, Hold]:
    """The one-off of `FORCE_IMAGE_TAG=TAG`: it needs a service to be about."""
    tag = os.environ.get(FORCED)
    if not tag:
        return {}
    if not refs:
        raise Refusal(f"{FORCED} is set and no service is named", f"add --service NAME, or unset {FORCED}")
    if tag == PREV:
        raise Refusal(
            f"{FORCED} is {PREV}, which would mean another build tomorrow", f"fleet rollback {refs[0].short} --to {PREV} picks one"
        )
    try:
        hold = Hold(tag=tag, reason=f"one-off by {FORCED}")
    except ValidationError:
        raise Refusal(f"{FORCED} is no image tag: {tag[:128]!r}", "a tag has up to 128 letters, digits, `_`, `.` and `-`") from None
    return dict.fromkeys(refs, hold)


def options_of(
    refs: tuple[Ref, ...], *, adopt: bool, no_prune: bool, prune_unplaced: bool, allow_delete: int | None, preflight: bool = True
) -> Options:
    """What the plan may do, from flags."""
    return Options(
        adopt=adopt,
        preflight=preflight,
        prune=not no_prune,
        prune_unplaced=prune_unplaced,
        allow_delete=allow_delete,
        only=frozenset(map(str, refs)),
    )
