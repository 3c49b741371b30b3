"""Notifications from a happening to a receiver that listens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reconciler.adapters.ledger import SqlOutbox
from reconciler.adapters.memory import MemoryOutbox
from reconciler.adapters.notify import HttpPost
from reconciler.flow.herald import Herald
from reconciler.model.fleet import Notification
from reconciler.model.result import Ending
from reconciler.ports import Letter, Outbox
from tests.engines.certificates import issue_all
from tests.outside.happened import COMMIT, NOON, began, drift, ended
from tests.outside.receiver import Receiver, receiving

KEY = "whsec_" + base64.b64encode(b"a key of some length").decode()
LETTER = Letter(
    "id1", "ops", '{"version":"1","text":"t","topic":"failed","fleet":"f","environment":"e","revision":"r","verdict":"failure"}', NOON, NOON
)


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0.01)


class Desk:
    def __init__(self, secrets: Path, outbox: Outbox | None = None) -> None:
        self.clock, self.warned, self.sent = Hands(), [], []
        self.post = HttpPost(secrets, trial=True, now=lambda: NOON.timestamp())
        self.outbox = outbox or MemoryOutbox()
        self.herald = Herald("acme", "trial", self.outbox, self.post, self.clock, self.warned.append, lambda *what: self.sent.append(what))

    async def tell(self, *happenings, later: float = 0) -> None:
        """Hears, and lets everybody come back."""
        self.clock.time += timedelta(seconds=later)
        for happening in happenings:
            self.herald.hear(happening)
        await self.herald.turn()
        await self.herald.settle()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "key").write_text(KEY + "\n")
    (folder / "token").write_text("t0ken\n")
    return folder


@pytest.fixture
async def desk(secrets: Path) -> AsyncIterator[Desk]:
    desk = Desk(secrets)
    yield desk
    await desk.post.close()


def hook(receiver: Receiver, **fields) -> Notification:
    return Notification(type="webhook", url=receiver.url(), secret="key", **fields)


async def test_a_webhook_gets_what_happened_signed_and_under_an_id(desk):
    async with receiving() as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        await desk.tell(began(), ended(Ending.FAILED, message="2 writes failed", failed=2))
        (request,), (body,), (value,) = receiver.got, receiver.bodies, receiver.values
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(b"a key of some length", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert headers["Idempotency-Key"] == headers["webhook-id"] == value["id"]
    assert value["version"] == "fleetwright.dev/notification/v1"
    assert (value["topic"], value["environment"], value["revision"]) == ("failed", "trial", COMMIT)
    assert value["text"] == "9f3c2ab failed: 2 failed. 2 writes failed"
    assert value["about"][0]["failed"] == 2
    assert desk.sent == [("webhook", "taken")]


async def test_a_chat_gets_a_text(desk, secrets):
    async with receiving() as receiver:
        (secrets / "slack").write_text(receiver.url("/services/T0/B0/s3cret"))
        desk.herald.aim({"chat": Notification(type="slack", url_from="slack", events=("drift",))})
        await desk.tell(*(drift(f"w{number}") for number in range(9)), ended(Ending.FAILED))
        assert [set(value) for value in receiver.values] == [{"text"}]
        assert receiver.values[0]["text"].startswith("[acme trial] drift: 9 objects were not as applied")
        assert receiver.got[0].path == "/services/T0/B0/s3cret"


async def test_a_commit_gets_its_statuses_in_their_order(desk):
    async with receiving() as receiver:
        desk.herald.aim({"commits": Notification(type="github", url=receiver.url(""), secret="token", repository="acme/fleet")})
        await desk.tell(began(), drift(), ended(created=3))
        await desk.tell(began(because="resync"), ended())
        assert {request.path for request in receiver.got} == {f"/repos/acme/fleet/statuses/{COMMIT}"}
        assert receiver.got[0].headers["Authorization"] == "Bearer t0ken"
        assert receiver.values == [
            {"state": "pending", "context": "fleetwright/trial", "description": "9f3c2ab is being applied"},
            {"state": "success", "context": "fleetwright/trial", "description": "9f3c2ab completed: 3 created"},
        ]


@pytest.mark.parametrize("fault", [500, 502, 401, 404, 429, "reset", "redirect", "busy"])
async def test_what_is_not_taken_is_sent_again_the_same_until_it_is(desk, fault):
    async with receiving(fault, fault) as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        await desk.tell(ended(Ending.FAILED))
        assert len(receiver.got) == 1
        await desk.tell()
        assert len(receiver.got) == 1  # not before its time
        await desk.tell(later=121)
        await desk.tell(later=121)
        await desk.tell(later=9999)
        assert [request.headers["Idempotency-Key"] for request in receiver.got] == [receiver.values[0]["id"]] * 3
        assert len(set(receiver.bodies)) == 1
        assert {request.path for request in receiver.got} == {"/hook"}
    assert desk.outbox.waiting() == 0
    assert [outcome for _, outcome in desk.sent] == ["retry", "retry", "taken"]
    assert len(desk.warned) == 1


async def test_the_waits_grow_to_an_hour_and_end_never(desk):
    waits = []
    desk.herald.aim({"ops": Notification(type="webhook", url="http://127.0.0.1:1/", secret="key")})
    await desk.tell(ended(Ending.FAILED))
    for _ in range(20):
        letter = next(iter(desk.outbox.due(datetime.max.replace(tzinfo=NOON.tzinfo))))
        waits.append((letter.due - desk.clock.time).total_seconds())
        desk.clock.time = letter.due
        await desk.tell()
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == 3600
    assert desk.outbox.waiting() == 1


async def test_what_can_never_be_taken_is_dropped_and_said(desk):
    async with receiving(422) as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        await desk.tell(ended(Ending.FAILED), drift())
        assert len(receiver.got) == 2  # the next one goes on
    assert desk.outbox.waiting() == 0
    assert desk.warned == ["a notification to ops is dropped: 127.0.0.1 answers 422"]


async def test_a_target_that_hangs_or_is_gone_holds_up_no_other(desk, secrets):
    async with receiving("hang") as stuck, receiving() as well:
        gone = Notification(type="webhook", url="http://127.0.0.1:1/", secret="key")
        desk.herald.aim({"stuck": hook(stuck), "gone": gone, "well": hook(well)})
        desk.herald.hear(ended(Ending.FAILED))
        await desk.herald.turn()
        await stuck.hung.wait()
        while not well.got:
            await asyncio.sleep(0.01)
        desk.herald.hear(ended(Ending.BLOCKED))
        desk.clock.time += timedelta(seconds=60)
        while len(well.got) < 2:
            await desk.herald.turn()
            await asyncio.sleep(0.01)
        assert len(stuck.got) == 1
        stuck.going.set()
        await desk.herald.settle()
        assert [value["topic"] for value in well.values] == ["failed", "blocked"]


async def test_a_new_process_sends_what_the_old_one_could_not_and_tells_nothing_twice(secrets, tmp_path):
    warned: list[str] = []

    def outbox() -> SqlOutbox:
        return SqlOutbox(f"sqlite:///{tmp_path}/ledger.db", "trial", warned.append)

    async with receiving(500) as receiver:
        first = Desk(secrets, outbox())
        first.herald.aim({"ops": hook(receiver)})
        await first.tell(ended(Ending.FAILED, message="no quota"))
        await first.post.close()
        second = Desk(secrets, outbox())
        second.herald.aim({"ops": hook(receiver)})
        await second.tell(ended(Ending.FAILED, message="no quota"), later=60)
        assert [value["text"] for value in receiver.values] == ["9f3c2ab failed: nothing to do. no quota"] * 2
        assert receiver.bodies[0] == receiver.bodies[1]
        await second.tell(later=60)
        assert len(receiver.got) == 2
        await second.post.close()
    assert warned == []


async def test_what_was_heard_last_is_spooled_before_the_process_ends(desk):
    async with receiving() as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        running = asyncio.create_task(desk.herald.run())
        await asyncio.sleep(0.05)
        desk.herald.hear(ended(Ending.FAILED))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert desk.outbox.waiting() == 1


async def test_the_loop_turns_by_itself(desk):
    async with receiving() as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        running = asyncio.create_task(desk.herald.run())
        desk.herald.hear(ended(Ending.FAILED))
        while not receiver.got:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])


async def test_a_target_that_is_no_longer_declared_gets_nothing(desk):
    async with receiving(500) as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        await desk.tell(ended(Ending.FAILED))
        desk.herald.aim({})
        await desk.tell(later=60)
        assert len(receiver.got) == 1
    assert desk.outbox.waiting() == 0


async def test_a_changed_secret_counts_at_once(desk, secrets):
    async with receiving() as receiver:
        target = Notification(type="github", url=receiver.url(""), secret="token", repository="acme/fleet")
        await desk.post.send(target, LETTER)
        (secrets / "token").write_text("new")
        await desk.post.send(target, LETTER)
        assert [request.headers["Authorization"] for request in receiver.got] == ["Bearer t0ken", "Bearer new"]


@pytest.mark.parametrize("content", [None, "", " \n", "two words", "a\nX-Evil: 1", "é"])
async def test_a_secret_that_is_none_sends_nothing_and_can_be_put_right(desk, secrets, content):
    async with receiving() as receiver:
        (secrets / "token").unlink()
        if content is not None:
            (secrets / "token").write_text(content)
        posted = await desk.post.send(Notification(type="github", url=receiver.url(""), secret="token", repository="a/b"), LETTER)
        assert (posted.taken, posted.hopeless, receiver.got) == (False, False, [])
        assert "secret token" in posted.reason


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/x", "https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://127.1:{port}/", "https://2130706433:{port}/",
     "https://0x7f000001:{port}/", "https://[::1]:{port}/", "https://[::ffff:127.0.0.1]:{port}/", "https://169.254.169.254/latest",
     "https://10.0.0.1:{port}/", "https://0/", "http://example.com/", "file:///etc/passwd", "https://ana:pw@example.com/", "nonsense", "https://"],
)  # fmt: skip
async def test_an_operator_cannot_be_made_to_talk_to_what_only_it_sees(secrets, url):
    async with receiving() as receiver:
        (secrets / "slack").write_text(url.format(port=receiver.port))
        post = HttpPost(secrets)
        posted = await post.send(Notification(type="slack", url_from="slack"), LETTER)
        await post.close()
        assert not posted.taken
        assert "does not take it" not in posted.reason or "this machine itself" in posted.reason, (
            posted.reason
        )  # it is not even connected to
        assert receiver.got == []


async def test_a_name_that_resolves_to_a_private_address_is_refused_when_it_is_connected_to(secrets, monkeypatch):
    """As with names that first resolve to something harmless: what is checked is what is connected to."""
    from aiohttp.resolver import ThreadedResolver

    async def resolve(self, host, port=0, family=0):
        return [{"hostname": host, "host": "10.0.0.7", "port": port, "family": family, "proto": 0, "flags": 0}]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    (secrets / "slack").write_text("https://hooks.example.com/s3cret")
    post = HttpPost(secrets)
    posted = await post.send(Notification(type="slack", url_from="slack"), LETTER)
    await post.close()
    assert "private network" in posted.reason
    assert "s3cret" not in posted.reason


async def test_a_certificate_that_nobody_knows_is_not_trusted(secrets, tmp_path):
    issue_all(tmp_path / "pki")
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(tmp_path / "pki/server.crt", tmp_path / "pki/server.key")
    ours = ssl.create_default_context(cafile=str(tmp_path / "pki/ca.crt"))
    async with receiving(tls=theirs) as receiver:
        target = Notification(type="webhook", url=receiver.url(scheme="https", host="localhost"), secret="key")
        for tls, taken in ((True, False), (ours, True)):
            post = HttpPost(secrets, trial=True, tls=tls)
            posted = await post.send(target, LETTER)
            await post.close()
            assert posted.taken is taken, posted
            assert taken or "certificate" in posted.reason
        assert len(receiver.got) == 1


@pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"text": 1}', "\x00"])
async def test_a_letter_that_is_none_stops_nothing(desk, secrets, body):
    async with receiving() as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        desk.outbox.put([Letter("broken", "ops", body, NOON, NOON)], {}, NOON)
        await desk.tell(ended(Ending.FAILED))
        assert [value["topic"] for value in receiver.values] == ["failed"]
    assert desk.outbox.waiting() == 0


async def test_what_strangers_wrote_makes_no_letter_large_and_carries_no_token(desk):
    async with receiving() as receiver:
        desk.herald.aim({"ops": hook(receiver)})
        await desk.tell(
            ended(Ending.FAILED, message="https://ana:hunter2@git.example " + "x" * 1_000_000),
            drift("web", *(f"/f{n}" for n in range(5000))),
        )
        assert max(map(len, receiver.bodies)) < 20_000
        assert b"hunter2" not in b"".join(receiver.bodies)
