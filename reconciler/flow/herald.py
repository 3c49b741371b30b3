"""The herald: spools what is worth telling, and has it carried to each target until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import orjson

from reconciler.core.address import content, wants
from reconciler.core.telling import Teller
from reconciler.model.canonical import short
from reconciler.model.fleet import Notification
from reconciler.model.happenings import Happening
from reconciler.ports import Clock, Letter, Outbox, Post, Posted

WINDOW = 5.0
"""Seconds for which happenings are collected."""
FIRST, LONGEST = 5.0, 3600.0
"""Seconds until the second try; they double up to an hour."""
_ONE = timedelta(microseconds=1)

OnSent = Callable[[str, str], None]
"""Told of each try: the target's type, and `taken`, `retry` or `hopeless`."""


class Herald:
    """A listener that tells. Targets do not wait for each other, and nobody waits for them."""

    def __init__(
        self,
        fleet: str,
        environment: str,
        outbox: Outbox,
        post: Post,
        clock: Clock,
        warn: Callable[[str], None],
        on_sent: OnSent | None = None,
    ) -> None:
        self._fleet, self._environment = fleet, environment
        self._outbox, self._post, self._clock = outbox, post, clock
        self._warn, self._on_sent = warn, on_sent
        self._targets: Mapping[str, Notification] = {}
        self._teller = Teller()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._remembers = False

    def aim(self, targets: Mapping[str, Notification]) -> None:
        """The targets from now on: `notifications` of `fleet.yaml`. Letters to others are dropped when their turn comes."""
        self._targets = dict(targets)

    def hear(self, happening: Happening) -> None:
        """Something happened."""
        self._teller.hear(happening)

    async def run(self, window: float = WINDOW) -> None:
        """Spool and carry until cancelled."""
        try:
            while True:
                await self.turn()
                await self._clock.sleep(window)
        finally:
            await self._stop()

    async def turn(self) -> None:
        """Once: what is new is spooled, and for each target that is free and due somebody sets out."""
        if not self._remembers:
            self._teller.remember(await asyncio.to_thread(self._outbox.told))
            self._remembers = True
        await self._spool()
        for letter in await asyncio.to_thread(self._outbox.due, self._clock.now()):
            if letter.target not in self._busy:
                task = asyncio.create_task(self._carry(letter))
                self._busy[letter.target] = task
                task.add_done_callback(lambda _, target=letter.target: self._busy.pop(target, None))  # type: ignore[misc]

    async def settle(self) -> None:
        """Until nobody is on the way."""
        while self._busy:
            await asyncio.gather(*self._busy.values())

    async def _stop(self) -> None:
        """What was heard last is written down before anything ends; who is on the way turns back."""
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*self._busy.values(), return_exceptions=True)
        await self._spool()

    async def _spool(self) -> None:
        now = self._clock.now()
        news = self._teller.news(now)
        if not news.said and not news.messages:
            return
        letters = []
        for place, message in enumerate(news.messages):
            made = now + place * _ONE  # they are sent in the order in which they were made
            for name, target in self._targets.items():
                if wants(target, message):
                    id = short([self._fleet, self._environment, name, message.subject, message.digest, made.isoformat()], 32)
                    body = orjson.dumps(content(message, id, self._fleet, self._environment, now)).decode()
                    letters.append(Letter(id, name, body, made, now))
        await asyncio.to_thread(self._outbox.put, letters, news.said, now)

    async def _carry(self, first: Letter) -> None:
        """All letters of one target, until one is not taken."""
        letter: Letter | None = first
        while letter is not None:
            target = self._targets.get(letter.target)
            posted = (
                await self._post.send(target, letter) if target else Posted(taken=False, hopeless=True, reason="there is no such target")
            )
            self._tell(letter, target, posted)
            if not posted.taken and not posted.hopeless:
                await asyncio.to_thread(self._outbox.retry, self._later(letter, posted))
                return
            await asyncio.to_thread(self._outbox.done, letter)
            due = await asyncio.to_thread(self._outbox.due, self._clock.now())
            letter = next((one for one in due if one.target == first.target), None)

    def _later(self, letter: Letter, posted: Posted) -> Letter:
        wait = min(LONGEST, max(posted.wait, FIRST * 2.0 ** min(letter.tries, 16)))
        return replace(letter, tries=letter.tries + 1, due=self._clock.now() + timedelta(seconds=wait))

    def _tell(self, letter: Letter, target: Notification | None, posted: Posted) -> None:
        outcome = "taken" if posted.taken else "hopeless" if posted.hopeless else "retry"
        if self._on_sent is not None:
            self._on_sent(target.type if target else "none", outcome)
        if posted.hopeless:
            self._warn(f"a notification to {letter.target} is dropped: {posted.reason}")
        elif not posted.taken and letter.tries == 0:
            self._warn(f"a notification to {letter.target} was not taken: {posted.reason}. It is tried again until it is")
