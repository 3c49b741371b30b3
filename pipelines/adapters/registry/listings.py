"""Lists that come in pages (distribution specification, "Listing Tags"): followed to their end, which is never far."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import orjson

from pipelines.adapters.registry.failures import fault, refusal
from pipelines.adapters.registry.transport import Ask, Transport
from pipelines.adapters.registry.wire import Answer
from pipelines.model.oci import Repository
from pipelines.model.reference import TAG
from pipelines.ports import RegistryFault

PAGES = 500
PAGE = 1000
MOST = PAGES * PAGE
"""Tags of one repository."""
_NEXT = re.compile(r"<([^<>]*)>\s*;[^,]*\brel\s*=\s*\"?next\b", re.IGNORECASE)


async def pages(transport: Transport, ask: Ask) -> AsyncIterator[Answer]:
    """Answers of status 200, one a page, or one of another status. A link that leads away from the list raises RegistryFault."""
    here, home = ask, ask.path.partition("?")[0]
    seen: set[str] = set()
    for _ in range(PAGES):
        answer = await transport.ask(here)
        yield answer
        found = _NEXT.search(answer.headers.get("link", "")) if answer.status == 200 else None
        if not found:
            return
        address = transport.resolve(here, found[1], "list more")
        if not address.partition("?")[0].endswith(f"/v2/{ask.repository.path}/{home}") or address in seen:
            break
        seen.add(address)
        here = Ask("GET", ask.repository, address, ask.doing, ask.headers, follows=ask.follows)
    raise RegistryFault(f"{ask.repository.host} has no end of pages when asked to {ask.doing}", "ask whoever runs it")


async def tags(transport: Transport, repository: Repository) -> set[str]:
    """Every tag; none where the repository is not there."""
    found: set[str] = set()
    ask = Ask("GET", repository, f"tags/list?n={PAGE}", f"list the tags of {repository.path}")
    async for answer in pages(transport, ask):
        if answer.status == 404:
            return set()
        if answer.status != 200:
            raise fault(repository.host, ask.doing, refusal(answer.status, answer.kind, answer.body))
        before = len(found)
        found.update(_tags(repository, answer))
        if len(found) > MOST:
            raise RegistryFault(f"{repository} has more than {MOST} tags", "delete some")
        if len(found) == before and answer.headers.get("link"):
            raise RegistryFault(f"{repository.host} gives pages without new tags when asked to {ask.doing}", "ask whoever runs it")
    return found


def _tags(repository: Repository, answer: Answer) -> list[str]:
    try:
        names = orjson.loads(answer.body)["tags"] or []
        return [name for name in names if isinstance(name, str) and TAG.fullmatch(name)]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        words = "a page of more than 4 MiB" if answer.is_cut else "something that is no list of tags"
        raise RegistryFault(f"{repository.host} gave {words} for {repository.path}", "perhaps it is no registry") from None
