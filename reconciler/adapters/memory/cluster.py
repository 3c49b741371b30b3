"""The port `Cluster` over a store in memory, with hooks for tests: refusals, lost answers, counts of requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from reconciler.adapters.memory.store import MemoryStore, matches, observed
from reconciler.model.manifests import MANAGER, ORDERS, Body, ObjectId, Observed, identify
from reconciler.ports import Answer, Event, EventKind, Glance, Refused, whole


class Request(NamedTuple):
    """One request: `list`, `read`, `apply`, `preview` (an apply's dry-run), `status`, `put`, `delete`, `hand-over` or `watch`, and of what."""

    verb: str
    id: ObjectId | None = None


Fault = Refused | BaseException
"""What a request gets instead of its answer; an exception is raised."""
Decide = Callable[[Request], Fault | None]


class MemoryCluster:
    """A target in memory. Objects live in the store: hand the same store to another adapter, and it finds what this one wrote.

    `before` and `after` see every request before and after the store acted on it, and may give it another ending:
    a fault from `after` is a write that happened and whose answer was lost.
    """

    def __init__(self, store: MemoryStore | None = None, *, manager: str = MANAGER) -> None:
        self.store = MemoryStore() if store is None else store
        self.manager = manager
        self.requests: Counter[str] = Counter()
        self.log: list[Request] = []
        self.before: Decide = _let_pass
        self.after: Decide = _let_pass
        self._watches: list[asyncio.Queue[Event]] = []

    @property
    def place(self) -> str:
        """Where this is."""
        return "memory"

    @property
    def writes(self) -> int:
        """How many requests were meant to change something."""
        return sum(self.requests[verb] for verb in ("apply", "status", "put", "delete", "hand-over"))

    def fail_next(self, fault: Fault, *verbs: str, times: int = 1, late: bool = False) -> None:
        """Let the next `times` requests of these verbs (all, where none is named) fail; `late`: after they took effect."""
        left = times

        def decide(request: Request) -> Fault | None:
            nonlocal left
            if left == 0 or (verbs and request.verb not in verbs):
                return None
            left -= 1
            return fault

        if late:
            self.after = decide
        else:
            self.before = decide

    async def list(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]], glance: Glance = whole) -> tuple[Observed, ...]:
        """All objects of these kinds with these labels."""
        await self._ask(Request("list"))
        return tuple(map(glance, self.store.select(labels, kinds)))

    async def read(self, id: ObjectId) -> Observed | None:
        """One object, or None."""
        await self._ask(Request("read", id))
        return self.store.get(id)

    async def apply(self, body: Body, *, dry_run: bool, force: bool, live: Observed | None = None) -> Answer:  # noqa: ARG002
        """Server-side apply."""
        request = Request("preview" if dry_run else "apply", identify(body))
        return await self._write(request, lambda: self.store.apply(body, self.manager, dry_run=dry_run, force=force))

    async def apply_status(self, body: Body) -> Answer:
        """Server-side apply of the status."""
        return await self._write(Request("status", identify(body)), lambda: self.store.apply_status(body, self.manager))

    async def put(self, body: Body) -> Answer:
        """Compare and set."""
        return await self._write(Request("put", identify(body)), lambda: self.store.put(body, self.manager))

    async def patch_managers(self, observed: Observed, managers: Iterable[str], subresource: str = "") -> Answer:
        """Take over the fields of other managers."""
        request = Request("hand-over", observed.id)
        return await self._write(request, lambda: self.store.hand_over(observed, managers, self.manager, subresource))

    async def annotate(self, id: ObjectId, annotations: Mapping[str, str | None]) -> Answer:
        """Set or take away annotations."""

        def mutate(body: dict[str, Any]) -> None:
            left = {**(body["metadata"].get("annotations") or {}), **annotations}
            body["metadata"]["annotations"] = {name: value for name, value in left.items() if value is not None}

        return await self._write(Request("annotate", id), lambda: self.store.edit(id, ORDERS, mutate))

    async def delete(self, observed: Observed) -> Answer:
        """Delete exactly this version."""
        return await self._write(Request("delete", observed.id), lambda: self.store.delete(observed))

    async def watch(self, labels: Mapping[str, str], kinds: Iterable[tuple[str, str]]) -> AsyncIterator[Event]:
        """Every object, then changes; after `interrupt`, LOST and every object again."""
        wanted = frozenset(kinds)
        queue: asyncio.Queue[Event] = asyncio.Queue()

        def listener(before: Body | None, after: Body | None) -> None:
            if (event := _event(before, after, labels, wanted)) is not None:
                queue.put_nowait(event)

        await self._ask(Request("watch"))
        self.store.listeners.append(listener)
        self._watches.append(queue)
        try:
            for standing in tuple(self.store.select(labels, wanted)):
                yield Event(EventKind.SET, standing)
            while True:
                event = await queue.get()
                yield event
                if event.kind is EventKind.LOST:
                    for standing in tuple(self.store.select(labels, wanted)):
                        yield Event(EventKind.SET, standing)
        finally:
            self.store.listeners.remove(listener)
            self._watches.remove(queue)

    def interrupt(self) -> None:
        """Break every watch of this adapter: what was not delivered yet is lost."""
        for queue in self._watches:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(Event(EventKind.LOST, None))

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _ask(self, request: Request) -> Refused | None:
        """Count a request and let other tasks run, as the network would; what fails here never reached the store."""
        self.requests[request.verb] += 1
        self.log.append(request)
        await asyncio.sleep(0)
        return _raised(self.before(request))

    async def _write(self, request: Request, act: Callable[[], Answer]) -> Answer:
        if (refused := await self._ask(request)) is not None:
            return refused
        answer = act()
        late = _raised(self.after(request))
        await asyncio.sleep(0)
        return late or answer


def _let_pass(request: Request) -> Fault | None:  # noqa: ARG001
    return None


def _raised(fault: Fault | None) -> Refused | None:
    if isinstance(fault, BaseException):
        raise fault
    return fault


def _event(before: Body | None, after: Body | None, labels: Mapping[str, str], kinds: frozenset[tuple[str, str]]) -> Event | None:
    """What a watch with these labels sees of a change: an object that loses the labels is gone."""
    body = before if after is None else after
    if body is None or identify(body)[:2] not in kinds:
        return None
    if after is not None and matches(after, labels):
        return Event(EventKind.SET, observed(after))
    return Event(EventKind.GONE, observed(body)) if matches(before, labels) else None
