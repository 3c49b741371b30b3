"""The process of an operator: the loop, Kopf beside it, and a port that answers while both are busy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from reconciler.adapters.ledger import SqlOutbox
from reconciler.adapters.metrics import Metrics
from reconciler.adapters.notify import HttpPost
from reconciler.adapters.tracing import tracing
from reconciler.adapters.waker import Waker
from reconciler.core.describe import describe
from reconciler.flow.fan import Stop
from reconciler.flow.herald import Herald
from reconciler.flow.lease import operator_named
from reconciler.flow.operator.desire import Desire
from reconciler.flow.operator.operator import Operator
from reconciler.flow.operator.state import Outfit
from reconciler.kinds import KINDS
from reconciler.model.fleet import Environment
from reconciler.model.happenings import Happening, Vitals
from reconciler.model.manifests import Body, ObjectId, Observed, identify
from reconciler.model.value import dataclass
from reconciler.ports import Cluster, Listener, Upstream
from reconciler.shell.clock import WallClock
from reconciler.shell.ledgers import open_ledger, url_of
from reconciler.shell.operator.hooks import Hooks
from reconciler.shell.operator.logs import LOGGER, LogListener
from reconciler.shell.operator.reach import connected, login, reach
from reconciler.shell.operator.server import Server
from reconciler.shell.operator.thrift import Thrift, begin
from reconciler.shell.operator.web import web
from reconciler.shell.witness import witness

DISTRIBUTION = "fleetwright"
_NO_SECRETS = Path("/nonexistent")
_LAST_WORDS = 5.0
"""Seconds in which notifications of the end may still be sent."""
_NEVER = Vitals(float("inf"), False, "", float("inf"), float("inf"), 0, 0.0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an operator was started with."""

    environment: str
    upstream: Upstream
    root: Path
    """Folder that relative paths in `fleet.yaml` count from."""
    state: Path
    """Folder of the ledger."""
    host: str = "127.0.0.1"
    port: int = 8080
    github: tuple[Path, ...] = ()
    gitlab: tuple[Path, ...] = ()
    secrets: Path | None = None
    """Folder with the secrets of notifications."""
    folder: str = ""
    """Of the repository that the fleet lies in."""


class Several:
    """Listeners as one. A fault of one of them is its own: it is logged, and the others hear all the same."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """One more."""
        self._listeners.append(listener)

    def hear(self, happening: Happening) -> None:
        """Tells each."""
        for listener in self._listeners:
            try:
                listener.hear(happening)
            except Exception:
                logging.getLogger(LOGGER).exception("a listener failed on: %s", describe(happening).sentence)


class Spoken:
    """Progress of an operator: sentences are logged, steps are not; what came of them is."""

    def phase(self, name: str, total: int) -> None:
        """Not told."""

    def step(self, id: ObjectId, text: str) -> None:
        """Not told."""

    def say(self, text: str) -> None:
        """A line of the log."""
        said(text)


class Process:
    """Everything that one operator is made of."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._metrics = Metrics(version(DISTRIBUTION), wishes.environment, self._vitals, self._waiting)
        self._outbox = SqlOutbox(url_of(wishes.state), wishes.environment, said)
        self._listeners = Several([LogListener(), self._metrics, Thrift()])
        self._traces = tracing(os.environ, version(DISTRIBUTION), wishes.environment)
        if self._traces is not None:
            self._listeners.add(self._traces)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._operator: Operator | None = None
        self._waker: Waker | None = None
        self._herald: tuple[Herald, HttpPost, asyncio.Task[None]] | None = None

    async def run(self, stop: Stop) -> None:
        """Until `stop` is set. Raises OSError where its port is taken, Refusal where a secret of a webhook is unfit."""
        wishes, self._loop = self._wishes, asyncio.get_running_loop()
        begin()
        hooks = Hooks(self._woken, wishes.github, wishes.gitlab)
        with Server(web(self._vitals, self._metrics.page, hooks), wishes.host, wishes.port):
            self._operator = Operator(self._outfit())
            try:
                await self._operator.run(stop)
            finally:
                await self._ended()

    def _outfit(self) -> Outfit:
        wishes = self._wishes
        return Outfit(
            environment=wishes.environment,
            holder=operator_named(f"{os.environ.get('POD_NAME') or socket.gethostname()}-{os.getpid()}"),
            kinds=KINDS,
            upstream=wishes.upstream,
            connect=self._connect,
            clock=WallClock(),
            progress=Spoken(),
            listener=self._listeners,
            ledger=open_ledger(wishes.state),
            new_id=lambda: uuid.uuid4().hex[:12],
            monotonic=time.monotonic,
            witness=witness(),
            read=self._read,
        )

    def _connect(self, environment: Environment) -> Cluster:
        found = reach(environment, os.environ, self._wishes.root)
        self._waker = Waker((kind.plural for kind in KINDS), lambda: login(found), self._seen, said)
        self._listeners.add(self._waker)
        self._waker.start()
        return connected(found, self._metrics.request)

    def _read(self, desire: Desire) -> None:
        """A commit was read: it says where notifications go."""
        fleet = desire.graph.fleet
        if self._herald is None:
            wishes = self._wishes
            post = HttpPost(wishes.secrets or _NO_SECRETS, trial=desire.graph.environment.simulated, folder=wishes.folder)
            herald = Herald(fleet.name, desire.graph.environment.name, self._outbox, post, WallClock(), said, self._metrics.notification)
            self._listeners.add(herald)
            self._herald = herald, post, asyncio.ensure_future(herald.run())
        if fleet.spec is not None:
            self._herald[0].aim(fleet.spec.notifications)

    def _seen(self, body: Body, gone: bool) -> None:
        """A custom resource, in Kopf's thread."""
        if self._loop is not None and self._operator is not None:
            metadata = body["metadata"]
            observed = Observed(identify(body), metadata["uid"], metadata["resourceVersion"], body)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._operator.projected, observed, gone)

    def _woken(self, who: str) -> None:
        """A webhook, in a thread of the port."""
        if self._loop is not None and self._operator is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._operator.wake, who)

    def _vitals(self) -> Vitals:
        return self._operator.vitals() if self._operator is not None else _NEVER

    def _waiting(self) -> int:
        return self._outbox.waiting()

    async def _ended(self) -> None:
        if self._waker is not None:
            await asyncio.to_thread(self._waker.stop)
        if self._herald is not None:
            herald, post, task = self._herald
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await herald.turn()
                    await herald.settle()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await post.close()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)


def said(text: str) -> None:
    """A line of the log that is no happening."""
    logging.getLogger(LOGGER).warning("%s", text)
