"""A session with a target: plan against it, apply to it. What the commands and, later, the operator have in common."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from reconciler.core.plan import Revision
from reconciler.core.world import Options
from reconciler.flow.equality import Equality
from reconciler.flow.fan import Stop
from reconciler.flow.planning import EnvironmentMoved, Planned, make_plan
from reconciler.flow.witnessed import witnessed
from reconciler.kinds import KINDS
from reconciler.model.graph import Graph
from reconciler.ports import Cluster, OnRequest, Unreachable
from reconciler.shell.exits import Exit
from reconciler.shell.interrupts import kept
from reconciler.shell.refusal import Refusal, refused_by
from reconciler.shell.targets import connected
from reconciler.shell.witness import witness

T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """A connection to one environment's target."""

    root: Path
    graph: Graph
    cluster: Cluster
    revision: Revision

    async def plan(self, options: Options) -> Planned:
        """The plan against what is live, with what dry-runs found equal remembered between commands."""
        path = self.root / ".fleet" / "cache" / f"equal-{self.graph.environment.id}"
        equality = Equality(_remembered(path))
        graph = await witnessed(self.graph, witness())
        planned = await make_plan(self.cluster, graph, KINDS, self.revision, options, equality)
        _remember(path, equality)
        return planned


@asynccontextmanager
async def session(root: Path, graph: Graph, revision: Revision, on_request: OnRequest | None = None) -> AsyncIterator[Session]:
    """A session, closed at the end. `on_request` hears of each request."""
    async with connected(graph.environment, root, on_request) as cluster:
        yield Session(root, graph, cluster, revision)


def run(work: Callable[[Stop], Awaitable[T]]) -> T:
    """Runs a command's asynchronous part. Ctrl-C and SIGTERM ask it to stop; an unreachable target ends it with a sentence."""

    async def main() -> T:
        stop = Stop()
        _listen(stop)
        return await work(stop)

    try:
        with kept():
            return asyncio.run(main())
    except asyncio.CancelledError:
        message = "interrupted twice: left as it stood, with whatever was under way"
        raise Refusal(message, "apply again to go on; the Lease ends by itself in 15 s", Exit.INTERRUPTED) from None
    except EnvironmentMoved as other:
        raise refused_by(other.finding, Exit.FINDINGS) from None
    except Unreachable as lost:
        raise Refusal(str(lost), lost.fix) from None


def _listen(stop: Stop) -> None:
    """The first signal asks to stop, which ends what is under way in good order; the second one does not wait for that."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def heard(why: str) -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set(why)

    for name, why in ((signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")):
        loop.add_signal_handler(name, heard, why)


def asked(question: str, stop: Stop) -> bool:
    """A person's yes or no. While the loop stands still nobody hears signals, so they end the question as they would end any program."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(name)
    answer = click.confirm(question, err=True)
    _listen(stop)
    return answer


async def unless_stopped(stop: Stop, work: Awaitable[T]) -> T:
    """The result of reading work, given up at once when somebody asks to stop."""
    task = asyncio.ensure_future(work)
    asked = asyncio.ensure_future(stop.wait())
    await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        raise Refusal(f"{stop.reason}; nothing was written", code=Exit.INTERRUPTED)
    return task.result()


def _remembered(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _remember(path: Path, equality: Equality) -> None:
    kept = sorted(equality.kept())
    if kept == _remembered(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(kept))
    except OSError:
        return
