"""`fleet images promote` and `retag`: builds and tags go where they should, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.core.signature import attestation_tag, signature_tag
from pipelines.model.oci import Repository
from pipelines.ports import Denied
from reconciler.core.locking import write_lock
from reconciler.model.lock import Builds, Lock
from tests.pipelines.commands.scene import HOST, Scene, waited
from tests.pipelines.commands.signing import env, trusting

LIVE = "  environments:\n    live:\n      target: {memory: {}}\n      registry: registry.example/live\n      lock: live.lock\n"


@pytest.fixture
def two(scene: Scene) -> Scene:
    """Two environments; `test` has two images, signed, and `live` has none."""
    fleet = (scene.root / "fleet.yaml").read_text()
    scene.write("fleet.yaml", fleet.replace("  environments:\n", LIVE))
    trusting(scene)
    scene.locked(
        base=(scene.built("base", "v2", "20261120-bbbbbbb"), scene.built("base", "v1", "20261119-aaaaaaa")),
        middle=(scene.built("middle", "m1", "20261120-bbbbbbb"),),
    )
    assert scene.images("sign", **env()).exit_code == 0
    return scene


def promote(scene: Scene, *words: str):
    return scene.images("promote", "--from", "test", "--to", "live", *words)


def test_what_is_current_here_is_current_there_and_verifies_there(two):
    result = promote(two)
    assert (result.exit_code, result.stdout) == (0, "2 of 2 images are promoted; live.lock names them.\n"), result.stderr
    assert {name: one.current for name, one in two.lock("live.lock").images.items()} == {
        name: one.current for name, one in two.lock().images.items()
    }
    assert two.images("verify", "--env", "live").exit_code == 0
    assert promote(two).stdout == "live has all of test's builds.\n"


def test_everything_that_hangs_on_an_image_comes_along_and_what_hangs_there_stays(two):
    build = two.lock().images["base"].current
    here, there = two.shelf("base"), two.shelf("base", "live")
    promote(two, "base")
    for tag in (signature_tag(build.digest), attestation_tag(build.digest)):
        assert there.tags[tag] == here.tags[tag]
    listed = [waited(two.registry.referrers(Repository(HOST, f"{base}/base"), build.digest)) for base in ("acme", "live")]
    assert {one.digest for one in listed[0]} == {one.digest for one in listed[1]}
    assert len(listed[1]) >= 4
    assert there.tags[build.tag] == build.digest


def test_only_named_images_are_promoted(two):
    promote(two, "middle")
    assert list(two.lock("live.lock").images) == ["middle"]
    assert promote(two, "nidde").exit_code == 2


def test_a_dry_run_writes_nothing(two):
    result = promote(two, "--dry-run")
    assert result.stdout == "2 images would be promoted.\n"
    assert not (two.root / "live.lock").exists()
    assert not two.shelf("base", "live").manifests


def test_what_does_not_verify_there_is_not_promoted(two):
    build = two.lock().images["middle"].current
    waited(two.registry.delete(Repository(HOST, "acme/middle"), signature_tag(build.digest)))
    result = promote(two)
    assert (result.exit_code, "middle was not promoted: 20261120-bbbbbbb is not signed" in result.stderr) == (3, True)
    assert list(two.lock("live.lock").images) == ["base"]
    assert build.tag not in two.shelf("middle", "live").tags


def test_a_registry_that_refuses_leaves_the_lock_as_it_was(two, monkeypatch):
    push = two.registry.push_manifest

    async def denied(repository: Repository, *rest: object) -> None:
        if repository.path.startswith("live/"):
            raise Denied("403", "log in", status=403)
        await push(repository, *rest)

    monkeypatch.setattr(two.registry, "push_manifest", denied)
    result = promote(two)
    assert (result.exit_code, result.stdout) == (3, "Nothing was promoted.\n")
    assert "help: log in" in result.stderr
    assert not (two.root / "live.lock").exists() or not two.lock("live.lock").images


def test_builds_that_nobody_judged_or_that_are_bad_are_left_out(two):
    lock = two.lock()
    hand = replace(lock.images["middle"].current, key="", verdict="", sbom="")
    two.write("fleet.lock", write_lock(Lock({**lock.images, "middle": Builds(hand, (hand,))})))
    result = promote(two)
    assert "middle: 20261120-bbbbbbb was entered by hand and not judged: left out" in result.stderr
    assert list(two.lock("live.lock").images) == ["base"]


def test_a_tag_that_means_something_else_there_is_refused_before_anything_is_copied(two):
    other = two.built("base", "other", "20261120-bbbbbbb", built=two.lock().images["base"].current.built)
    two.write("live.lock", write_lock(Lock({"base": Builds(other, (other,))})))
    result = promote(two, "base")
    assert (result.exit_code, "that it calls 20261120-bbbbbbb" in result.stderr) == (1, True)
    assert not two.shelf("base", "live").manifests


def test_an_environment_is_not_promoted_to_itself(two):
    assert two.images("promote", "--from", "test", "--to", "test").exit_code == 2
    assert two.images("promote", "--from", "test", "--to", "moon").exit_code == 2


def test_retag_puts_one_more_tag_on_what_the_lock_names(two):
    new, old = two.lock().images["base"].builds
    for tag, digest in (("current", new.digest), ("prev", old.digest), (old.tag, old.digest), (new.digest[7:17], new.digest)):
        result = two.images("retag", "base", tag, f"stable-{tag}-x")
        assert result.exit_code == 0, result.stderr
        assert two.shelf("base").tags[f"stable-{tag}-x"] == digest


def test_retag_moves_a_tag_only_when_told(two):
    new, old = two.lock().images["base"].builds
    two.images("retag", "base", "prev", "stable")
    result = two.images("retag", "base", "current", "stable")
    assert (result.exit_code, two.shelf("base").tags["stable"]) == (1, old.digest)
    assert two.images("retag", "base", "current", "stable", "--move").exit_code == 0
    assert two.shelf("base").tags["stable"] == new.digest


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("base", "nope", "x"), 2, "base has no build nope"),
        (("nope", "current", "x"), 2, "no image nope"),
        (("middle", "prev", "x"), 2, "no build prev"),
        (("base", "current", "a b"), 2, "is no tag"),
        (("base", "current", "prev"), 2, "fleet itself puts"),
        (("base", "current", "sha256-0"), 2, "fleet itself puts"),
        (("base", "current", "k-0123456789abcdef"), 2, "fleet itself puts"),
        (("base", "current", "20261119-aaaaaaa"), 1, "is what fleet.lock calls"),
    ],
)
def test_what_cannot_be_tagged_is_refused(two, words, code, says):
    before = dict(two.shelf("base").tags)
    result = two.images("retag", *words)
    assert (result.exit_code, says in result.stderr) == (code, True), result.stderr
    assert two.shelf("base").tags == before
