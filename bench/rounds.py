"""Rounds against a cluster: the floor and `fleet apply` in turns, each on a fresh server, so that noise of the machine hits both."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import fleets, processes, servers
from bench.operations import Operated, operated
from bench.processes import Failed

APPLY = ("apply", "--yes", "--no-wait")
WRITES = ("APPLY", "PATCH", "POST", "PUT", "DELETE")
_LEASE = {"PUT": 2, "POST": 1}
"""Requests of the server to itself that may fall into a run."""


class Took(NamedTuple):
    """One phase, once: seconds of wall time, seconds of CPU time of tool and server together, MiB of the tool."""

    wall: float
    cpu: float
    rss: float = 0.0


class Bodies(NamedTuple):
    """What the floor sends, before and after the new image; and the custom resources that an operator keeps beside that."""

    count: int
    first: Path
    second: Path
    resources: tuple[Path, Path]


class Wanted(NamedTuple):
    """What is to be measured beside the floor."""

    apply: bool
    operator: bool


class Rounds(NamedTuple):
    """All runs of all phases, and the server they ran against."""

    tier: str
    objects: int
    floor: dict[str, list[Took]]
    fleet: dict[str, list[Took]]
    operated: list[Operated]

    def ratio(self, phase: str) -> float:
        """Wall time as a multiple of the floor's: each run against the floors directly before and after it, median of the runs."""
        return self._ratio(phase, lambda took: took.wall)

    def cpu_ratio(self, phase: str) -> float:
        """The same for CPU time, which other load on the machine moves less."""
        return self._ratio(phase, lambda took: took.cpu)

    def _ratio(self, phase: str, of: Callable[[Took], float]) -> float:
        base, runs = [of(took) for took in self.floor[phase]], self.fleet[phase]
        per = len(runs) // (len(base) - 1)
        return median(2 * of(run) / (base[at // per] + base[at // per + 1]) for at, run in enumerate(runs))


def rounds(folder: Path, services: int, runs: int, wanted: Wanted, say: Callable[[str], None]) -> Rounds:
    """Floor, fleet, floor, fleet, ..., floor."""
    root = fleets.make(folder / "fleet", services)
    bodies = _bodies(root, folder)
    found = Rounds(tier="", objects=bodies.count, floor={}, fleet={}, operated=[])
    for number in range(runs + 1):
        say(f"floor {number + 1} of {runs + 1}: {bodies.count} requests, three times")
        tier = _floor(root, bodies, found.floor, wanted)
        found = found._replace(tier=tier)
        if number < runs and wanted.apply:
            say(f"fleet apply {number + 1} of {runs}")
            fleets.bump(root, 1)
            _fleet(root, found.fleet)
            _unasked(root, found.fleet)
        if number < runs and wanted.operator:
            say(f"operator {number + 1} of {runs}")
            _life(operated(folder / "operator", services, say), found)
    return found


def _life(life: Operated, into: Rounds) -> None:
    """One life of an operator, as phases beside those of the floor."""
    into.operated.append(life)
    into.fleet.setdefault("operator-nothing", []).append(Took(life.nothing.wall, life.nothing.cpu, life.nothing.rss))
    into.fleet.setdefault("operator-noop", []).append(Took(life.noop, life.noop_cpu))
    into.fleet.setdefault("operator-image", []).append(Took(life.image.wall, life.image.cpu, life.image.rss))


def _bodies(root: Path, folder: Path) -> Bodies:
    first, second = folder / "first.json", folder / "second.json"
    resources = folder / "first-resources.json", folder / "second-resources.json"
    count = _floor_says(root, "render", root, first)["objects"]
    _floor_says(root, "project", root, resources[0])
    fleets.bump(root, 2)
    _floor_says(root, "render", root, second)
    _floor_says(root, "project", root, resources[1])
    return Bodies(int(count), first, second, resources)


def _floor_says(root: Path, *arguments: str | Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(processes.run((sys.executable, "-m", "bench.floor", *map(str, arguments)), root).said)
    return found


def _floor(root: Path, bodies: Bodies, into: dict[str, list[Took]], wanted: Wanted) -> str:
    with servers.fresh() as server:

        def sent(file: Path) -> Took:
            before = server.moment()
            told = _floor_says(root, "send", server.kubeconfig, file)
            return Took(told["wall"], told["cpu"] + server.moment().cpu - before.cpu)

        for phase, file in (("nothing", bodies.first), ("noop", bodies.first), ("image", bodies.second)):
            into.setdefault(phase, []).append(sent(file))
        into["unasked"] = into["operator-nothing"] = into["nothing"]
        into["operator-noop"] = into["noop"]
        if wanted.operator:  # everything: the objects, the custom resources, their statuses
            _floor_says(root, "define", server.kubeconfig, root.parent / "definitions.json")
            sent(bodies.resources[0])
            children, beside = into["image"][-1], sent(bodies.resources[1])
            into.setdefault("operator-image", []).append(Took(children.wall + beside.wall, children.cpu + beside.cpu))
        return server.tier


def _fleet(root: Path, into: dict[str, list[Took]]) -> None:
    """From nothing, again, a new image on everything, again, one Deployment deleted by somebody."""
    with servers.fresh() as server:
        _connect(root, server)
        _apply(root, server, "nothing", into)
        _idle(root, server, into)
        fleets.bump(root, 2)
        _apply(root, server, "image", into)
        _idle(root, server, into)
        victim = f"/apis/apps/v1/namespaces/{fleets.tenant_name(0)}/deployments/{fleets.service_name(0)}"
        server.ask("DELETE", victim)
        _apply(root, server, "repair", into)
        server.ask("GET", victim)


def _unasked(root: Path, into: dict[str, list[Took]]) -> None:
    """From nothing, and the server is asked about no object before it is written."""
    with servers.fresh() as server:
        _connect(root, server)
        _apply(root, server, "unasked", into, "--no-preflight")


def _connect(root: Path, server: servers.Server) -> None:
    shutil.rmtree(root / ".fleet", ignore_errors=True)
    (root / fleets.KUBECONFIG).parent.mkdir(parents=True)
    shutil.copy(server.kubeconfig, root / fleets.KUBECONFIG)


def _apply(root: Path, server: servers.Server, phase: str, into: dict[str, list[Took]], *options: str) -> None:
    before = server.moment()
    run = processes.fleet(root, *APPLY, *options)
    into.setdefault(phase, []).append(Took(run.wall, run.cpu + server.moment().cpu - before.cpu, run.rss))


def _idle(root: Path, server: servers.Server, into: dict[str, list[Took]]) -> None:
    """A run with nothing to do. Raises Failed when anything at all was written or asked to be."""
    before = server.moment()
    _apply(root, server, "noop", into)
    changed = server.written(before)
    now = server.moment()
    sent = {verb: count for verb in WRITES if (count := now.requests.get(verb, 0) - before.requests.get(verb, 0)) > _LEASE.get(verb, 0)}
    if changed or sent:
        raise Failed(f"a pass with nothing to do wrote {changed[:3]}, requests: {sent}")
