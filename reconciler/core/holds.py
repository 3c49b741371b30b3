"""Holds as edits: rollback, hold and release turn into one changed line of one spec, or a finding that says why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import ValidationError

from reconciler.core.choose import NOT_GATED
from reconciler.core.codes import holds as codes
from reconciler.core.edit import NotEdited, add_key, remove_key
from reconciler.core.suggest import did_you_mean, listed
from reconciler.model.documents import SourceTree
from reconciler.model.findings import Finding, Place
from reconciler.model.fleet import Environment, Fleet, Resource
from reconciler.model.holds import Hold, ImageUse
from reconciler.model.kind import Kind
from reconciler.model.lock import Builds, Lock
from reconciler.model.refs import Ref
from reconciler.model.spec import Spec
from reconciler.model.value import dataclass

PREV = "prev"
FIELD = "forceImageTag"


@dataclass(frozen=True, slots=True)
class Edit:
    """One file, rewritten: to be committed alone, as long as it still is what it was `before`."""

    path: str
    before: bytes
    data: bytes
    message: str
    subject: Ref


@dataclass(frozen=True, slots=True)
class Pin:
    """Who wants a service pinned, and why."""

    reason: str
    by: str
    today: date
    until: date | None = None
    environments: tuple[str, ...] = ()
    """Where; empty means everywhere."""
    unsafe: bool = False
    """A tag that never passed the gate will do."""
    replace: bool = False
    """An earlier hold gives way."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the verbs look at: the fleet with its files, and one environment with its lock."""

    fleet: Fleet
    tree: SourceTree
    kinds: tuple[Kind, ...]
    environment: Environment
    lock: Lock


@dataclass(frozen=True, slots=True)
class _Target:
    resource: Resource[Spec]
    use: ImageUse
    builds: Builds | None
    file: bytes

    @property
    def place(self) -> Place:
        return self.resource.document.place(("spec", FIELD))

    @property
    def name(self) -> str:
        return self.resource.ref.short


def rollback(scene: Scene, name: str, to: str, pin: Pin) -> Edit | Finding:
    """Pin a service to another build: `prev`, or a tag."""
    target = _find(scene, name)
    if isinstance(target, Finding):
        return target
    tag = _previous(scene, target) if to == PREV else to
    if isinstance(tag, Finding):
        return tag
    current = target.builds.current if target.builds else None
    if current and tag == current.tag and not target.use.hold:
        fix = f"fleet hold {target.name}, if it is to stay through the next update"
        return codes.SAME.at(target.place, f"{tag} is already the current build of {target.use.image.short}", fix, target.resource.ref)
    return _pin(scene, target, tag, f"Roll {target.resource.ref.name} back to {tag}", pin)


def hold(scene: Scene, name: str, pin: Pin, tag: str = "") -> Edit | Finding:
    """Pin a service to what the lock has it run now (or to `tag`, where somebody looked at what really runs)."""
    target = _find(scene, name)
    if isinstance(target, Finding):
        return target
    if not tag and target.builds is None:
        message = f"{scene.environment.lock} has no build of {target.use.image.short}"
        return codes.UNLOCKED.at(target.place, message, "name a tag with --to", target.resource.ref)
    tag = tag or (target.builds.current.tag if target.builds else "")
    return _pin(scene, target, tag, f"Hold {target.resource.ref.name} at {tag}", pin)


def release(scene: Scene, name: str, by: str, reason: str = "") -> Edit | Finding:
    """Lift the hold of a service: it runs what the lock says again."""
    target = _find(scene, name)
    if isinstance(target, Finding):
        return target
    if target.use.hold is None:
        return codes.NOT_HELD.at(
            target.resource.document.place(), f"{target.name} is not held", "fleet status lists all holds", target.resource.ref
        )
    was = target.use.hold
    facts = {"By": by, "Service": target.name, "Held at": was.tag, "Held by": was.by, "Because": was.reason}
    try:
        data = remove_key(target.resource.document.path, target.file, ("spec", FIELD))
    except NotEdited as fault:
        return fault.finding
    return _edit(target, data, _message(f"Release {target.resource.ref.name} from {was.tag}", reason, facts))


def _find(scene: Scene, name: str) -> _Target | Finding:
    """The service that people mean by `web` or `platform/web`."""
    kinds = {kind.name: kind for kind in scene.kinds if FIELD in (field.alias for field in kind.spec.model_fields.values())}
    holdable = [resource for ref, resource in scene.fleet.resources.items() if ref.kind in kinds]
    found = [resource for resource in holdable if name in (resource.ref.short, resource.ref.name)]
    for broken in sorted(scene.fleet.broken):
        if broken.kind in kinds and name in (broken.short, broken.name) and not found:
            return codes.BROKEN.at(_broken_place(scene.fleet, broken), f"{broken.short} does not parse", "fleet lint says why", broken)
    if not found:
        fix = did_you_mean(
            name, [resource.ref.short if "/" in name else resource.ref.name for resource in holdable], "fleet status lists all services"
        )
        return codes.UNKNOWN.at(Place("specs"), f"there is no service `{name[:100]}`", fix)
    if len(found) > 1:
        message = f"{listed(sorted(resource.tenant for resource in found))} each have a service `{name}`"
        return codes.AMBIGUOUS.at(Place("specs"), message, f"name one, such as {found[0].ref.short}")
    resource = found[0]
    use = kinds[resource.ref.kind].image(resource)
    assert use is not None
    return _Target(resource, use, scene.lock.builds(use.image.short), scene.tree.files[resource.document.path])


def _broken_place(fleet: Fleet, broken: Ref) -> Place:
    return next((finding.place for finding in fleet.findings if finding.subject == broken), Place("specs"))


def _previous(scene: Scene, target: _Target) -> str | Finding:
    image = target.use.image.short
    if target.builds is None:
        message = f"{scene.environment.lock} has no build of {image}"
        return codes.UNLOCKED.at(target.place, message, "name a tag with --to", target.resource.ref)
    if target.builds.previous is None:
        message = f"{image} has no build before {target.builds.current.tag} that is not marked bad"
        return codes.NO_PREV.at(target.place, message, "name a tag with --to", target.resource.ref)
    return target.builds.previous.tag


def _pin(scene: Scene, target: _Target, tag: str, subject: str, pin: Pin) -> Edit | Finding:
    if refusal := _refusal(scene, target, tag, pin):
        return refusal
    gated = _is_gated(scene, target, tag)
    was = target.builds.current.tag if target.builds else ""
    fields = {
        "tag": tag,
        "reason": pin.reason,
        "by": pin.by,
        "until": pin.until,
        "environments": list(pin.environments),
        "unsafe": not gated,
    }
    facts = {
        "By": pin.by,
        "Service": target.name,
        "Was": was if was != tag else "",
        "Until": pin.until,
        "Only in": ", ".join(pin.environments),
    }
    if not gated:
        facts["Unsafe"] = "this tag never passed the gate"
    keys = tuple(target.resource.document.value["spec"])
    try:
        data = with_hold(target.resource.document.path, target.file, keys, {name: value for name, value in fields.items() if value})
    except NotEdited as fault:
        return fault.finding
    return _edit(target, data, _message(subject, pin.reason, facts))


def _refusal(scene: Scene, target: _Target, tag: str, pin: Pin) -> Finding | None:
    ref, held = target.resource.ref, target.use.hold
    if held is not None and not pin.replace and held.tag != PREV:
        why = ", ".join(filter(None, (held.by and f"by {held.by}", held.reason)))
        message = f"{target.name} is already held at {held.tag}" + (f" ({why})" if why else "")
        return codes.HELD_ALREADY.at(target.place, message, f"fleet release {target.name} first, or say --replace", ref)
    if pin.until and pin.until < pin.today:
        return codes.PAST.at(target.place, f"until {pin.until} is past", "name a day to come", ref)
    try:
        Hold(tag=tag, reason=pin.reason or None, by=pin.by or None)
    except ValidationError as fault:
        wrong = fault.errors()[0]
        message = f"`{str(wrong['input'])[:40]}` is not a {wrong['loc'][0]}"
        return codes.NO_HOLD.at(target.place, message, "fleet explain HLD019", ref)
    if not _is_gated(scene, target, tag) and not pin.unsafe:
        tags = ", ".join(build.tag for build in target.builds.builds) if target.builds else "none"
        message = f"{tag[:128]} of {target.use.image.short} never passed the gate"
        return NOT_GATED.at(target.place, message, f"gated builds in {scene.environment.lock}: {tags}; or say --unsafe", ref)
    return None


def _is_gated(scene: Scene, target: _Target, tag: str) -> bool:
    """An environment that runs what nobody locked has no gate to pass."""
    if target.builds is None:
        return scene.environment.unlocked == "tag"
    return target.builds.tagged(tag) is not None


def with_hold(path: str, data: bytes, keys: Sequence[str], fields: Mapping[str, Any]) -> bytes:
    """The file with the hold on one line behind the image, or where the one before it stood. `keys` are those of its `spec`. Raises NotEdited."""
    after = next((key for key in ("image", "build") if key in keys), None)
    if FIELD in keys:
        after = keys[keys.index(FIELD) - 1] if keys[0] != FIELD else after
        data = remove_key(path, data, ("spec", FIELD))
    return add_key(path, data, ("spec",), FIELD, fields, after)


def _edit(target: _Target, data: bytes, message: str) -> Edit:
    return Edit(target.resource.document.path, target.file, data, message, target.resource.ref)


def _message(subject: str, reason: str, facts: Mapping[str, object]) -> str:
    """What, why, who: as git's readers expect, with a subject of its own and facts as trailers."""
    trailers = "\n".join(f"{name}: {_one_line(value)}" for name, value in facts.items() if value)
    return "\n\n".join(filter(None, (subject, _one_line(reason), trailers))) + "\n"


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def holding(fleet: Fleet, kinds: Iterable[Kind]) -> Mapping[Ref, Hold]:
    """Every hold of the fleet by who is held: for a lock that must keep their builds."""
    uses = ((ref, kind.image(resource)) for kind in kinds for ref, resource in fleet.resources.items() if ref.kind == kind.name)
    return {ref: use.hold for ref, use in uses if use and use.hold}
