"""What a pull request for a build that was put back says, and on which line of which file."""

from __future__ import annotations

import pytest

from reconciler.core.address import content, wants
from reconciler.core.propose import NotProposed, proposal, proposed
from reconciler.core.telling import Message, Teller
from reconciler.model.fleet import Notification
from reconciler.model.happenings import BuildPutBack
from reconciler.model.refs import Ref
from tests.outside.happened import NOON, WEB, condition, ended

WHY = "t-b did not become healthy: Deployment web: its pods crash"
SAID = f"held at t-a, by the operator: {WHY}"
PUT_BACK = BuildPutBack(WEB, "platform", "t-b", "t-a", SAID, WHY)
SPEC = b"""\
# Everybody's favourite.
apiVersion: fleetwright.dev/v1alpha1
kind: Service
metadata: {name: web}
spec:
  image: family-web   # the one with templates
  onFailure: hold-previous

  replicas:   2
"""
PULLS = Notification(type="pull-request", secret="token", repository="acme/fleet")
HOOK = Notification(type="webhook", url="https://hooks.example/fleet", secret="key")


def messages(*happenings) -> tuple[Message, ...]:
    teller = Teller()
    for happening in happenings:
        teller.hear(happening)
    return teller.news(NOON).messages


def letter(happening: BuildPutBack = PUT_BACK, environment: str = "production", fleet: str = "acme") -> dict:
    (message,) = (one for one in messages(happening) if one.proposes)
    return content(message, "id", fleet, environment, NOON)


def test_the_hold_is_one_line_behind_the_image_and_nothing_else_changes():
    wanted = proposal(letter())
    assert wanted.path == "specs/services/platform/web.yaml"
    after = proposed(wanted, SPEC)
    assert after is not None
    line = f'  forceImageTag: {{tag: t-a, reason: "{WHY}", by: the operator, environments: [production]}}'
    before = SPEC.decode().splitlines()
    added = [one for one in after.decode().splitlines() if one not in before]
    assert [one.replace('"the operator"', "the operator") for one in added] == [line]
    assert [one for one in after.decode().splitlines() if one not in added] == before
    assert proposed(wanted, after) is None


@pytest.mark.parametrize("hold", ["t-x", "{tag: t-a}", "{tag: t-x, environments: [lab]}"])
def test_a_spec_with_a_hold_is_left_alone(hold):
    assert proposed(proposal(letter()), SPEC + f"  forceImageTag: {hold}\n".encode()) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"spec:\n", b"spec: []\n", b"spec: {}\n", b"spec: web\n", b"a: b\n", b"\xff", b"spec: {a: &x b}\n", b"x" * (2 << 20)],
)
def test_what_is_no_spec_gets_no_hold(data):
    with pytest.raises(NotProposed):
        proposed(proposal(letter()), data)


def test_people_read_service_builds_reason_and_what_to_do():
    wanted = proposal(letter())
    assert wanted.title == "Hold platform/web at t-a: t-b did not become healthy in production"
    for part in ("`platform/web`", "`t-b`", "`t-a`", WHY, "permanent in git", "`fleet release platform/web`", "`production`"):
        assert part in wanted.text
    assert wanted.commit.splitlines()[0] == "Hold web at t-a"


def test_what_pods_wrote_is_code_in_the_text_and_not_in_the_commit():
    evil = "t-b failed: ```\n@acme/everybody fixes #1 <img src=x> \x1b[31m\u202e ![x](http://evil)"
    wanted = proposal(letter(given_up(evil)))
    fenced = wanted.text.split("```text\n")[1].split("\n```")
    assert "@acme/everybody fixes #1" in fenced[0]
    assert "\n" not in fenced[0]
    assert "@acme" not in fenced[1] + wanted.title + wanted.commit
    assert "fixes #1" not in wanted.title + wanted.commit
    assert wanted.text.count("```") == 2
    after = proposed(wanted, SPEC)
    assert after is not None
    assert len(after.splitlines()) == len(SPEC.splitlines()) + 1


def given_up(why: str, ref: Ref = WEB, failed: str = "t-b", tag: str = "t-a") -> BuildPutBack:
    return BuildPutBack(ref, ref.tenant, failed, tag, f"held at {tag}: {why}", why)


def test_a_branch_is_of_one_service_one_build_and_one_environment():
    same = proposal(letter()).branch
    assert same == proposal(letter(given_up("otherwise said"))).branch
    assert same.startswith("fleet/hold-platform-web-t-b-")
    others = [
        letter(environment="staging"),
        letter(fleet="other"),
        letter(given_up(WHY, failed="t-c")),
        letter(given_up(WHY, failed="t-b.")),
        letter(given_up(WHY, Ref("Service", "b-c", "a"))),
        letter(given_up(WHY, Ref("Service", "c", "a-b"))),
    ]
    assert len({same, *(proposal(one).branch for one in others)}) == 7


@pytest.mark.parametrize("tag", ["a..b", "x.lock", "_", "a.", "v1.2.3", "t" * 128])
def test_a_branch_has_a_name_that_git_takes(tag):
    name = proposal(letter(given_up(WHY, Ref("Service", "w" * 63, "p" * 63), failed=tag))).branch
    assert not {".", " ", "~", "^", ":", "\\"} & set(name)
    assert max(map(len, name.split("/"))) < 245
    assert len(proposal(letter(given_up(WHY, Ref("Service", "w" * 63, "p" * 63), failed=tag, tag=tag))).title) <= 250


BROKEN = [
    None, [], {}, {"about": []}, {"about": [None]},
    {"ref": "Service/web"}, {"ref": "Service/../web"}, {"ref": "Image/platform/web"}, {"ref": "Nothing/platform/web"}, {"ref": 7},
    {"tag": "x}\nimage: evil"}, {"tag": None}, {"failed": "a b"}, {"failed": ""}, {"reason": "", "message": None, "tag": ""},
]  # fmt: skip


@pytest.mark.parametrize("value", BROKEN, ids=str)
def test_a_letter_that_is_none_is_never_proposed(value):
    whole = letter()
    if isinstance(value, dict) and value and "about" not in value:
        value = whole | {"about": [{**whole["about"][0], **value}]}
    elif isinstance(value, dict):
        value = whole | value if value else value
    with pytest.raises(NotProposed):
        proposal(value)


def test_an_older_letter_has_its_reason_in_the_message():
    old = letter()
    old["about"] = [{name: what for name, what in old["about"][0].items() if name != "reason"}]
    assert proposal(old).hold.reason == SAID


def test_a_pull_request_is_asked_for_once_and_by_nobody_else():
    heard = messages(PUT_BACK, condition("web", "Held", "True", "PutBack", SAID, before=""), ended())
    assert [one.about[0].get("failed") for one in heard if wants(PULLS, one)] == ["t-b"]
    assert [one.topic for one in heard if wants(HOOK, one)] == ["held", "applied"]


def test_many_builds_at_once_are_one_message_for_people_and_a_pull_request_each():
    refs = [Ref("Service", f"s{number}", "acme") for number in range(9)]
    heard = messages(*(given_up(WHY, ref) for ref in refs))
    assert len([one for one in heard if wants(HOOK, one)]) == 1
    assert [proposal(content(one, "id", "f", "e", NOON)).ref for one in heard if wants(PULLS, one)] == refs


def test_what_was_told_is_not_asked_for_again():
    teller = Teller()
    teller.hear(PUT_BACK)
    assert any(one.proposes for one in teller.news(NOON).messages)
    teller.hear(PUT_BACK)
    assert not teller.news(NOON).messages
