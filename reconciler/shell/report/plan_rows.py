"""Rows: a plan's steps gathered by wave and resource, one line each, as every report shows them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from reconciler.core.aside import is_guarded
from reconciler.model.manifests import RANK, ObjectId, Stage
from reconciler.model.plan import Block, Create, Delete, Plan, Step, Update, step_id
from reconciler.model.refs import Ref
from reconciler.model.workload import OWN_ENV
from reconciler.shell.report.plan_escape import visible
from reconciler.shell.report.plan_values import label, pair, without_password


class Sign(StrEnum):
    """What happens to a resource, in one letter that needs no colour."""

    ADD = "+"
    CHANGE = "~"
    DELETE = "-"
    BLOCK = "!"


@dataclass(frozen=True, slots=True)
class Field:
    """One changed field, as text. `told` says that another field implies it."""

    name: str
    before: str
    after: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to one resource in one wave."""

    sign: Sign
    owner: Ref
    group: Group
    objects: tuple[ObjectId, ...]
    fields: tuple[Field, ...] = ()
    because: tuple[str, ...] = ()
    help: str = ""
    """What to do about a block."""
    is_guarded: bool = False

    @property
    def tenant(self) -> str:
        """The first column."""
        return visible(self.owner.tenant or self.owner.name)

    @property
    def name(self) -> str:
        """The second column: the resource, or the kind where the tenant itself is meant."""
        return visible(self.owner.name if self.owner.tenant else f"({self.owner.kind.lower()})")

    @property
    def what(self) -> str:
        """The third column: its objects by kind, in the order in which they are written."""
        counted = Counter(visible(id.kind) for id in self.objects)
        return ", ".join(kind if count == 1 else f"{count} {_plural(kind)}" for kind, count in counted.items())

    @property
    def telling(self) -> tuple[Field, ...]:
        """Fields that are not implied by others; all where each is."""
        return tuple(field for field in self.fields if not field.told) or self.fields

    @property
    def first(self) -> str:
        """The first field, for one line; empty where none changes."""
        fields = self.telling
        more = f" and {len(fields) - 1} more" if len(fields) > 1 else ""
        return f"{fields[0].name} {fields[0].before} -> {fields[0].after}{more}" if fields else ""


def _plural(kind: str) -> str:
    """`NetworkPolicies`, `Ingresses`, `ConfigMaps`."""
    if kind.endswith("y"):
        return kind[:-1] + "ies"
    return kind + ("es" if kind.endswith("s") else "s")


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Steps that are done together."""

    rank: int
    wave: int
    title: str


def rows(plan: Plan, waves: Mapping[int, str], tags: Mapping[str, str]) -> tuple[Row, ...]:
    """All rows, in the order of an apply: namespaces and tenants, wave by wave, deletions last."""
    gathered: dict[tuple[Group, Sign, Ref, str], list[Step]] = defaultdict(list)
    for step in plan.steps:
        group = _group(step, waves)
        gathered[group, _sign(step), _owner(step), step.reason if isinstance(step, Block) else ""].append(step)
    found = [_row(sign, owner, group, steps, tags) for (group, sign, owner, _), steps in gathered.items()]
    return tuple(sorted(found, key=lambda row: (row.group, row.owner.tenant or row.owner.name, row.owner, _ORDER[row.sign], row.because)))


_ORDER = {Sign.BLOCK: 0, Sign.CHANGE: 1, Sign.ADD: 2, Sign.DELETE: 3}


def _group(step: Step, waves: Mapping[int, str]) -> Group:
    match step:
        case Create(manifest=manifest) | Update(manifest=manifest):
            stage, wave = manifest.stage, manifest.wave
        case Block(stage=stage, wave=wave):
            pass
        case Delete():
            return Group(3, 0, "deletions")
        case _:
            assert_never(step)
    if stage is Stage.WORKLOADS:
        return Group(2, wave, f"wave {wave}: {visible(waves[wave])}" if wave in waves else f"wave {wave}")
    return Group(int(stage), 0, "namespaces" if stage is Stage.NAMESPACES else "tenants")


def _sign(step: Step) -> Sign:
    match step:
        case Create():
            return Sign.ADD
        case Update():
            return Sign.CHANGE
        case Delete():
            return Sign.DELETE
        case Block():
            return Sign.BLOCK
        case _:
            assert_never(step)


def _owner(step: Step) -> Ref:
    match step:
        case Create(manifest=manifest) | Update(manifest=manifest):
            return manifest.owner
        case Delete(owner=owner) | Block(owner=owner):
            kind, *tenant, name = owner.split("/")
            return Ref(kind, name, "/".join(tenant))
        case _:
            assert_never(step)


def _row(sign: Sign, owner: Ref, group: Group, steps: list[Step], tags: Mapping[str, str]) -> Row:
    updates = [step for step in steps if isinstance(step, Update)]
    several = len({step.manifest.id.kind for step in updates}) > 1
    return Row(
        sign,
        owner,
        group,
        tuple(sorted((step_id(step) for step in steps), key=lambda id: (RANK.get((id.group, id.kind), len(RANK)), id))),
        tuple(field for step in updates for field in _fields(step, tags, f"{step.manifest.id.kind} " if several else "")),
        tuple(dict.fromkeys(visible(without_password(reason)) for step in steps for reason in _because(step))),
        next((visible(step.fix) for step in steps if isinstance(step, Block)), ""),
        any(is_guarded(step) for step in steps),
    )


def _fields(step: Update, tags: Mapping[str, str], prefix: str) -> Iterable[Field]:
    """A new image implies what the pod is told about it."""
    has_image = any(change.path.endswith("/image") for change in step.changes)
    for change in sorted(step.changes, key=lambda change: not change.path.endswith("/image")):
        name = label(change.path)
        before, after = pair(change, tags)
        yield Field(prefix + name, before, after, told=name.removeprefix("env ") in OWN_ENV and (has_image or name == "env SPEC_DIGEST"))


def _because(step: Step) -> tuple[str, ...]:
    match step:
        case Create(because=because):
            return because
        case Update(because=because, strips=strips):
            return (*because, f"removes what {', '.join(strips)} left") if strips else because
        case Delete(because=because):
            return because
        case Block(reason=reason):
            return (reason,)
        case _:
            assert_never(step)
