"""Rounds against a cluster: the floor and `fleet apply` in turns, phase by phase, each on a server of its own, so that noise of the machine hits both."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import fleets, pace, processes, servers
from bench.operations import Done, Operated, operated
from bench.processes import Failed

APPLY = ("apply", "--yes", "--no-wait")
WRITES = ("APPLY", "PATCH", "POST", "PUT", "DELETE")
_LEASE = {"PUT": 2, "POST": 1}
"""Requests of the server to itself that may fall into a run."""


class Took(NamedTuple):
    """One phase, once: seconds of wall time, seconds of CPU time of tool and server together, how fast the machine was, MiB of the tool."""

    wall: float
    cpu: float
    speed: float
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
    """All runs of all phases, and the servers they ran against."""

    tiers: set[str]
    objects: int
    floor: dict[str, list[Took]]
    fleet: dict[str, list[Took]]
    operated: list[Operated]

    def ratio(self, phase: str) -> float:
        """Wall time as a multiple of the floor's, both at the speed that the machine had: each run against that of the floor directly before it."""
        return self._ratio(phase, lambda took: took.wall * took.speed)

    def cpu_ratio(self, phase: str) -> float:
        """The same for CPU time, which waiting moves less."""
        return self._ratio(phase, lambda took: took.cpu * took.speed)

    def _ratio(self, phase: str, of: Callable[[Took], float]) -> float:
        return median(of(run) / of(base) for run, base in zip(self.fleet[phase], self.floor[phase], strict=True))


class Bare:
    """A server that gets the bare requests. Another one lives beside it: each phase of the floor is measured directly before the one it is for."""

    def __init__(self, root: Path, bodies: Bodies, server: servers.Server) -> None:
        self._root, self._bodies, self._server = root, bodies, server

    def children(self, phase: str) -> Took:
        """All objects: from nothing, again, or with the new image."""
        return self._sent(self._bodies.second if phase == "image" else self._bodies.first)

    def define(self) -> None:
        """The custom resources of the first image, after their definitions."""
        _floor_says(self._root, "define", self._server.kubeconfig, self._root.parent / "definitions.json")
        self._sent(self._bodies.resources[0])

    def everything(self) -> Took:
        """The new image, and what an operator keeps beside it: custom resources and their statuses."""
        one, other = self.children("image"), self._sent(self._bodies.resources[1])
        wall = one.wall + other.wall
        return Took(wall, one.cpu + other.cpu, (one.wall * one.speed + other.wall * other.speed) / wall)

    def _sent(self, file: Path) -> Took:
        before = self._server.moment()
        told = _floor_says(self._root, "send", self._server.kubeconfig, file)
        ended = time.monotonic()
        return Took(told["wall"], told["cpu"] + self._server.moment().cpu - before.cpu, pace.speed(ended - told["wall"], ended))


def rounds(folder: Path, services: int, runs: int, wanted: Wanted, say: Callable[[str], None]) -> Rounds:
    """Every phase by bare requests, and directly after that by us."""
    root = fleets.make(folder / "fleet", services)
    bodies = _bodies(root, folder)
    found = Rounds(set(), bodies.count, {}, {}, [])
    for number in range(runs):
        if wanted.apply:
            say(f"fleet apply {number + 1} of {runs}, beside {bodies.count} bare requests")
            _applied(root, bodies, found)
            _unasked(root, bodies, found)
        if wanted.operator:
            say(f"operator {number + 1} of {runs}, beside bare requests")
            _operated(root, bodies, services, found, say)
    return found


def _bodies(root: Path, folder: Path) -> Bodies:
    first, second = folder / "first.json", folder / "second.json"
    resources = folder / "first-resources.json", folder / "second-resources.json"
    fleets.bump(root, 1)
    count = _floor_says(root, "render", root, first)["objects"]
    _floor_says(root, "project", root, resources[0])
    fleets.bump(root, 2)
    _floor_says(root, "render", root, second)
    _floor_says(root, "project", root, resources[1])
    return Bodies(int(count), first, second, resources)


def _floor_says(root: Path, *arguments: str | Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(processes.run((sys.executable, "-m", "bench.floor", *map(str, arguments)), root).said)
    return found


def _applied(root: Path, bodies: Bodies, found: Rounds) -> None:
    """From nothing, again, a new image on everything, again, one Deployment deleted by somebody."""
    with servers.fresh() as other, servers.fresh() as server:
        bare = Bare(root, bodies, other)
        found.tiers.add(other.tier)
        _connect(root, server)

        def beside(phase: str) -> None:
            found.floor.setdefault(phase, []).append(bare.children(phase))

        fleets.bump(root, 1)
        beside("nothing")
        _apply(root, server, "nothing", found.fleet)
        beside("noop")
        _idle(root, server, found.fleet)
        fleets.bump(root, 2)
        beside("image")
        _apply(root, server, "image", found.fleet)
        _idle(root, server, {})
        victim = f"/apis/apps/v1/namespaces/{fleets.tenant_name(0)}/deployments/{fleets.service_name(0)}"
        server.ask("DELETE", victim)
        _apply(root, server, "repair", found.fleet)
        server.ask("GET", victim)


def _unasked(root: Path, bodies: Bodies, found: Rounds) -> None:
    """From nothing, and the server is asked about no object before it is written."""
    fleets.bump(root, 1)
    with servers.fresh() as other, servers.fresh() as server:
        _connect(root, server)
        found.floor.setdefault("unasked", []).append(Bare(root, bodies, other).children("nothing"))
        _apply(root, server, "unasked", found.fleet, "--no-preflight")


def _operated(root: Path, bodies: Bodies, services: int, found: Rounds, say: Callable[[str], None]) -> None:
    """One life of an operator."""
    with servers.fresh() as other:
        bare = Bare(root, bodies, other)
        found.tiers.add(other.tier)

        def before(phase: str) -> None:
            if phase == "image":
                bare.define()
            took = bare.everything() if phase == "image" else bare.children(phase)
            found.floor.setdefault(f"operator-{phase}", []).append(took)

        life = operated(root.parent / "operator", services, say, before)
    found.operated.append(life)
    for phase, took in (("nothing", _took(life.nothing)), ("noop", Took(*life.noop)), ("image", _took(life.image))):
        found.fleet.setdefault(f"operator-{phase}", []).append(took)


def _took(done: Done) -> Took:
    return Took(done.wall, done.cpu, done.speed, done.rss)


def _connect(root: Path, server: servers.Server) -> None:
    shutil.rmtree(root / ".fleet", ignore_errors=True)
    (root / fleets.KUBECONFIG).parent.mkdir(parents=True)
    shutil.copy(server.kubeconfig, root / fleets.KUBECONFIG)


def _apply(root: Path, server: servers.Server, phase: str, into: dict[str, list[Took]], *options: str) -> None:
    before = server.moment()
    run = processes.fleet(root, *APPLY, *options)
    into.setdefault(phase, []).append(Took(run.wall, run.cpu + server.moment().cpu - before.cpu, run.speed, run.rss))


def _idle(root: Path, server: servers.Server, into: dict[str, list[Took]]) -> None:
    """A run with nothing to do. Raises Failed when anything at all was written or asked to be."""
    before = server.moment()
    _apply(root, server, "noop", into)
    changed = server.written(before)
    now = server.moment()
    sent = {verb: count for verb in WRITES if (count := now.requests.get(verb, 0) - before.requests.get(verb, 0)) > _LEASE.get(verb, 0)}
    if changed or sent:
        raise Failed(f"a pass with nothing to do wrote {changed[:3]}, requests: {sent}")
