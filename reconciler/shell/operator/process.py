"""The process of an operator: the loop, Kopf beside it, and a port that answers while both are busy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from reconciler.adapters.cluster import Access
from reconciler.adapters.metrics import Metrics
from reconciler.adapters.waker import Waker
from reconciler.core.describe import describe
from reconciler.flow.fan import Stop
from reconciler.flow.operator.operator import Operator
from reconciler.flow.operator.state import Outfit
from reconciler.kinds import KINDS
from reconciler.model.fleet import Environment
from reconciler.model.happenings import Happening, Vitals
from reconciler.model.manifests import Body, ObjectId, Observed, identify
from reconciler.ports import Cluster, Listener, Upstream
from reconciler.shell.clock import WallClock
from reconciler.shell.ledgers import open_ledger
from reconciler.shell.operator.hooks import Hooks
from reconciler.shell.operator.logs import LOGGER, LogListener, set_up
from reconciler.shell.operator.reach import connected, login, reach
from reconciler.shell.operator.server import Server
from reconciler.shell.operator.web import web

DISTRIBUTION = "fleetwright"
_NEVER = Vitals(float("inf"), False, "", float("inf"), float("inf"), 0, 0.0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an operator was started with."""

    environment: str
    upstream: Upstream
    root: Path
    """Folder that relative paths in `fleet.yaml` and the ledger count from."""
    host: str = "127.0.0.1"
    port: int = 8080
    logs: str = "auto"
    github: tuple[Path, ...] = ()
    gitlab: tuple[Path, ...] = ()
    custom_resources: bool = True


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
        logging.getLogger(LOGGER).warning("%s", text)


class Process:
    """Everything that one operator is made of."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._listeners = Several()
        self._metrics = Metrics(version(DISTRIBUTION), wishes.environment, self._vitals)
        self._listeners.add(LogListener())
        self._listeners.add(self._metrics)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._operator: Operator | None = None
        self._waker: Waker | None = None

    async def run(self, stop: Stop) -> None:
        """Until `stop` is set. Raises OSError where its port is taken, Refusal where a secret of a webhook is unfit."""
        wishes, self._loop = self._wishes, asyncio.get_running_loop()
        hooks = Hooks(self._woken, wishes.github, wishes.gitlab)
        with Server(web(self._vitals, self._metrics.page, hooks), wishes.host, wishes.port), self._ended():
            self._operator = Operator(self._outfit())
            await self._operator.run(stop)

    def _outfit(self) -> Outfit:
        wishes = self._wishes
        return Outfit(
            environment=wishes.environment,
            holder=f"operator {os.environ.get('POD_NAME') or socket.gethostname()}-{os.getpid()}",
            kinds=KINDS,
            upstream=wishes.upstream,
            connect=self._connect,
            clock=WallClock(),
            progress=Spoken(),
            listener=self._listeners,
            ledger=open_ledger(wishes.root),
            new_id=lambda: uuid.uuid4().hex[:12],
            monotonic=time.monotonic,
        )

    def _connect(self, environment: Environment) -> Cluster:
        found = reach(environment, os.environ, self._wishes.root)
        if self._wishes.custom_resources:
            self._watch(found, environment)
        return connected(found, self._metrics.request)

    def _watch(self, found: Access, environment: Environment) -> None:
        self._waker = Waker(
            (kind.plural for kind in KINDS), lambda: login(found), lambda body, gone: self._seen(environment, body, gone), self._said
        )
        self._listeners.add(self._waker)
        self._waker.start()

    def _seen(self, environment: Environment, body: Body, gone: bool) -> None:
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

    def _said(self, text: str) -> None:
        logging.getLogger(LOGGER).warning("%s", text)

    def _vitals(self) -> Vitals:
        return self._operator.vitals() if self._operator is not None else _NEVER

    @contextlib.contextmanager
    def _ended(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._waker is not None:
                self._waker.stop()


def logged(style: str) -> None:
    """Sets logging up, to stderr."""
    set_up(sys.stderr, style)
