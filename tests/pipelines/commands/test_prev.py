"""`fleet images prev`: what runs before a migration is recorded, and what would come back is shown."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.model.oci import Pinned
from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.ports import Accepted
from reconciler.shell import targets
from tests.fleets import service
from tests.pipelines.commands.scene import Scene, waited


@pytest.fixture
def target(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    """A target that somebody else filled, with a fleet of three services to come: two of `middle`, one of its own."""
    cluster = MemoryCluster(MemoryStore(), manager="kubectl")
    monkeypatch.setattr(targets, "_connect", lambda *_: cluster)
    for name in ("one", "two"):
        scene.write(f"specs/services/platform/{name}.yaml", service(name).replace("image: app", "image: middle"))
    made = waited(cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "platform"}}))
    assert isinstance(made, Accepted)
    return cluster


def deploy(cluster: MemoryCluster, name: str, image: str, **more: str) -> None:
    """A Deployment as somebody wrote it by hand."""
    containers: list[dict[str, Any]] = [{"name": place, "image": text} for place, text in (*more.items(), ("main", image))]
    labels = {"app": name}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "platform"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
    }
    assert isinstance(waited(cluster.put(body)), Accepted)


def at(image: Pinned, tag: str = "") -> str:
    return f"{image.repository}{tag and f':{tag}'}@{image.digest}"


def test_what_runs_is_shown_and_nothing_is_written(scene, target):
    image = scene.pushed("web", "old", base="elsewhere")
    deploy(target, "one", at(image, "1.4"))
    result = scene.images("prev", "--init")
    assert result.exit_code == 0, result.stderr
    row = result.stdout.splitlines()[1].split()
    assert row[:4] == ["middle", "1.4", image.digest[7:19], "1"]
    assert "copy from registry.example/elsewhere/web" in result.stdout
    assert not (scene.root / "fleet.lock").exists()
    assert not scene.shelf("middle").manifests


def test_with_yes_it_is_copied_and_entered_by_hand(scene, target):
    image = scene.pushed("web", "old", base="elsewhere")
    deploy(target, "one", at(image, "1.4"))
    result = scene.images("prev", "--init", "--yes")
    assert result.exit_code == 0, result.stderr
    build = scene.lock().images["middle"].current
    assert (build.digest, build.tag, build.key, build.verdict) == (image.digest, "1.4", "", "")
    assert image.digest in scene.shelf("middle").manifests
    assert scene.images("prev", "--init", "--yes").stdout == "Nothing runs that the lock does not have.\n"


def test_what_most_run_is_current_and_the_other_one_prev(scene, target):
    old, new = scene.pushed("web", "old", base="elsewhere"), scene.pushed("web", "new", base="elsewhere")
    scene.write("specs/services/platform/three.yaml", service("three").replace("image: app", "image: middle"))
    for name, image in (("one", old), ("two", new), ("three", new)):
        deploy(target, name, at(image))
    assert scene.images("prev", "--init", "--yes").exit_code == 0
    builds = scene.lock().images["middle"]
    assert (builds.current.digest, builds.previous.digest) == (new.digest, old.digest)
    assert scene.images("prev").stdout.splitlines()[1].split()[-1] == old.digest[7:19]


def test_an_image_that_the_lock_knows_keeps_its_current_build(scene, target):
    build = scene.built("middle", "m1", "20261120-bbbbbbb")
    scene.locked(middle=(build,))
    image = scene.pushed("web", "old", base="elsewhere")
    deploy(target, "one", at(image))
    assert "as prev" in scene.images("prev", "--init", "--yes").stdout
    builds = scene.lock().images["middle"]
    assert (builds.current.digest, builds.previous.digest) == (build.digest, image.digest)


def test_a_tag_is_what_it_stands_for_now_and_that_is_said(scene, target):
    image = scene.pushed("web", "old", tag="stable", base="elsewhere")
    deploy(target, "one", "registry.example/elsewhere/web:stable")
    result = scene.images("prev", "--init", "--yes")
    assert (result.exit_code, "is a tag" in result.stderr) == (0, True)
    assert scene.lock().images["middle"].current.digest == image.digest


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("registry.example/gone/web:1", "is not there"),
        ("Not A Reference", "runs 'Not A Reference'"),
        (f"registry.example/gone/web@sha256:{'e' * 64}", "is not there"),
    ],
)
def test_what_cannot_be_recorded_is_told_and_the_rest_is_recorded(scene, target, image, says):
    good = scene.pushed("own", "own", base="elsewhere")
    deploy(target, "one", image)
    deploy(target, "own", at(good))
    result = scene.images("prev", "--init", "--yes")
    assert (result.exit_code, says in result.stderr) == (3, True), result.stderr
    assert list(scene.lock().images) == ["platform-own"]


def test_of_several_containers_the_one_of_our_name_counts(scene, target):
    image = scene.pushed("web", "old", base="elsewhere")
    deploy(target, "own", "registry.example/elsewhere/proxy:1", app=at(image))
    result = scene.images("prev", "--init")
    assert (result.exit_code, image.digest[7:19] in result.stdout) == (0, True)
    deploy(target, "one", "registry.example/elsewhere/proxy:1", other=at(image))
    result = scene.images("prev", "--init")
    assert (result.exit_code, "apps/Deployment/platform/one has no container app" in result.stderr) == (3, True)


def test_nothing_runs_nothing_to_record(scene, target):
    assert scene.images("prev", "--init", "--yes").stdout == "Nothing runs that the lock does not have.\n"
    assert scene.images("prev", "--init", "nope").exit_code == 2
    assert scene.images("prev", "--yes").exit_code == 2
