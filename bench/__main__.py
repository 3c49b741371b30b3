"""`python -m bench`: the budgets of Fleetwright, measured side by side with the bare requests that an apply comes down to."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from bench import fleets, images, pace, processes
from bench.processes import Cost, Failed
from bench.rounds import Rounds, Took, Wanted, rounds
from bench.table import FORMATS, Line
from tests.engines.cache import EngineMissing

LINT = {50: 0.3, 1_000: 0.6, 10_000: 4.0}
"""Services -> seconds."""
RATIOS = {
    "nothing": ("apply from nothing, everything preflighted", 1.8),
    "unasked": ("apply from nothing, --no-preflight", 1.3),
    "noop": ("apply with nothing to do: no PATCH, nothing written", 0.25),
    "image": ("a new image on every service", 1.0),
}
OPERATED = {
    "operator-nothing": ("operator: push to everything applied, resources and statuses included", 2.0),
    "operator-noop": ("operator: a pass with nothing to do: nothing written", 0.1),
    "operator-image": ("operator: push of a new image on every service to everything written, beside all of that bare", 1.2),
}
DRIFT = {"operator-drift-p50": (0.5, 0.15), "operator-drift-p99": (0.99, 1.0)}
"""Quantile and seconds."""
ROLLBACK = 2.0
RSS = 200.0
OPERATOR_RSS = ((1_000, 150.0), (10_000, 500.0))
"""Services, and MiB for no more of them."""
APPLIED = (*RATIOS, "repair", "rss")
FOLLOWED = (*OPERATED, *DRIFT, "operator-rollback", "operator-rss", "operator-rss-steady")
NAMES = ("help", *(f"lint-{services}" for services in LINT), *APPLIED, *FOLLOWED, *images.NAMES)


def main(arguments: list[str]) -> int:
    chosen = _parse(arguments)
    names = chosen.only or NAMES
    load = os.getloadavg()[0]
    lines: list[Line] = []
    facts = [f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load before {load:.1f}"]
    try:
        with pace.noted(), tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
            lines += _processes(Path(folder), names, chosen.runs)
            lines += images.lines(tuple(names), chosen.runs, _say)
            wanted = Wanted(bool(set(names) & {*APPLIED}), bool(set(names) & {*FOLLOWED}))
            if any(wanted):
                found = rounds(Path(folder), chosen.services, chosen.runs, wanted, _say)
                every = (
                    *(_cluster(found, chosen.services) if wanted.apply else ()),
                    *(_operator(found, chosen.services) if wanted.operator else ()),
                )
                lines += [line for line in every if line.name in names]
                facts.append(
                    f"{', '.join(sorted(found.tiers))}, {chosen.services} services, {found.objects} objects ({fleets.OBJECTS} a service, and tenants)"
                )
    except (Failed, EngineMissing) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 2
    facts[0] += f", after {os.getloadavg()[0]:.1f}; medians of {chosen.runs} runs"
    slowest, fastest = pace.spread()
    facts.append(f"the machine ran at {slowest:.0%} to {fastest:.0%} of its fastest moment, which ratios allow for and seconds do not")
    print(FORMATS[chosen.output](lines, facts), end="")
    return 1 if any(line.verdict == "over" for line in lines) else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--services", type=int, default=1_000, help="services of the fleet that is applied (default: 1000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of everything; medians are shown (default: 3)")
    parser.add_argument("--only", action="append", choices=NAMES, help="keep to this budget; repeatable")
    parser.add_argument("-o", "--output", choices=[*FORMATS], default="text")
    return parser.parse_args(arguments)


def _processes(folder: Path, names: tuple[str, ...], runs: int) -> Iterator[Line]:
    """What needs no cluster."""
    small = fleets.make(folder / "lint-50", 50)
    if "help" in names:
        yield _timed("help", "fleet --help", 0.12, runs * 5, lambda: processes.fleet(small, "--help"))
    for services, budget in LINT.items():
        if f"lint-{services}" not in names:
            continue
        _say(f"lint, {services} services")
        root = small if services == 50 else fleets.make(folder / f"lint-{services}", services)
        what = f"fleet lint, {fleets.Size(services).specs} specs, cold process"
        yield _timed(f"lint-{services}", what, budget, runs, lambda root=root: processes.fleet(root, "lint"))


def _timed(name: str, what: str, budget: float, runs: int, work: Callable[[], Cost]) -> Line:
    work()  # compiles what is not compiled yet
    costs = [work() for _ in range(runs)]
    wall = median(cost.wall for cost in costs)
    best, cpu = min(cost.wall for cost in costs), median(cost.cpu for cost in costs)
    return Line(name, what, wall, "s", budget, f"fastest {best:.2f} s, {cpu:.2f} s CPU")


def _cluster(found: Rounds, services: int) -> Iterator[Line]:
    for phase, (what, budget) in RATIOS.items():
        detail = f"{_seconds(found.fleet[phase])}; bare requests {_seconds(found.floor[phase])}; CPU {found.cpu_ratio(phase):.2f} x"
        yield Line(phase, what, found.ratio(phase), "x", budget, detail)
    yield Line("repair", "apply after one object was deleted", median(took.wall for took in found.fleet["repair"]), "s", None)
    peak = max(took.rss for runs in found.fleet.values() for took in runs)
    yield Line("rss", f"largest memory of fleet apply, {services} services", peak, "MB", RSS)


def _operator(found: Rounds, services: int) -> Iterator[Line]:
    lives = found.operated
    for phase, (what, budget) in OPERATED.items():
        detail = f"{_seconds(found.fleet[phase])}; bare requests {_seconds(found.floor[phase])}"
        if phase == "operator-noop":
            detail += f"; {median(life.noop.cpu for life in lives):.2f} s CPU of the operator"
        else:
            detail += f"; CPU {found.cpu_ratio(phase):.2f} x"
        yield Line(phase, what, found.ratio(phase), "x", budget, detail)
    drifts = sorted(seconds for life in lives for seconds in life.drift)
    for name, (quantile, budget) in DRIFT.items():
        at = drifts[min(int(len(drifts) * quantile), len(drifts) - 1)]
        yield Line(
            name,
            f"operator: drift repaired, {name[-3:]}",
            at,
            "s",
            budget,
            f"{len(drifts)} edits and deletions, slowest {drifts[-1]:.2f} s",
        )
    yield Line(
        "operator-rollback", "operator: push of a hold to the patched Deployment", median(life.rollback for life in lives), "s", ROLLBACK
    )
    budget = next((most for size, most in OPERATOR_RSS if services <= size), None)
    yield Line("operator-rss", f"operator: largest memory, {services} services", max(life.peak for life in lives), "MB", budget)
    yield Line(
        "operator-rss-steady", "operator: memory at rest after everything was applied", max(life.steady for life in lives), "MB", budget
    )


def _seconds(runs: list[Took]) -> str:
    return f"{median(took.wall for took in runs):.2f} s"


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
