"""`python -m tests.engines up|down|status`: a cluster without machines, by hand."""

import argparse
import sys
from pathlib import Path

from tests.engines import cluster
from tests.engines.binaries import tier_named
from tests.engines.cache import EngineMissing


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--state", type=Path, default=Path(".fleet/trial"), help="the folder of the cluster (default: .fleet/trial)")
    parser.add_argument("--tier", type=tier_named, help="kube-apiserver or apiextensions; default: the best that is to be had")
    parser.add_argument("--delay", type=float, default=0.2, help="seconds that a simulated workload takes to become ready")
    chosen = parser.parse_args(arguments)
    match chosen.command:
        case "up":
            try:
                found = cluster.up(chosen.state, chosen.tier, delay=chosen.delay, say=lambda text: print(text, file=sys.stderr, flush=True))
            except EngineMissing as missing:
                print(f"error: {missing}", file=sys.stderr)
                return 2
            print(f"{found.tier} {found.version}".strip(), "at", found.url, "with simulated workloads")
            print(f"export KUBECONFIG={found.kubeconfig}")
            return 0
        case "down":
            stopped = cluster.down(chosen.state)
            print("stopped " + ", ".join(stopped) if stopped else "nothing was running")
            return 0
        case _:
            return status(chosen.state)


def status(state: Path) -> int:
    """Prints what runs; 0 if all of it does, 1 if not."""
    found = cluster.Cluster.load(state.resolve())
    if not found:
        print(f"no cluster in {state}")
        return 1
    alive = cluster.running(state)
    expected = [name for name in cluster.ORDER if name != "shadow" or found.tier is cluster.Tier.SHADOW]
    print(f"{found.tier} {found.version}".strip(), "at", found.url, "(simulated workloads)")
    for name in expected:
        pid = found.daemon(name).pid()
        print(f"  {name:<10} {'pid ' + str(pid) if pid else 'stopped'}  {found.daemon(name).log}")
    return 0 if set(alive) >= set(expected) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
