"""Goes on looking for violations with new seeds: walks and kills in simulated time, and faults on a real API server where there is one.

usage: ./dev faults [--minutes N] [--seed S] [--steps N] [--no-server]

With --seed, the walk of this seed alone, with every step told.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.engines.binaries import Tier, at_hand
from tests.engines.cluster import Cluster as Server
from tests.engines.cluster import down, up
from tests.faults.kills import Kill, reference, violations
from tests.faults.scenarios import SCENARIOS
from tests.faults.test_server import WATCHES, WRITES, through
from tests.faults.walk import Walk

HASH = "PYTHONHASHSEED"
"""The order of sets is part of what a seed repeats."""


def walked(seed: int, steps: int, faults: Counter[str]) -> list[str]:
    walk = Walk(seed, steps)
    found = walk.violations()
    faults.update(walk.faults)
    return [f"walk {seed}: {one}\n    ./dev faults --seed {seed} --steps {steps}" for one in found[:3]]


def killed(seed: int, faults: Counter[str]) -> list[str]:
    """Two or three kills of a scenario at writes that the seed says."""
    chance = random.Random(seed)
    scenario = chance.choice(SCENARIOS)
    writes = reference(scenario).writes
    kills = [Kill(chance.randint(1, writes), chance.random() < 0.5) for _ in range(chance.randint(2, 3))]
    faults["kill at a write"] += len(kills)
    return [f"{scenario.name}, killed at {kills}: {one}" for one in violations(scenario, kills)[:3]]


def served(server: Server, seed: int, folder: Path, faults: Counter[str]) -> list[str]:
    """One commit and drift on the real server, with two kinds of faults at once."""
    chance = random.Random(seed)
    every = {
        **{f"server, request: {name}": one for name, one in WRITES.items()},
        **{f"server, watch: {name}": one for name, one in WATCHES.items()},
    }
    names = chance.sample(sorted(every), 2)
    faults.update(names)

    def both(proxy: object) -> None:
        for name in names:
            every[name](proxy)  # type: ignore[arg-type]

    told = asyncio.run(through(server, f"f{os.getpid():x}-{seed & 0xFFFF:x}", folder / str(seed), both, f"{names}"))
    return [told] if told else []


def go_on(minutes: float, steps: int, server: Server | None, folder: Path) -> int:
    faults: Counter[str] = Counter()
    total = 0
    seed, end, rounds = random.SystemRandom().randrange(10_000, 2**31), time.monotonic() + minutes * 60, 0
    while time.monotonic() < end:
        wrong: list[str] = []
        for _ in range(10):
            wrong += walked(seed, steps, faults)
            seed += 1
        wrong += killed(seed, faults)
        if server is not None and rounds % 5 == 0:
            wrong += served(server, seed, folder, faults)
        rounds += 1
        for one in wrong:
            print(one, flush=True)
        total += len(wrong)
        print(f"\r{rounds * 10} walks, {faults.total()} faults, {total} violations", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for name, number in faults.most_common():
        print(f"{number:>8}  {name}")
    print(f"{faults.total():>8}  faults, {total} violations")
    return 1 if total else 0


def repeat(seed: int, steps: int) -> int:
    """One walk, told."""
    walk = Walk(seed, steps)
    found = walk.violations()
    for line in walk.told:
        print(line)
    for line in found:
        print(f"violation: {line}")
    print(f"{sum(walk.faults.values())} faults, {len(found)} violations")
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--no-server", action="store_true")
    wishes = parser.parse_args(arguments)
    if wishes.seed is not None:
        return repeat(wishes.seed, wishes.steps)
    with tempfile.TemporaryDirectory() as name:
        state, server = Path(name) / "state", None
        if not wishes.no_server and at_hand(Tier.REAL):
            server = up(state, Tier.REAL, tied=True)
        try:
            return go_on(wishes.minutes, wishes.steps, server, Path(name))
        finally:
            if server is not None:
                down(state)


if __name__ == "__main__":
    if os.environ.get(HASH) != "0":
        os.execve(sys.executable, [sys.executable, "-m", "tests.faults", *sys.argv[1:]], {**os.environ, HASH: "0"})
    sys.exit(main(sys.argv[1:]))
