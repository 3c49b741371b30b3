"""A plan asks the registry where the fleet demands signatures, and only there."""

from __future__ import annotations

import json

import pytest

from pipelines.ports import Unreachable
from reconciler.shell import witness
from tests.fleets import service
from tests.pipelines.commands.scene import Scene
from tests.pipelines.commands.signing import env, trusting


@pytest.fixture
def demanding(scene: Scene) -> Scene:
    """A service whose image is built and not signed, in a fleet that demands signatures."""
    name = "platform-own"
    scene.locked(**{name: (scene.built(name, "v2", "20261120-bbbbbbb"), scene.built(name, "v1", "20261119-aaaaaaa"))})
    trusting(scene, require=True)
    return scene


def planned(scene: Scene) -> tuple[list[str], list[str]]:
    """Codes of signatures in a plan, and what it would make of deployments."""
    result = scene.fleet("plan", "-o", "json")
    found = json.loads(result.stdout)
    codes = [one["code"] for one in found["findings"] if one["code"].startswith("SGN")]
    return codes, [step["id"].rpartition("/")[2] for step in found["steps"] if "/Deployment/" in step["id"]]


def test_what_is_not_signed_does_not_start_until_it_is(demanding):
    assert planned(demanding) == (["SGN002"], [])
    assert "is not signed" in demanding.fleet("plan").stdout
    assert demanding.images("sign", **env()).exit_code == 0
    assert planned(demanding) == ([], ["own"])


def test_apply_keeps_to_it_too(demanding):
    result = demanding.fleet("apply", "--yes", "--no-wait")
    assert "Deployment" not in result.stdout
    assert "is not signed" in result.stderr


def test_a_registry_that_does_not_answer_starts_nothing_and_breaks_no_plan(demanding, monkeypatch):
    demanding.images("sign", **env())

    async def gone(*_: object) -> None:
        raise Unreachable("registry.example does not answer")

    monkeypatch.setattr(demanding.registry, "manifest", gone)
    assert planned(demanding) == (["SGN002"], [])


def test_an_unsafe_hold_breaks_the_glass(demanding):
    held = service("own", extra="  forceImageTag: {tag: 20261119-aaaaaaa, reason: prod is down, unsafe: true}\n")
    demanding.write("specs/services/platform/own.yaml", held.replace("  image: app", "  build: {image: top, context: images/own}"))
    assert planned(demanding) == (["SGN003"], ["own"])


def test_the_registry_is_not_asked_where_nothing_is_demanded(demanding, monkeypatch):
    trusting(demanding, require=False)
    monkeypatch.setattr(demanding.registry, "manifest", None)
    assert planned(demanding) == ([], ["own"])


def test_without_a_witness_nothing_new_starts(demanding, monkeypatch):
    demanding.images("sign", **env())
    monkeypatch.setattr(witness, "_CALLED", [])
    assert planned(demanding) == (["SGN002"], [])
