"""`fleet images keys`, `sign`, `publish` and `verify`: from a new key to a lock that verifies."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from pipelines.core.signature import signature_tag
from pipelines.core.tally import digest_of
from pipelines.model.oci import Pinned, Repository
from pipelines.ports import Denied
from reconciler.model.signing import SigningRules
from reconciler.shell import variables
from tests.pipelines.commands.scene import HOST, Scene, bad, waited
from tests.pipelines.commands.signing import env, pair, private_pem, trusting

WORD = "correct horse"


@pytest.fixture
def built(scene: Scene) -> Scene:
    """Two images with two builds of one of them, and a key that is trusted."""
    scene.locked(
        base=(scene.built("base", "v2", "20261120-bbbbbbb"), scene.built("base", "v1", "20261119-aaaaaaa")),
        middle=(scene.built("middle", "m1", "20261120-bbbbbbb"),),
    )
    trusting(scene)
    return scene


def test_signed_is_what_verifies(built):
    assert built.images("verify").exit_code == 1
    result = built.images("sign", **env())
    assert (result.exit_code, result.stdout) == (0, "3 of 3 builds are signed.\n"), result.stderr
    result = built.images("verify")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.count("is signed by release-0 and passed trivy 0.76.0") == 3
    assert result.stdout.endswith("3 of 3 builds verify.\n")


def test_signing_again_pushes_nothing(built):
    built.images("sign", **env())
    before = {where: (set(shelf.manifests), dict(shelf.tags)) for where, shelf in built.registry.shelves.items()}
    assert built.images("sign", **env()).exit_code == 0
    assert {where: (set(shelf.manifests), dict(shelf.tags)) for where, shelf in built.registry.shelves.items()} == before


def test_only_named_images_are_signed(built):
    assert built.images("sign", "middle", **env()).stdout == "1 of 1 builds are signed.\n"
    found = {(one["image"], one["tag"]): one["result"] for one in json.loads(built.images("verify", "-o", "json").stdout)}
    assert found == {
        ("base", "20261120-bbbbbbb"): "unsigned",
        ("base", "20261119-aaaaaaa"): "unsigned",
        ("middle", "20261120-bbbbbbb"): "verified",
    }
    result = built.images("sign", "midle", **env())
    assert (result.exit_code, "did you mean `middle`?" in result.stderr) == (2, True)


def test_a_build_that_failed_its_gate_is_not_signed_and_the_others_are(scene):
    scene.locked(
        base=(scene.built("base", "v1", "20261119-aaaaaaa", passed=False),), middle=(scene.built("middle", "m1", "20261120-bbbbbbb"),)
    )
    trusting(scene)
    result = scene.images("sign", **env())
    assert (result.exit_code, result.stdout) == (3, "1 of 2 builds are signed.\n")
    assert "its verdict is no pass" in result.stderr
    assert signature_tag(scene.lock().images["base"].current.digest) not in scene.shelf("base").tags


def test_a_build_that_was_entered_by_hand_is_left_out_and_told(scene):
    hand = replace(scene.built("base", "v1", "20261119-aaaaaaa"), key="", verdict="", sbom="")
    scene.locked(base=(hand,))
    trusting(scene)
    result = scene.images("sign", **env())
    assert (result.exit_code, result.stdout) == (0, "0 of 0 builds are signed.\n")
    assert "base: 1 of its builds was entered by hand" in result.stderr
    verified = scene.images("verify")
    assert (verified.exit_code, "(entered by hand)" in verified.stdout) == (0, True)
    trusting(scene, require=True)
    assert scene.images("verify").exit_code == 1


def test_a_build_marked_bad_does_not_count(built):
    built.images("sign", "middle", **env())
    lock = built.lock()
    built.locked(
        base=(replace(lock.images["base"].current, tag="x"), bad(lock.images["base"].builds[1])), middle=(lock.images["middle"].current,)
    )
    found = {one["tag"]: one["counts"] for one in json.loads(built.images("verify", "-o", "json").stdout)}
    assert found == {"x": True, "20261119-aaaaaaa": False, "20261120-bbbbbbb": True}


def test_the_key_comes_from_a_file_a_variable_that_names_one_or_the_variable_itself(built, tmp_path):
    file = tmp_path / "k.key"
    file.write_text(private_pem())
    file.chmod(0o600)
    nothing = {variables.SIGNING_KEY: None, variables.SIGNING_PASSPHRASE: None}
    assert built.images("sign", "--key", file, **nothing).exit_code == 0
    assert built.images("sign", **{**nothing, variables.SIGNING_KEY: str(file)}).exit_code == 0
    assert built.images("sign", "--key", file, **{**nothing, variables.SIGNING_KEY: "/nowhere"}).exit_code == 0
    file.chmod(0o644)
    assert "can be read by others" in built.images("sign", "--key", file, **nothing).stderr


def test_a_locked_key_needs_its_passphrase(built):
    locked = pair("a", WORD)
    trusting(built, locked.public)
    given = {variables.SIGNING_KEY: locked.private}
    assert built.images("sign", **given, FLEET_SIGNING_PASSPHRASE=WORD).exit_code == 0
    for word in (None, "wrong"):
        result = built.images("sign", **given, FLEET_SIGNING_PASSPHRASE=word)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "the passphrase is wrong, or the key is damaged" in result.stderr
        assert locked.private.splitlines()[3] not in result.output


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "there is no key to sign with"),
        ("", "there is no key"),
        ("/nowhere/k", "cannot be read"),
        ("-----BEGIN X", "not a private key"),
    ],
)
def test_without_a_key_that_can_be_used_nothing_is_signed(built, given, says):
    result = built.images("sign", FLEET_SIGNING_KEY=given, FLEET_SIGNING_PASSPHRASE=None)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr


def test_a_key_that_the_fleet_does_not_trust_signs_nothing(built):
    result = built.images("sign", **env("stranger"))
    assert (result.exit_code, "does not trust this key" in result.stderr) == (1, True)
    assert not [tag for tag in built.shelf("base").tags if tag.endswith(".sig")]


def test_a_key_that_counts_on_other_days_warns(built):
    trusting(built, until="2026-01-02")
    result = built.images("sign", **env())
    assert (result.exit_code, "counts from 2026-01-01 to 2026-01-02, not today" in result.stderr) == (0, True)
    assert "counted until 2026-01-02" in built.images("verify").stdout


def test_where_no_key_is_trusted_verify_says_so(scene):
    scene.locked(base=(scene.built("base", "v1", "20261119-aaaaaaa"),))
    result = scene.images("verify")
    assert (result.exit_code, "trusts no key" in result.stderr) == (2, True)


def test_a_registry_that_does_not_answer_verified_nothing(built, monkeypatch):
    async def denied(*_: object) -> None:
        raise Denied("403", status=403)

    monkeypatch.setattr(built.registry, "manifest", denied)
    result = built.images("verify", "base")
    assert result.exit_code == 2
    assert "could not be checked: 403" in result.stdout


def test_tampering_is_found(built):
    built.images("sign", **env())
    subject = built.lock().images["middle"].current
    other = waited(built.registry.manifest(Repository(HOST, "acme/base"), built.lock().images["base"].current.digest))
    shelf = built.shelf("middle")
    shelf.tags[signature_tag(subject.digest)] = digest_of(other.body)
    shelf.manifests[digest_of(other.body)] = other
    assert built.images("verify", "middle").exit_code == 1


def test_publish_signs_and_puts_every_tag(built):
    for shelf in built.registry.shelves.values():
        shelf.tags.clear()
    result = built.images("publish", **env())
    assert (result.exit_code, result.stdout) == (0, "2 of 2 images are published; 5 tags were put.\n"), result.stderr
    new, old = built.lock().images["base"].builds
    tags = {tag: digest for tag, digest in built.shelf("base").tags.items() if not tag.startswith("sha256-")}
    assert tags == {new.tag: new.digest, old.tag: old.digest, "prev": old.digest, f"{new.tag}-prev": old.digest}
    assert built.images("verify").exit_code == 0
    assert built.images("publish", **env()).stdout == "2 of 2 images are published; 0 tags were put.\n"


def test_what_cannot_be_signed_gets_no_tag(scene):
    scene.locked(base=(scene.built("base", "v1", "20261119-aaaaaaa", passed=False),))
    trusting(scene)
    scene.shelf("base").tags.clear()
    result = scene.images("publish", **env())
    assert (result.exit_code, result.stdout) == (3, "0 of 1 images are published; 0 tags were put.\n")
    assert scene.shelf("base").tags == {}


def test_publish_without_a_key_is_refused_unless_only_tags_are_wanted(built):
    assert built.images("publish", FLEET_SIGNING_KEY="").exit_code == 2
    assert built.images("publish", "--tags-only", FLEET_SIGNING_KEY="").exit_code == 0
    assert not [tag for tag in built.shelf("base").tags if tag.endswith(".sig")]


def test_a_build_that_the_registry_has_lost_is_an_error_and_moves_no_tag_of_its_image(built):
    lost = built.lock().images["middle"].current
    waited(built.registry.delete(Pinned(Repository(HOST, "acme/middle"), "").repository, lost.digest))
    result = built.images("publish", "--tags-only")
    assert (result.exit_code, result.stdout) == (3, "1 of 2 images are published; 2 tags were put.\n")
    assert "error: middle has not all of its tags" in result.stderr


def test_a_new_key_is_locked_and_its_snippet_is_what_fleet_yaml_takes(built, tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir()
    result = built.images("keys", "new", "release-2027", "--into", folder, FLEET_SIGNING_PASSPHRASE=WORD)
    assert result.exit_code == 0, result.stderr
    rules = SigningRules.model_validate(yaml.safe_load(result.stdout)["spec"]["signing"])
    assert list(rules.keys) == ["release-2027"]
    assert (rules.keys["release-2027"].until - rules.keys["release-2027"].from_).days == 364
    assert (folder / "release-2027.key").stat().st_mode & 0o777 == 0o600
    trusting(built, (folder / "release-2027.pub").read_text())
    assert built.images("sign", "--key", folder / "release-2027.key", FLEET_SIGNING_PASSPHRASE=WORD).exit_code == 0
    again = built.images("keys", "new", "release-2027", "--into", folder, FLEET_SIGNING_PASSPHRASE=WORD)
    assert (again.exit_code, "never overwritten" in again.stderr) == (2, True)


def test_a_private_key_does_not_get_into_a_repository(scene):
    result = scene.images("keys", "new", "a", FLEET_SIGNING_PASSPHRASE=WORD)
    assert (result.exit_code, "must not get into one" in result.stderr) == (2, True)
    scene.write(".gitignore", "*.key\n")
    assert scene.images("keys", "new", "a", FLEET_SIGNING_PASSPHRASE=WORD).exit_code == 0


@pytest.mark.parametrize("name", ["A", "../a", "-a", "a b", ""])
def test_a_key_needs_a_name(scene, tmp_path, name):
    result = scene.images("keys", "new", "--into", tmp_path, "--", name, FLEET_SIGNING_PASSPHRASE=WORD)
    assert (result.exit_code, "is no name of a key" in result.stderr) == (2, True)


def test_without_a_passphrase_and_without_anybody_to_ask_no_key_is_made(scene, tmp_path):
    result = scene.images("keys", "new", "a", "--into", tmp_path, FLEET_SIGNING_PASSPHRASE=None)
    assert (result.exit_code, list(tmp_path.glob("*.key"))) == (2, [])
