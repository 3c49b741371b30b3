"""`python -m tests.engines`: a cluster without machines, by hand."""

import argparse
import asyncio
import sys
import time
from datetime import date
from pathlib import Path

from tests.engines import cluster, desk
from tests.engines.binaries import Tier, engines, tier_named
from tests.engines.cache import EngineMissing
from tests.engines.client import MERGE, connect
from tests.engines.invented import write_lock
from tests.engines.outcomes import STAGE, Stage


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--state", type=Path, default=Path(".fleet/trial"), help="the folder of the cluster (default: .fleet/trial)")
    tiered = argparse.ArgumentParser(add_help=False)
    tiered.add_argument("--tier", type=tier_named, help="kube-apiserver or apiextensions; default: the best that is to be had")
    start = commands.add_parser("up", parents=[shared, tiered], help="start what does not run yet")
    start.add_argument("--delay", type=float, default=0.2, help="seconds that a simulated workload takes to become ready")
    start.add_argument("--brief", action="store_true", help="one line")
    commands.add_parser("down", parents=[shared], help="stop the cluster and remove it")
    commands.add_parser("status", parents=[shared], help="say what runs; exit code 1 if not all of it does")
    commands.add_parser("prepare", parents=[tiered], help="download or build the engines now, so that nothing has to wait for them later")
    lock = commands.add_parser("lock", help="write a lock with invented builds, unless there is one")
    lock.add_argument("out", type=Path)
    served = commands.add_parser("desk", parents=[shared], help="serve a repository, and run an operator that follows it")
    served.add_argument("lock", type=Path)
    stage = commands.add_parser("stage", parents=[shared], help="set what becomes of a Deployment")
    delete = commands.add_parser("delete", parents=[shared], help="delete a Deployment, as somebody would behind the fleet's back")
    for one in (stage, delete):
        one.add_argument("namespace")
        one.add_argument("name")
    stage.add_argument("stage", choices=[*Stage])
    return parser.parse_args(arguments)


def aloud(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def up(state: Path, tier: Tier | None, delay: float, *, brief: bool) -> int:
    began = time.monotonic()
    found = cluster.up(state, tier, delay=delay, say=aloud)
    where = f"{found.tier} {found.version}".strip()
    if brief:
        aloud(f"{'cluster':<16} {where}, workloads simulated ({time.monotonic() - began:.0f} s)")
    else:
        print(f"{where} at {found.url}, workloads simulated\nexport KUBECONFIG={found.kubeconfig}")
    return 0


def down(state: Path) -> int:
    stopped = cluster.down(state)
    print("stopped " + ", ".join(stopped) if stopped else "nothing was running")
    return 0


def status(state: Path) -> int:
    found = cluster.Cluster.load(state.resolve())
    if not found:
        print(f"no cluster in {state}")
        return 1
    optional = {"shadow": found.tier is Tier.SHADOW, desk.DAEMON: (state / "desk").exists()}
    expected = [name for name in cluster.ORDER if optional.get(name, True)]
    print(f"{found.tier} {found.version}".strip() + f" at {found.url}, workloads simulated")
    for name in expected:
        pid = found.daemon(name).pid()
        print(f"  {name:<10} {f'pid {pid}' if pid else 'stopped'}  {found.daemon(name).log}")
    return 0 if set(cluster.running(state)) >= set(expected) else 1


def serve(state: Path, lock: Path) -> int:
    began = time.monotonic()
    found = cluster.Cluster.load(state.resolve())
    if not found:
        print(f"error: no cluster in {state}", file=sys.stderr)
        return 2
    try:
        folder = desk.up(found, lock, aloud)
    except desk.DeskFailed as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 2
    aloud(f"{'operator':<16} follows {found.state.name}/upstream.git ({time.monotonic() - began:.0f} s)")
    print(folder)
    return 0


async def edit(state: Path, namespace: str, name: str, stage: str | None) -> int:
    """Deletes a Deployment, or sets its stage."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    async with connect(state.resolve() / "kubeconfig") as api:
        body = {"metadata": {"annotations": {STAGE: stage}}}
        got = await (api.ask("PATCH", path, body, MERGE) if stage else api.delete(path))
    print(f"{namespace}/{name}: {'deleted' if stage is None else stage}" if got.status == 200 else got.body["message"])
    return 0 if got.status == 200 else 1


def main(arguments: list[str]) -> int:
    chosen = parse(arguments)
    try:
        match chosen.command:
            case "up":
                return up(chosen.state, chosen.tier, chosen.delay, brief=chosen.brief)
            case "down":
                return down(chosen.state)
            case "status":
                return status(chosen.state)
            case "prepare":
                aloud(f"{'engines':<16} {engines(chosen.tier, aloud).tier}")
                return 0
            case "desk":
                return serve(chosen.state, chosen.lock)
            case "lock":
                write_lock(cluster.ROOT / "specs", chosen.out, date.fromtimestamp(time.time()))
                return 0
            case _:
                return asyncio.run(edit(chosen.state, chosen.namespace, chosen.name, getattr(chosen, "stage", None)))
    except EngineMissing as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
