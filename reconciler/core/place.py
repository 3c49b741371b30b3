"""Placement: which machine a workload goes to, or why none. Also which machines are promised more than they have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from reconciler.model.documents import FLEET_FILE
from reconciler.model.findings import Code, Finding, Place, warning
from reconciler.model.fleet import Environment, Fleet, Machine
from reconciler.model.graph import Placed, Placement, Unplaced
from reconciler.model.holds import Needs
from reconciler.model.quantities import format_memory
from reconciler.model.refs import FLEET, Ref

OVERCOMMITTED = warning(
    "PLC001",
    "a machine is promised more than it has",
    "The services placed on one machine together ask for more memory (or GPU memory) than it has. Each fits alone, so nothing is refused; "
    "under load some will be evicted or fail to start. Move services with `machine:`, or give them a smaller `hardware` profile.",
)
CODES: tuple[Code, ...] = (OVERCOMMITTED,)


def place(needs: Needs, environment: Environment) -> Placement:
    """Where a workload with these needs goes in this environment. Decided for each alone: a full machine is a warning, not a reason."""
    name = environment.stands_for.get(needs.machine)
    if name is None:
        return Unplaced(f"no machine of {environment.name} stands for {needs.machine}")
    machine = environment.machines[name]
    if environment.assume_hardware:
        return Placed(name)
    reason = _misfit(needs, name, machine)
    return Unplaced(reason) if reason else Placed(name)


def _misfit(needs: Needs, name: str, machine: Machine) -> str:
    if needs.memory > machine.memory:
        return f"needs {format_memory(needs.memory)} of memory, {name} has {format_memory(machine.memory)}"
    if not needs.gpu_memory:
        return ""
    if machine.gpu is None:
        return f"needs a GPU, {name} has none"
    if needs.gpu_memory > machine.gpu.memory:
        return (
            f"needs {format_memory(needs.gpu_memory)} of GPU memory, {name}'s {machine.gpu.model} has {format_memory(machine.gpu.memory)}"
        )
    if needs.driver and _version(machine.gpu.driver) < _version(needs.driver):
        return f"needs NVIDIA driver {needs.driver} or later, {name} has {machine.gpu.driver}"
    return ""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def overcommitted(
    needs: Mapping[Ref, Needs], placements: Mapping[Ref, Placement], environment: Environment, fleet: Fleet
) -> Iterable[Finding]:
    """A warning for each machine whose services together ask for more than it has."""
    memory: dict[str, int] = defaultdict(int)
    gpu: dict[str, int] = defaultdict(int)
    for ref, placement in placements.items():
        if isinstance(placement, Placed):
            memory[placement.machine] += needs[ref].memory * needs[ref].replicas
            gpu[placement.machine] += needs[ref].gpu_memory * needs[ref].replicas
    for name, machine in environment.machines.items():
        if memory[name] > machine.memory:
            yield _warn(_declared(fleet, environment, name), name, environment, "memory", memory[name], machine.memory)
        if machine.gpu and gpu[name] > machine.gpu.memory:
            yield _warn(_declared(fleet, environment, name), name, environment, "GPU memory", gpu[name], machine.gpu.memory)


def _declared(fleet: Fleet, environment: Environment, machine: str) -> Place:
    """Where a machine of an environment is declared: there, or for the whole fleet."""
    if fleet.document is None or fleet.spec is None:
        return Place(FLEET_FILE)
    own = fleet.spec.environments[environment.name].machines is not None
    return fleet.document.key_place(("spec", *(("environments", environment.name) if own else ()), "machines", machine))


def _warn(where: Place, name: str, environment: Environment, what: str, asked: int, there: int) -> Finding:
    message = f"services on {name} ({environment.name}) ask for {format_memory(asked)} of {what}; it has {format_memory(there)}"
    return OVERCOMMITTED.at(where, message, "move services to another machine or choose a smaller hardware profile", FLEET)
