"""Rollback on the reference fleet: one line, one commit, one Deployment; it holds until it is released."""

from __future__ import annotations

import hashlib

from tests.story.desk import Desk

OLD, NEW, NEWER = "20261118-4be1d07", "20261120-9f3c2ab", "20261121-77aa001"


def digest(letter: str) -> str:
    return "sha256:" + hashlib.sha256(letter.encode()).hexdigest()


def locked(desk: Desk, current: str, builds: dict[str, str]) -> None:
    """The trial's lock: builds of family-web by digest letter, newest first."""
    lines = "".join(
        f'      "{digest(letter)}": {{tag: {tag}, key: "{digest("0")}", built: 2026-11-{tag[6:8]}}}\n' for letter, tag in builds.items()
    )
    desk.write(".fleet/trial.lock", f'lockVersion: 1\nimages:\n  family-web:\n    current: "{digest(current)}"\n    builds:\n{lines}')


def image_of(desk: Desk, name: str) -> str:
    body = desk.ask("GET", desk.deployment(name))
    image: str = body["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def test_a_rollback_is_one_line_one_commit_and_one_deployment(each_desk: Desk) -> None:
    locked(each_desk, "b", {"b": NEW, "a": OLD})
    assert each_desk.apply().code == 0
    assert image_of(each_desk, "service-registry").endswith(digest("b"))
    done = each_desk.fleet("rollback", "service-registry", "--to", "prev", "--reason", "5xx after the bump")
    assert done.code == 0, done.said
    assert each_desk.git("show", "--numstat", "--format=", "HEAD").split() == ["1", "0", "specs/services/agents/service-registry.yaml"]
    steps = each_desk.plan()["steps"]
    assert [step["id"] for step in steps] == [f"apps/Deployment/{each_desk.namespace('agents')}/service-registry"]
    assert each_desk.apply().code == 0
    assert image_of(each_desk, "service-registry").endswith(digest("a"))

    locked(each_desk, "c", {"c": NEWER, "b": NEW, "a": OLD})
    assert each_desk.apply().code == 0
    assert image_of(each_desk, "service-registry").endswith(digest("a"))
    assert image_of(each_desk, "system-digital-twin").endswith(digest("c"))
    assert OLD in each_desk.fleet("status").out

    assert each_desk.fleet("release", "service-registry").code == 0
    assert each_desk.apply().code == 0
    assert image_of(each_desk, "service-registry").endswith(digest("c"))


def test_a_one_off_pins_one_service_and_touches_nothing_else(desk: Desk) -> None:
    locked(desk, "b", {"b": NEW, "a": OLD})
    assert desk.apply().code == 0
    before = desk.live()
    done = desk.fleet("apply", "--yes", "--service", "service-registry", FORCE_IMAGE_TAG=OLD)
    assert done.code == 0, done.said
    assert image_of(desk, "service-registry").endswith(digest("a"))
    after = desk.live()
    assert {name for name in after if after[name] != before.get(name)} == {f"Deployment/{desk.namespace('agents')}/service-registry"}
    assert desk.fleet("apply", "--yes", FORCE_IMAGE_TAG=OLD).code == 2


def test_a_tag_that_never_passed_the_gate_is_refused_with_those_that_did(desk: Desk) -> None:
    locked(desk, "b", {"b": NEW, "a": OLD})
    done = desk.fleet("rollback", "service-registry", "--to", "20200101-0000000", "--reason", "typo")
    assert done.code == 1
    assert OLD in done.said
    assert desk.git("status", "--porcelain") == ""
