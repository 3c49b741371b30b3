"""How a resource stands: cases as data, and what must hold of any sequence of passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.facts import Approval, Facts, by_subject
from reconciler.core.health import Failed, Health, Healthy, Progressing
from reconciler.core.put_back import held_back
from reconciler.core.standing import changed, standing
from reconciler.model.findings import ordered
from reconciler.model.graph import Graph
from reconciler.model.manifests import ObjectId
from reconciler.model.projection import HISTORY, Change, Reason, Standing
from reconciler.model.refs import Ref
from reconciler.model.track import PutBack, Track
from tests.fleets import FLEET, Repo, digest, lock, service, tenant

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "standing.yaml").read_text())
S0 = Ref("Service", "s0", "acme")
BUILDS = {"a": (("a", "t-a"),), "b": (("b", "t-b"), ("a", "t-a"))}
STEP = {"files", "facts", "lock", "edit", "unlocked", "memory", "tenant", "put_back"}
WANTED = {"conditions", "message", "image", "digest", "machine", "revision", "last", "history", "since"}


def at(step: int) -> str:
    """The moment of a step."""
    return f"2026-11-21T10:00:0{step}Z"


def graph(step: Mapping[str, Any]) -> Graph:
    """The graph of a step, with every finding in it."""
    repo = Repo.small(services=1)
    fleet = FLEET.replace("unlocked: tag", f"unlocked: {step.get('unlocked', 'tag')}").replace("64Gi", step.get("memory", "64Gi"))
    files: dict[str, Any] = {**repo.files, "fleet.yaml": fleet, "specs/services/acme/s0.yaml": service("s0", extra=step.get("edit", ""))}
    files["specs/tenants/acme.yaml"] = tenant("acme", step.get("tenant", "  state: active\n"))
    files |= {"fleet.lock": lock(step["lock"], *BUILDS[step["lock"]])} if "lock" in step else {}
    files |= step.get("files", {})
    repo = replace(repo, files={path: text for path, text in files.items() if text is not None})
    made = repo.graph()
    if "put_back" in step:
        hold = PutBack(digest("b"), "t-b", digest("a"), "t-a", f"t-b did not become healthy: {step['put_back']}")
        made = held_back(made, {S0: Track(hold=hold)})
    return replace(made, findings=ordered((*repo.understood().findings, *made.findings)))


def health(said: Any) -> Health:
    match said:
        case "healthy":
            return Healthy()
        case {"failed": why}:
            return Failed(why)
        case {"progressing": why}:
            return Progressing(why)
    raise AssertionError(said)


def facts(said: Mapping[str, Any], number: int) -> Facts:
    """The facts of a step."""
    known = dict(said)
    objects = {ObjectId("apps", "Deployment", "acme", name): health(one) for name, one in known.pop("health", {}).items()}
    approval = Approval(*known.pop("approval")) if "approval" in known else None
    lists = {name: tuple(known.pop(name)) for name in ("failures", "conflict") if name in known}
    return Facts(revision=f"r{number}", generation=number, health=objects, approval=approval, **lists, **known)


def steps(case: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any], Graph, Facts]]:
    for number, step in enumerate(case["steps"], 1):
        assert step.keys() <= STEP | WANTED, step.keys()
        yield number, step, graph(step), facts(step.get("facts", {}), number)


def shown(change: Change | None) -> str:
    assert change is not None
    return f"{change.revision} {change.reason}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"].replace(" ", "_"))
def test_case(case: Mapping[str, Any]):
    before: Standing | None = None
    for number, step, of, found in steps(case):
        now = standing(S0, of, found, before, at(number))
        assert {one.type: f"{one.status} {one.reason}" for one in now.conditions} == step["conditions"], number
        ready = now.conditions[0]
        assert ready.type == "Ready"
        assert step.get("message", "") in ready.message
        assert now.observed_generation == number
        got = {
            "image": now.image, "revision": now.revision, "machine": now.placement.machine if now.placement else None,
            "last": shown(now.last_change) if "last" in step else "", "history": [shown(one) for one in now.history],
        }  # fmt: skip
        assert {name: value for name, value in got.items() if name in step} == {name: step[name] for name in got if name in step}
        if "digest" in step:
            assert now.digest == (step["digest"] and digest(step["digest"]))
        since = {one.type: one.last_transition_time for one in now.conditions}
        assert {name: since[name] for name in step.get("since", {})} == {name: at(when) for name, when in step.get("since", {}).items()}
        again = standing(S0, of, replace(found, wrote=False, repaired=False), now, at(9))
        assert again is now, "a second look changes something"
        indexed = replace(found, findings=by_subject((*of.findings, *of.fleet.findings)).get(S0, ()))
        assert standing(S0, of, indexed, before, at(number)) == now
        before = now


def test_every_reason_is_in_a_case():
    said = {text.split()[1] for case in CASES for step in case["steps"] for text in step["conditions"].values()}
    assert {str(reason) for reason in Reason} <= said


def test_what_abnormal_conditions_a_reason_makes_is_what_it_says():
    assert all(reason.ready == "True" for reason in Reason if reason.marks in ("", "Held") and reason is not Reason.PUT_BACK)
    assert all(reason.ready != "True" for reason in Reason if reason.marks not in ("", "Held"))


def test_an_image_shows_what_the_lock_names():
    image = Ref("Image", "app")
    now = standing(image, graph({"lock": "b"}), Facts("r1"), None, at(1))
    assert (now.image, now.digest, now.conditions[0].reason) == ("app:t-b", digest("b"), "Healthy")
    pending = standing(image, graph({"unlocked": "block"}), Facts("r1"), None, at(1))
    assert (pending.image, pending.conditions[0].reason) == (None, "ImagePending")
    later = standing(image, graph({"lock": "b"}), Facts("r2"), standing(image, graph({"lock": "a"}), Facts("r1"), None, at(1)), at(2))
    assert (later.revision, shown(later.last_change)) == ("r2", "r2 commit")


def test_long_messages_are_cut():
    now = standing(S0, graph({"lock": "a"}), Facts("r1", failures=("x" * 5000,)), None, at(1))
    assert len(now.conditions[0].message) == 1024
    assert now.conditions[0].message.endswith("…")


def test_only_what_is_not_as_it_should_be_is_told_of_what_is_new():
    well = standing(S0, graph({"lock": "a"}), Facts("r1"), None, at(1))
    assert changed(S0, "acme", None, well) == ()
    ill = standing(S0, graph({"lock": "a"}), Facts("r1", failures=("no",)), None, at(1))
    assert [(one.type, one.before, one.status, one.reason) for one in changed(S0, "acme", None, ill)] == [
        ("Ready", "", "False", "Refused"), ("Stalled", "", "True", "Refused")
    ]  # fmt: skip
    worse = standing(S0, graph({"lock": "a"}), Facts("r1", failures=("no", "never")), ill, at(2))
    assert changed(S0, "acme", ill, worse) == ()
    mended = standing(S0, graph({"lock": "a"}), Facts("r1"), worse, at(3))
    assert [(one.type, one.before, one.status) for one in changed(S0, "acme", worse, mended)] == [
        ("Ready", "False", "True"), ("Stalled", "True", "False")
    ]  # fmt: skip


SENTENCE = st.sampled_from(["", "one", "two"])
HEALTHS = st.one_of(st.just(Healthy()), st.builds(Failed, SENTENCE), st.builds(Progressing, SENTENCE))
FACTS = st.builds(
    Facts,
    revision=st.sampled_from(["r1", "r2", "r3"]),
    generation=st.integers(1, 3),
    health=st.dictionaries(st.sampled_from([ObjectId("apps", "Deployment", "acme", name) for name in "ab"]), HEALTHS),
    failures=st.lists(SENTENCE, max_size=2).map(tuple),
    awaiting=SENTENCE,
    approval=st.none() | st.builds(Approval, SENTENCE, SENTENCE),
    conflict=st.sampled_from([(), ("istio",)]),
    paused=st.none() | SENTENCE,
    repaired=st.booleans(),
    wrote=st.booleans(),
)
GRAPHS = tuple(
    graph(step)
    for step in (
        {"lock": "a"}, {"lock": "b"}, {"lock": "b", "edit": "  forceImageTag: t-a\n"}, {"unlocked": "block"}, {"memory": "64Mi"},
        {"files": {"specs/services/acme/s0.yaml": "x: 1\n"}}, {"files": {"specs/services/acme/s0.yaml": None}},
    )
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(range(len(GRAPHS))), FACTS), min_size=1, max_size=25))
def test_any_sequence_of_passes_leaves_a_standing_that_a_second_look_does_not_change(passes: list[tuple[int, Facts]]):
    before: Standing | None = None
    for number, (which, found) in enumerate(passes):
        moment = f"2026-11-21T10:00:{number:02}Z"
        now = standing(S0, GRAPHS[which], found, before, moment)
        assert standing(S0, GRAPHS[which], replace(found, wrote=False, repaired=False), now, "later") is now
        assert Standing.model_validate_json(now.model_dump_json(by_alias=True, exclude_defaults=True)) == now
        types = [one.type for one in now.conditions]
        assert len(set(types)) == len(types)
        assert types[0] == "Ready"
        assert len(now.history) <= HISTORY
        entries = [one.model_copy(update={"at": ""}) for one in ((now.last_change,) if now.last_change else ()) + now.history]
        assert len(set(entries)) == len(entries)
        old = {one.type: one for one in before.conditions} if before else {}
        for one in now.conditions:
            moved = one.type not in old or old[one.type].status != one.status
            assert one.last_transition_time == (moment if moved else old[one.type].last_transition_time)
        before = now
