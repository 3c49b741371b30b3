"""Pull requests against a server that behaves like GitHub: whatever is lost on the way, there is one branch, one commit and one of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from reconciler.adapters.memory import MemoryOutbox
from reconciler.adapters.notify import HttpPost
from reconciler.flow.herald import Herald
from reconciler.model.fleet import Notification
from reconciler.ports import Letter, Posted
from tests.outside.github import GitHub, github
from tests.outside.happened import NOON
from tests.outside.test_notify import Hands
from tests.outside.test_propose import PUT_BACK, SPEC, WHY, letter

PATH = "specs/services/platform/web.yaml"
FILES = {PATH: SPEC, "fleet.yaml": b"apiVersion: x\n"}
LETTER = Letter("id1", "git", orjson.dumps(letter()).decode(), NOON, NOON)
BOMB = gzip.compress(b" " * (16 << 20))
HELD = SPEC.replace(
    b"  onFailure",
    b'  forceImageTag: {tag: t-a, reason: "' + WHY.encode() + b'", by: "the operator", environments: [production]}\n  onFailure',
)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("t0ken\n")
    return tmp_path


def target(served: GitHub, **fields) -> Notification:
    return Notification(**{"type": "pull-request", "url": served.url, "secret": "token", "repository": "acme/fleet"} | fields)


async def send(secrets: Path, served: GitHub, folder: str = "", **fields) -> Posted:
    post = HttpPost(secrets, trial=True, now=lambda: NOON.timestamp(), folder=folder)
    try:
        return await post.send(target(served, **fields), LETTER)
    finally:
        await post.close()


def assert_one(served: GitHub, path: str = PATH, held: bytes = HELD) -> None:
    """One branch, one commit on it, which adds the hold, and one pull request."""
    (branch,) = set(served.branches) - {"main"}
    files, message = served.commits[served.branches[branch]]
    assert files[path] == held
    assert message.startswith("Hold web at t-a\n")
    assert [one for one in served.commits.values() if one[1] == message] == [(files, message)]
    (pull,) = served.pulls
    assert (pull["head"]["ref"], pull["base"], pull["state"]) == (branch, "main", "open")
    assert pull["title"] == "Hold platform/web at t-a: t-b did not become healthy in production"
    assert WHY in pull["body"]


async def test_a_build_that_was_put_back_is_offered_to_git(secrets):
    async with github(FILES) as served:
        assert await send(secrets, served) == Posted(taken=True)
        assert_one(served)
        assert served.at("main") == FILES


async def test_a_letter_that_comes_twice_changes_nothing(secrets):
    async with github(FILES) as served:
        await send(secrets, served)
        writes = [what for what in served.got if not what.startswith("GET")]
        assert await send(secrets, served) == Posted(taken=True)
        assert [what for what in served.got if not what.startswith("GET")] == writes
        assert_one(served)


async def test_the_fleet_may_lie_in_a_folder_and_the_branch_may_be_named(secrets):
    async with github({f"deploy/fleet/{PATH}": SPEC}) as served:
        served.branches["release/v1.2"] = served.branches.pop("main")
        assert (await send(secrets, served, "deploy/fleet/", branch="release/v1.2")).taken
        assert served.pulls[0]["base"] == "release/v1.2"
        assert served.at(served.pulls[0]["head"]["ref"]) == {f"deploy/fleet/{PATH}": HELD}
        assert "GET" not in served.got  # the default branch is not asked for


@pytest.mark.parametrize("fault", ["lost", "reset", 500, 502])
@pytest.mark.parametrize("number", range(7))
async def test_whatever_breaks_at_any_request_the_next_try_ends_with_one(secrets, number, fault):
    def answer(at: int, what: str) -> web.Response | str | None:
        if at != number:
            return None
        return web.Response(status=fault) if isinstance(fault, int) else fault

    async with github(FILES, answer=answer) as served:
        tries = [await send(secrets, served)]
        while not tries[-1].taken:
            assert not tries[-1].hopeless, tries[-1]
            assert len(tries) < 3, tries
            tries.append(await send(secrets, served))
        assert len(served.got) > 7
        assert_one(served)


@pytest.mark.parametrize("every", ["POST git/refs", f"PUT contents/{PATH}", "POST pulls"])
async def test_an_answer_that_is_lost_again_and_again_makes_no_second_one(secrets, every):
    async with github(FILES, answer=lambda _, what: "lost" if what == every else None) as served:
        for _ in range(4):
            posted = await send(secrets, served)
        assert not posted.hopeless
        served.answer = lambda _, what: None
        assert (await send(secrets, served)).taken
        assert_one(served)


async def test_a_file_that_changes_between_reading_and_writing_is_changed_as_it_is_then(secrets):
    newer = SPEC.replace(b"replicas:   2", b"replicas:   3")

    def before(served: GitHub, what: str) -> None:
        if what.startswith("PUT") and len(served.got) < 8:
            branch = next(name for name in served.branches if name != "main")
            served.push(branch, PATH, newer)

    async with github(FILES, before=before) as served:
        first = await send(secrets, served)
        assert (first.taken, first.hopeless) == (False, False)
        assert not served.pulls
        assert (await send(secrets, served)).taken
        assert_one(served, held=HELD.replace(b"replicas:   2", b"replicas:   3"))


@pytest.mark.parametrize("what", ["POST git/refs", f"PUT contents/{PATH}", "POST pulls"])
async def test_two_at_once_make_one_and_both_are_done(secrets, what):
    """As when a request is sent a second time below us: it is done between our look and our write."""

    async def first(served: GitHub) -> None:
        posted = await send(secrets, served)
        assert posted == Posted(taken=True)

    async with github(FILES) as served:

        async def other(asked: str) -> None:
            if asked == what and not others:
                others.append(asked)
                await first(served)

        others: list[str] = []
        served.meanwhile = other
        await first(served)
        assert others == [what]
        assert_one(served)


async def test_a_pull_request_that_github_refuses_for_good_is_settled(secrets):
    async with github(FILES, answer=lambda _, what: web.json_response({}, status=422) if what == "POST pulls" else None) as served:
        posted = await send(secrets, served)
        assert (posted.taken, posted.hopeless) == (False, True)
        assert posted.reason == "GitHub does not open the pull request: it answers 422"


async def test_a_change_that_github_refuses_is_tried_again(secrets):
    """A rule for branches may be in the way, which a person can lift."""
    async with github(FILES, answer=lambda _, what: web.json_response({}, status=422) if what.startswith("PUT") else None) as served:
        posted = await send(secrets, served)
        assert (posted.taken, posted.hopeless) == (False, False)
        assert posted.reason == "GitHub does not take the change: it answers 422"
        served.answer = lambda *_: None
        assert (await send(secrets, served)).taken
        assert_one(served)


async def test_a_branch_that_was_made_before_main_moved_on_is_used(secrets):
    async with github(FILES, answer=lambda _, what: "reset" if what.startswith("PUT") else None) as served:
        assert not (await send(secrets, served)).taken
        served.push("main", PATH, SPEC.replace(b"2", b"5"))
        served.answer = lambda _, what: None
        assert (await send(secrets, served)).taken
        assert_one(served)


async def test_a_pull_request_that_somebody_closed_is_not_opened_again(secrets):
    async with github(FILES) as served:
        await send(secrets, served)
        served.pulls[0]["state"] = "closed"
        del served.branches[served.pulls[0]["head"]["ref"]]
        assert (await send(secrets, served)).taken
        assert (len(served.pulls), list(served.branches)) == (1, ["main"])


@pytest.mark.parametrize(
    ("files", "why"),
    [({PATH: HELD}, "has a hold already"), ({PATH: SPEC + b"  forceImageTag: t-x\n"}, "has a hold already"), ({}, "there is no"), ({PATH: b"a: {"}, "does not parse")],
)  # fmt: skip
async def test_where_there_is_nothing_to_hold_nothing_is_opened_and_that_is_settled(secrets, files, why):
    async with github(files) as served:
        posted = await send(secrets, served)
        assert (posted.taken, posted.hopeless) == (False, True)
        assert why in posted.reason
        assert (list(served.branches), served.pulls) == (["main"], [])


@pytest.mark.parametrize(
    ("answer", "hopeless", "wait", "why"),
    [
        (lambda: web.Response(status=401), False, 0, "does not know the token"),
        (lambda: web.Response(status=403), False, 0, "needs to write contents and pull requests"),
        (lambda: web.Response(status=403, headers={"Retry-After": "120"}), False, 120, "left alone"),
        (lambda: web.Response(status=429, headers={"Retry-After": "99999"}), False, 3600, "left alone"),
        (lambda: web.Response(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOON.timestamp()) + 60)}), False, 60, "left alone"),
        (lambda: web.Response(status=403, headers={"Retry-After": "-1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}), False, 0, "needs to write"),
        (lambda: web.Response(status=404), False, 0, "acme/fleet"),
        (lambda: web.Response(status=301, headers={"Location": "https://evil.example/"}), False, 0, "points elsewhere"),
        (lambda: web.Response(status=500, text="t0ken <b>@all</b>"), False, 0, "answers 500"),
        (lambda: web.Response(status=410), True, 0, "answers 410"),
        (lambda: web.Response(body=b"[" * (5 << 20)), False, 0, "more than"),
        (lambda: web.Response(body=b"[" * 100_000), False, 0, "not JSON"),
        (lambda: web.Response(body=BOMB, headers={"Content-Encoding": "gzip"}), False, 0, "compressed"),
        (lambda: web.Response(text="<html>"), False, 0, "not JSON"),
        (lambda: web.Response(body=b""), False, 0, "not JSON"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [0, 1, 2, 4, 6])
async def test_an_answer_that_is_no_good_is_one_sentence_without_the_token(secrets, answer, hopeless, wait, why, number):
    async with github(FILES, answer=lambda at, _: answer() if at == number else None) as served:
        posted = await send(secrets, served)
        assert (posted.taken, posted.hopeless, posted.wait) == (False, hopeless, wait), posted
        assert why in posted.reason
        assert "\n" not in posted.reason
        assert "t0ken" not in posted.reason
        assert "evil" not in posted.reason
        assert len(served.got) == number + 1  # nothing is followed, and nothing else is done
        served.answer = lambda *_: None
        assert (await send(secrets, served)).taken
        assert_one(served)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("GET pulls", {"message": "x"}), ("GET pulls", "x"), ("GET", []), ("GET", {"default_branch": 7}), ("GET", {"default_branch": "../../x"}),
        ("GET", {"default_branch": "a\r\nb"}), ("GET", {"default_branch": "x" * 999}), ("GET git/ref/heads/main", {"object": {"sha": "main"}}),
        ("GET git/ref/heads/main", {"object": None}), (f"GET contents/{PATH}", {"type": "file", "encoding": "none", "content": ""}),
        (f"GET contents/{PATH}", {"type": "file", "encoding": "base64", "content": "é", "sha": "0" * 40}),
        (f"GET contents/{PATH}", {"type": "file", "encoding": "base64", "content": "AA==", "sha": {"a": 1}}),
    ],
)  # fmt: skip
async def test_what_is_answered_is_not_believed(secrets, what, value):
    async with github(FILES, answer=lambda _, asked: web.json_response(value) if asked == what else None) as served:
        posted = await send(secrets, served)
        assert (posted.taken, posted.hopeless) == (False, False), posted
        assert "GitHub does not" in posted.reason
        assert (list(served.branches), served.pulls) == (["main"], [])


@pytest.mark.parametrize("value", [[None], [7, {"head": 7}], [{"head": {"label": 7}}]])
async def test_pull_requests_that_are_none_are_none(secrets, value):
    async with github(FILES, answer=lambda _, what: web.json_response(value) if what == "GET pulls" else None) as served:
        assert (await send(secrets, served)).taken
        assert_one(served)


async def test_a_repository_that_is_not_there_is_asked_for_until_somebody_puts_it_right(secrets):
    async with github(FILES) as served:
        posted = await send(secrets, served, repository="acme/other")
        assert (posted.taken, posted.hopeless) == (False, False)
        assert "acme/other" in posted.reason


async def test_only_what_everybody_may_reach_is_asked(secrets):
    async with github(FILES) as served:
        post = HttpPost(secrets)
        posted = await post.send(target(served), LETTER)
        await post.close()
        assert (posted.taken, served.got) == (False, [])


async def test_what_is_put_back_goes_through_the_outbox_until_it_is_taken(secrets):
    async with github(FILES, answer=lambda at, _: web.Response(status=403, headers={"Retry-After": "120"}) if at == 3 else None) as served:
        clock, warned, sent = Hands(), [], []
        post, outbox = HttpPost(secrets, trial=True), MemoryOutbox()
        herald = Herald("acme", "production", outbox, post, clock, warned.append, lambda *what: sent.append(what))
        herald.aim({"git": target(served)})
        for _ in range(3):
            herald.hear(PUT_BACK)
            await herald.turn()
            await herald.settle()
            await clock.sleep(121)
        await post.close()
        assert sent == [("pull-request", "retry"), ("pull-request", "taken")]
        assert outbox.waiting() == 0
        assert len(warned) == 1
        assert_one(served)
