"""The waker: Kopf, which watches custom resources and posts events about them. It wakes; it decides nothing and writes nothing else.

It runs in a thread with a loop of its own: when Kopf ends it cancels every task of its loop that began after it, and since 1.45 it ends
on any fault of a watch (https://github.com/nolar/kopf/pull/1313). It is begun again then; the passes of the operator go on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import field
from datetime import datetime
from typing import Any

from reconciler.model.happenings import BuildPutBack, ConditionChanged, ConflictFound, Happening
from reconciler.model.manifests import Body
from reconciler.model.spec import API_VERSION, GROUP
from reconciler.model.value import dataclass

# Kopf looks whether the official client is there, to take its objects, too. We have none for it, and the client takes ten megabytes.
_CLIENT = sys.modules.get("kubernetes")
sys.modules["kubernetes"] = None  # type: ignore[assignment]
try:
    import kopf
finally:
    if _CLIENT is None:
        del sys.modules["kubernetes"]
    else:
        sys.modules["kubernetes"] = _CLIENT

SHORTEST, LONGEST = 1.0, 60.0
"""Seconds before Kopf is begun again."""
_LENGTH = 1000
"""Of an event's message; the API server takes 1,024 bytes."""


@dataclass(frozen=True, slots=True)
class Login:
    """How Kopf reaches the API server, and until when that holds."""

    server: str
    authority: str | None = None
    insecure: bool = False
    token: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    expires: datetime | None = None


Seen = Callable[[Body, bool], None]
"""Hears of a custom resource, and whether it is gone."""


class Waker:
    """Kopf in a thread. `seen` and `said` are called in that thread."""

    def __init__(self, plurals: Iterable[str], login: Callable[[], Awaitable[Login]], seen: Seen, said: Callable[[str], None]) -> None:
        self._plurals, self._login, self._seen, self._said = tuple(plurals), login, seen, said
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
        self._posting: contextvars.Context | None = None
        self._uids: dict[tuple[str, str, str], str] = {}

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, and waits a little for that."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def hear(self, happening: Happening) -> None:
        """Posts an event where a custom resource is concerned, on changes only. Never waits: Kopf sends it when it can."""
        match happening:
            case ConditionChanged(type="Stalled" | "Progressing"):
                pass  # Ready says the same at the same moment
            case ConditionChanged(ref=ref, namespace=namespace, type=type, status=status, reason=reason, message=message):
                good = (status == "True") == (type == "Ready")
                self._post(ref.kind, namespace, ref.name, "Normal" if good else "Warning", reason, f"{type} is {status}: {message}")
            case ConflictFound(id=id, owner=owner, managers=managers):
                who = ", ".join(managers) or "somebody"
                self._post(
                    owner.kind, id.namespace, owner.name, "Warning", "Conflict", f"{who} keeps writing {id}; it is left alone for a while"
                )
            case BuildPutBack(ref=ref, namespace=namespace, failed=failed, message=message):
                self._post(ref.kind, namespace, ref.name, "Warning", "BuildPutBack", f"{failed} is given up; it is {message}")
            case _:
                pass

    def _post(self, kind: str, namespace: str, name: str, type: str, reason: str, message: str) -> None:
        uid = self._uids.get((kind, namespace, name))
        if self._posting is None or uid is None:
            return
        metadata = {"name": name, "uid": uid} | ({"namespace": namespace} if namespace else {})
        about: Any = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata}
        self._posting.copy().run(kopf.event, about, type=type, reason=reason, message=message[:_LENGTH])

    def _run(self) -> None:
        logging.getLogger("kopf").setLevel(logging.CRITICAL)  # what ends it is said here, once; what it tries again is no news
        delay = SHORTEST
        while not self._stop.is_set():
            try:
                asyncio.run(self._watch())
                delay = SHORTEST
            except Exception as fault:  # noqa: BLE001 - whatever ends Kopf, it is begun again
                self._said(f"the watch of custom resources ended and begins again: {type(fault).__name__}: {fault}")
            self._posting = None
            self._stop.wait(delay)
            delay = min(delay * 2, LONGEST)

    async def _watch(self) -> None:
        await kopf.operator(registry=self._registry(), settings=_settings(), clusterwide=True, standalone=True, stop_flag=self._stop)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.ConnectionInfo:
            found = await self._login()
            return kopf.ConnectionInfo(
                server=found.server,
                ca_data=found.authority,
                insecure=found.insecure or None,
                scheme="Bearer" if found.token else None,
                token=found.token,
                certificate_data=found.certificate,
                private_key_data=found.key,
                expiration=found.expires,
            )

        def heard(type: str, body: Any, **_: Any) -> bool:
            self._took(dict(body), gone=type == "DELETED")
            return False

        for plural in self._plurals:
            # The filter hears of each event as a handler would, and running a handler costs Kopf as much as all the rest of an event.
            kopf.on.event(GROUP, API_VERSION.partition("/")[2], plural, registry=registry, when=heard)(_never)

        return registry

    def _took(self, body: dict[str, Any], *, gone: bool) -> None:
        if self._posting is None:
            self._posting = contextvars.copy_context()
        metadata = body["metadata"]
        key = (body["kind"], metadata.get("namespace", ""), metadata["name"])
        if gone:
            self._uids.pop(key, None)
        else:
            self._uids[key] = metadata["uid"]
        self._seen(body, gone)


async def _never(**_: Any) -> None:
    """What Kopf would run if the filter let anything through."""


class _NoDiffs(kopf.DiffBaseStorage):
    """Nothing is compared: each event would be copied to its depths for that, whoever needs it, and nobody does."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        """Nothing was kept."""

    def store(self, **_: Any) -> None:
        """Nothing is kept: no object of ours grows annotations."""


class _NoProgress(kopf.ProgressStorage):
    """Nothing is remembered of handlers: they are spies, which have no progress."""

    def fetch(self, **_: Any) -> None:
        """Nothing was kept."""

    def store(self, **_: Any) -> None:
        """Nothing is kept."""

    def purge(self, **_: Any) -> None:
        """Nothing was kept."""

    def touch(self, **_: Any) -> None:
        """Nothing waits."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.persistence.diffbase_storage, settings.persistence.progress_storage = _NoDiffs(), _NoProgress()
    network, watching, queueing, posting = settings.networking, settings.watching, settings.queueing, settings.posting
    network.connect_timeout, network.request_timeout = 10, 60  # by default there is none for a connection, and 300 s for a request
    network.error_backoffs = (1, 2, 4, 8, 16, 32, 60, 60, 60)  # five minutes: a short outage does not end Kopf
    watching.connect_timeout, watching.server_timeout, watching.client_timeout = 10, 290, 330
    watching.inactivity_timeout = 70  # a stream without bookmarks for so long is dead, whatever the load balancer says
    queueing.worker_limit = None  # with a limit a worker keeps its place while it idles: twenty gave four objects a second
    queueing.idle_timeout = 0.1  # no object keeps a worker
    queueing.error_delays = (1, 2, 5, 10, 30, 60)
    posting.level, posting.loggers = logging.WARNING, False  # we post on changes only; its own log lines are no events
    posting.reporting_component, posting.event_name_prefix = "fleetwright", "fleetwright-"
    settings.peering.standalone = True  # one writer by the Lease: peering is a wall clock without a fence
    settings.process.ultimate_exiting_timeout = 45
    return settings
