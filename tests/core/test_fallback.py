"""When a build is given up and what is put back: cases as data, and that it always comes to rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.fallback import Moment, judge
from reconciler.core.inventory import Inventory, Stamp, decode, encode
from reconciler.core.put_back import OPERATOR, held_back, put_back
from reconciler.core.render import render
from reconciler.core.world import World
from reconciler.kinds import KINDS
from reconciler.model.fleet import Guards
from reconciler.model.graph import Graph, Held, Locked
from reconciler.model.manifests import Body, ObjectId, Observed, identify
from reconciler.model.refs import Ref
from reconciler.model.track import PutBack, Track
from tests.fleets import Repo, digest, lock, service

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "fallback.yaml").read_text())
S0 = Ref("Service", "s0", "acme")
BEGIN = datetime(2026, 11, 21, tzinfo=UTC)
FALLS = "  onFailure: hold-previous\n"


def at(seconds: int) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def graph(current: str, edit: str = FALLS, bad: tuple[str, ...] = ()) -> Graph:
    text = lock(current, ("c", "t-c"), ("b", "t-b"), ("a", "t-a"))
    for letter in bad:
        text = text.replace(f"tag: t-{letter},", f"tag: t-{letter}, bad: true,")
    repo = Repo.small(2).having("fleet.lock", text)
    fleet = repo.files["fleet.yaml"].replace("unlocked: tag", "unlocked: tag\n      sync: {deadline: 60s}")
    edit = edit if "onFailure" in edit else FALLS + edit
    return repo.having("fleet.yaml", fleet).having("specs/services/acme/s0.yaml", service("s0", extra=edit)).graph()


def status(how: str, replicas: int) -> Mapping[str, Any]:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas if how == "healthy" else 0)
    reason = "ProgressDeadlineExceeded" if how == "failed" else "NewReplicaSetAvailable"
    return {"observedGeneration": 1, **counts, "conditions": [{"type": "Progressing", "status": "True", "reason": reason}]}


def live(letter: str, how: str, replicas: int = 1) -> World:
    """A world in which `s0` runs a build."""
    made = next(one for one in render(graph(letter), KINDS) if one.id.kind == "Deployment" and one.owner == S0)
    body: Body = {**made.body, "spec": {**made.body["spec"], "replicas": replicas}, "status": status(how, replicas)}
    body = {**body, "metadata": {**body["metadata"], "generation": 1}}
    return World({made.id: Observed(made.id, "u", "1", body)})


def known(said: Mapping[str, Any]) -> Track:
    hold = None
    if "hold" in said:
        failed, to = said["hold"].split()
        hold = PutBack(digest(failed), f"t-{failed}", digest(to), f"t-{to}", "")
    since = at(said["since"]).isoformat() if "since" in said else ""
    spent = tuple(map(digest, said.get("spent", ())))
    return Track(*(digest(said[name]) if name in said else "" for name in ("healthy", "tried")), since, spent, hold)


def timeless(track: Track) -> Track:
    """Without the words of its hold."""
    hold = track.hold
    return Track(
        track.healthy, track.tried, track.since, track.spent, hold and PutBack(hold.failed, hold.failed_tag, hold.digest, hold.tag, "")
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"].replace(" ", "_"))
def test_case(case: Mapping[str, Any]) -> None:
    tracks: Mapping[Ref, Track] = {}
    for number, look in enumerate(case["looks"], 1):
        declared = graph(look["git"], look.get("edit", FALLS), tuple(look.get("bad", ())))
        world = live(*look["runs"].split(), look.get("replicas", 1)) if "runs" in look else World()
        world = World(world.objects, Inventory(tracks=tracks))
        released = {str(S0): look["release"]} if "release" in look else {}
        paused = frozenset({str(S0)} if look.get("paused") else ())
        tracks = judge(declared, KINDS, world, Moment(at(look.get("now", 0)), released, paused))
        assert timeless(tracks.get(S0, Track())) == known(look["track"]), number
        if "choice" in look:
            choice = held_back(declared, tracks).choices[S0]
            assert isinstance(choice, Locked | Held), number
            assert choice.build.digest == digest(look["choice"]), number


def test_only_what_is_put_back_is_rendered_otherwise_and_in_the_same_order() -> None:
    declared = graph("b")
    manifests = render(declared, KINDS)
    hold = PutBack(digest("b"), "t-b", digest("a"), "t-a", "it failed")
    after, rendered = put_back(declared, manifests, KINDS, {S0: Track(hold=hold)})
    choice = after.choices[S0]
    assert isinstance(choice, Held)
    assert (choice.build.tag, choice.hold.by, choice.hold.reason, choice.put_back) == ("t-a", OPERATOR, "it failed", True)
    assert rendered == render(after, KINDS)
    assert {one.id for one, two in zip(manifests, rendered, strict=True) if one != two} == {ObjectId("apps", "Deployment", "acme", "s0")}
    assert put_back(declared, manifests, KINDS, {}) == (declared, manifests)


def test_what_is_put_back_stays_though_the_lock_has_forgotten_the_build() -> None:
    declared = graph("b")
    hold = PutBack(digest("b"), "t-b", digest("9"), "t-9", "it failed")
    choice = held_back(declared, {S0: Track(hold=hold)}).choices[S0]
    assert isinstance(choice, Held)
    assert (choice.build.digest, choice.build.tag) == (digest("9"), "t-9")


def test_tracks_are_kept_by_the_inventory_and_a_line_that_somebody_spoilt_is_none() -> None:
    track = Track(digest("a"), digest("b"), at(5).isoformat(), (digest("c"),), PutBack("f", "tf", "d", "td", 'a "reason"\nof two lines'))
    tracks = {Ref("Service", f"s{number}", "acme"): track for number in range(1200)}
    stamp = Stamp("test-test", 1, Guards(), "r")
    shards = [Observed(identify(body), "u", "1", body) for body in encode({}, stamp, tracks).values()]
    assert len(shards) == 3
    assert decode(shards).tracks == tracks
    assert encode({}, stamp, {S0: Track()}) == {}
    [body] = encode({}, stamp, {S0: track}).values()
    for text in (
        '{"kind": "Service"',
        "null",
        '{"kind": "Service", "name": "s0", "hold": 3}',
        '{"kind": "Service", "name": "s0", "more": 1}',
    ):
        spoilt = {**body, "data": {"tracks": text}}
        assert decode([Observed(identify(body), "u", "1", spoilt)]).tracks == {}


EVENTS = st.one_of(
    st.tuples(st.just("commit"), st.sampled_from("abc")),
    st.tuples(st.just("release"), st.sampled_from("abc")),
    st.tuples(st.just("breaks"), st.sampled_from("abc")),
    st.tuples(st.just("mends"), st.sampled_from("abc")),
)
GRAPHS = {letter: graph(letter) for letter in "abc"}
WORLDS = {(letter, how): live(letter, how) for letter in "abc" for how in ("healthy", "failed")}


@given(st.lists(EVENTS, max_size=12))
def test_it_comes_to_rest_after_whatever_happens_and_puts_no_build_back_twice(events: list[tuple[str, str]]) -> None:
    git, runs, broken, released = "a", "a", set[str](), ""
    tracks: Mapping[Ref, Track] = {}
    put: list[str] = []
    for what, letter in [("commit", "a"), *events]:
        match what:
            case "commit":
                git = letter
            case "release":
                released = f"t-{letter}"
            case "breaks":
                broken.add(letter)
            case _:
                broken.discard(letter)
        writes = 0
        for _ in range(8):
            world = World(WORLDS[runs, "failed" if runs in broken else "healthy"].objects, Inventory(tracks=tracks))
            after = judge(GRAPHS[git], KINDS, world, Moment(at(1), {str(S0): released}))
            choice = held_back(GRAPHS[git], after).choices[S0]
            assert isinstance(choice, Locked | Held)
            before, hold = tracks.get(S0, Track()).hold, after.get(S0, Track()).hold
            put += [hold.failed] if hold is not None and hold != before else []
            wanted = choice.build.digest[-1]
            if (wanted, after) == (runs, tracks):
                break
            writes += wanted != runs
            runs, tracks = wanted, after
        else:
            pytest.fail("it never comes to rest")
        assert writes <= 2, "to the new build, and back"
    assert len(put) == len(set(put))
