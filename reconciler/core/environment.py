"""Environments: one of them with the fleet's defaults merged in."""

from __future__ import annotations

import difflib

from reconciler.model.findings import Code, Finding, Place, error
from reconciler.model.fleet import Environment, Fleet, FleetSpec, Machine
from reconciler.model.refs import FLEET

UNKNOWN = error(
    "ENV001",
    "no such environment",
    "`--env NAME` (or `defaultEnvironment`) names an environment that `fleet.yaml` does not declare under `spec.environments`.",
)
CODES: tuple[Code, ...] = (UNKNOWN,)


def environment(fleet: Fleet, name: str | None) -> Environment | Finding:
    """The environment of that name (None: the default one), or the finding that there is none. The fleet's spec must stand."""
    assert fleet.spec is not None
    spec = fleet.spec
    wanted = name or spec.default_environment
    if wanted not in spec.environments:
        return _unknown(fleet, wanted, declared=name is None)
    own = spec.environments[wanted]
    machines, stands_for = _machines(spec, own.machines)
    registry = own.registry or spec.registry
    return Environment(
        name=wanted,
        id=own.id or f"{fleet.name}-{wanted}",
        target=own.target,
        registry=registry,
        cache=own.cache or spec.cache or f"{registry}/cache",
        image_pull_secret=own.image_pull_secret,
        lock=own.lock,
        builder=own.builder or spec.builder,
        namespace_prefix=own.namespace_prefix,
        machines=machines,
        stands_for=stands_for,
        sync=own.sync or spec.sync,
        values={**spec.values, **own.values},
        assume_hardware=own.assume_hardware,
        unlocked=own.unlocked,
        bases=own.bases,
        signing=own.signing or spec.signing,
    )


def _machines(spec: FleetSpec, own: dict[str, Machine] | None) -> tuple[dict[str, Machine], dict[str, str]]:
    if own is None:
        return dict(spec.machines), {name: name for name in spec.machines}
    stands_for = {name: name for name in own}
    for name, machine in own.items():
        stands_for.update(dict.fromkeys(machine.stands_for, name))
    return dict(own), stands_for


def _unknown(fleet: Fleet, wanted: str, *, declared: bool) -> Finding:
    assert fleet.spec is not None
    names = sorted(fleet.spec.environments)
    near = difflib.get_close_matches(wanted, names, 1)
    place = fleet.document.place(("spec", "defaultEnvironment")) if declared and fleet.document else Place("fleet.yaml")
    fix = f"did you mean {near[0]}?" if near else f"use one of: {', '.join(names)}"
    return UNKNOWN.at(place, f"there is no environment {wanted!r}", fix, FLEET)
