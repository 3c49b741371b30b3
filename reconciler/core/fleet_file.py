"""Read `fleet.yaml`: the fleet's own settings, and whether what it says about itself holds together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reconciler.core.codes import fleet as codes
from reconciler.core.codes import specs
from reconciler.core.envelope import envelope
from reconciler.core.load import load
from reconciler.core.suggest import did_you_mean, listed
from reconciler.core.validate import validate
from reconciler.model.documents import FLEET_FILE, Document, SourceTree
from reconciler.model.findings import Finding, Place, Pointer
from reconciler.model.fleet import EnvironmentSpec, FleetSpec
from reconciler.model.refs import FLEET
from reconciler.model.spec import LABEL_LENGTH

_PRODUCTION = frozenset({"production", "prod"})


class Head(NamedTuple):
    """What `fleet.yaml` says. `spec` is None where it is missing or broken."""

    name: str
    spec: FleetSpec | None
    document: Document | None
    findings: tuple[Finding, ...]


def read_fleet(tree: SourceTree) -> Head:
    """`fleet.yaml` of the source, checked by itself."""
    data = tree.files.get(FLEET_FILE)
    if data is None and FLEET_FILE in tree.refused:  # which says why
        return Head("", None, None, ())
    if data is None:
        fix = "git mv fleet.yml fleet.yaml" if "fleet.yml" in tree.files else "`fleet init` writes one"
        missing = codes.NO_FLEET.at(Place(FLEET_FILE), "there is no fleet.yaml", fix, FLEET)
        return Head("", None, None, (missing,))
    loaded = load(FLEET_FILE, data, FLEET)
    if not isinstance(loaded.value, dict):
        shape = specs.WRONG_TYPE.at(Place(FLEET_FILE, 1, 1), "must be a mapping", "begin with `apiVersion:`", FLEET)
        return Head("", None, None, loaded.findings or (shape,))
    document = Document(FLEET, FLEET_FILE, loaded.value, loaded.marks)
    metadata, wrong = envelope(document, FLEET.kind)
    found = [*loaded.findings, *wrong]
    spec = None
    if "spec" in loaded.value:
        spec, unfit = validate(FleetSpec, loaded.value["spec"], document, ("spec",))
        found += unfit
    if spec is not None:
        found += (*_coherent(spec, document), *_ids(spec, metadata.name if metadata else "", document))
    return Head(metadata.name if metadata else "", None if found else spec, document, tuple(found))


def declared_values(head: Head) -> Mapping[str, Any] | None:
    """The values that `fleet.yaml` declares, with their defaults; as well as can be told while it is broken, None where it cannot."""
    if head.spec is not None:
        return head.spec.values
    spec = head.document.value.get("spec") if head.document else None
    values = spec.get("values", {}) if isinstance(spec, dict) else None
    return values if isinstance(values, dict) else None


def _coherent(spec: FleetSpec, document: Document) -> Iterator[Finding]:
    default, place = spec.default_environment, document.place(("spec", "defaultEnvironment"))
    if default not in spec.environments:
        fix = did_you_mean(default, spec.environments, "declare it under `environments`")
        yield codes.DEFAULT_ENVIRONMENT.at(place, f"there is no environment `{default}`", fix, FLEET)
    elif default in _PRODUCTION:
        fix = f"name another environment; write `--env {default}` where it is meant"
        yield codes.DEFAULT_ENVIRONMENT.at(place, "a bare `fleet apply` must not reach production", fix, FLEET)
    for machine in spec.observability:
        if machine not in spec.machines:
            yield _unknown_machine(document.key_place(("spec", "observability", machine)), machine, spec)
    for name, environment in spec.environments.items():
        yield from _environment(("spec", "environments", name), environment, spec, document)


def _unknown_machine(place: Place, machine: str, spec: FleetSpec) -> Finding:
    return codes.UNKNOWN_NAME.at(
        place, f"there is no machine `{machine}`", did_you_mean(machine, spec.machines, "declare it under `machines`"), FLEET
    )


def _environment(base: Pointer, environment: EnvironmentSpec, spec: FleetSpec, document: Document) -> Iterator[Finding]:
    targets = [name for name in ("kubernetes", "local", "memory") if getattr(environment.target, name) is not None]
    if len(targets) != 1:
        message = f"{listed(targets)} are given; a target is one of them" if targets else "the target says no place"
        fix = "give exactly one of `kubernetes: {}`, `local: {}` and `memory: {}`"
        yield codes.TARGET.at(document.place((*base, "target")), message, fix, FLEET)
    yield from _stand_ins(base, environment, spec, document)
    for name, value in environment.values.items():
        pointer = (*base, "values", name)
        if name not in spec.values:
            fix = did_you_mean(name, spec.values, f"declare `{name}` with a default under `spec.values`")
            yield codes.UNKNOWN_VALUE.at(document.key_place(pointer), f"the fleet declares no value `{name}`", fix, FLEET)
        elif type(value) is not type(spec.values[name]):
            message = f"`{name}` is {_type(spec.values[name])} in the fleet and {_type(value)} here"
            yield codes.VALUE_TYPE.at(document.place(pointer), message, "give a value of the fleet's type", FLEET)


def _stand_ins(base: Pointer, environment: EnvironmentSpec, spec: FleetSpec, document: Document) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for machine, settings in (environment.machines or {}).items():
        for index, name in enumerate(settings.stands_for):
            place = document.place((*base, "machines", machine, "standsFor", index))
            if name not in spec.machines:
                yield _unknown_machine(place, name, spec)
            elif taken.setdefault(name, machine) != machine:
                message = f"`{taken[name]}` stands for `{name}` already"
                yield codes.STANDS_TWICE.at(place, message, "take it out of one of the two", FLEET)


def _ids(spec: FleetSpec, fleet: str, document: Document) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for name, environment in spec.environments.items():
        id = environment.id or f"{fleet}-{name}"
        if len(id) > LABEL_LENGTH:
            message = f"the id `{id}` has {len(id)} characters; at most {LABEL_LENGTH} fit into a label"
            yield codes.LONG_ID.at(document.place(("spec", "environments", name)), message, "give it a shorter one with `id`", FLEET)
        if first.setdefault(id, name) != name:
            place = document.place(("spec", "environments", name, "id"))
            yield codes.SAME_ID.at(place, f"`{first[id]}` has the id `{id}` already", "give each environment its own", FLEET)


def _type(value: object) -> str:
    return {bool: "a truth value", int: "a whole number", float: "a number with a point"}.get(type(value), "text")
