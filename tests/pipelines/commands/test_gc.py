"""`fleet images gc` takes out what nobody needs, and nothing of which that is not known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from pipelines.core.manifest import encode
from pipelines.core.signature import signature_tag
from pipelines.core.tags import key_tag
from pipelines.model.oci import Descriptor, ImageIndex, Repository
from pipelines.ports import Denied, RegistryFault
from pipelines.shell import equipment
from reconciler.adapters.memory import MemoryCluster, MemoryStore
from reconciler.core.locking import write_lock
from reconciler.model.lock import Build, Builds, Lock
from reconciler.ports import Unreachable
from reconciler.shell import targets
from tests.fleets import service
from tests.pipelines.commands.scene import HOST, Scene, waited
from tests.pipelines.commands.signing import env, trusting
from tests.pipelines.commands.test_prev import deploy

LONG_AGO = date(2020, 1, 2)
NEW = equipment.now().date()


def old(scene: Scene, name: str, word: str, **over: object) -> Build:
    """A build of long ago, as it was left."""
    return scene.built(name, word, f"20200102-{word.encode().hex().ljust(7, '0')[:7]}", built=LONG_AGO, **over)


def gc(scene: Scene, *words: str) -> dict[str, set[str]]:
    """Digests that would go, and those that stay, each with why."""
    result = scene.images("gc", "-o", "json", *words)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    return {"drops": {one["digest"] for one in found["drops"]}, "kept": {one["digest"]: one["because"] for one in found["kept"]}}


def test_an_old_build_that_nothing_names_goes_with_its_papers_and_what_the_lock_names_stays(scene):
    current, gone = old(scene, "base", "v2"), old(scene, "base", "v1")
    scene.locked(base=(current,))
    found = gc(scene)
    assert gone.digest in found["drops"]
    assert len(found["drops"]) == 4, "its SBOM, its provenance and its verdict go with it"
    assert found["kept"][current.digest] == "fleet.lock"
    assert scene.images("gc").stdout.endswith("Nothing was deleted. --yes does it.\n")
    assert gone.digest in scene.shelf("base").manifests
    result = scene.images("gc", "--yes")
    assert result.stdout.endswith("4 of 4 are gone.\n"), result.output
    assert gone.digest not in scene.shelf("base").manifests
    assert {current.digest} | set(found["kept"]) == set(scene.shelf("base").manifests)
    assert gc(scene)["drops"] == set()


def test_signatures_go_and_stay_with_what_they_sign(scene):
    current, gone = old(scene, "base", "v2"), old(scene, "base", "v1")
    scene.locked(base=(current, gone))
    trusting(scene)
    scene.images("sign", **env())
    scene.locked(base=(current,))
    scene.images("gc", "--yes")
    tags = scene.shelf("base").tags
    assert signature_tag(current.digest) in tags
    assert signature_tag(gone.digest) not in tags
    assert scene.images("verify").exit_code == 0


def test_a_registry_without_the_referrers_api_is_cleaned_as_well(scene):
    scene.registry._has_referrers = False
    current, gone = old(scene, "base", "v2"), old(scene, "base", "v1")
    scene.locked(base=(current,))
    scene.images("gc", "--yes")
    assert gone.digest not in scene.shelf("base").manifests
    assert [tag for tag in scene.shelf("base").tags if tag.startswith("sha256-")] == [current.digest.replace(":", "-")]
    assert len(waited(scene.registry.referrers(Repository(HOST, "acme/base"), current.digest))) == 3


def test_what_is_young_stays_and_age_says_how_young(scene):
    young = scene.built("base", "v1", f"{NEW - timedelta(days=10):%Y%m%d}-aaaaaaa")
    scene.locked(base=(old(scene, "base", "v2"),))
    assert young.digest in gc(scene)["kept"]
    assert young.digest in gc(scene, "--age", "10")["drops"]


def test_what_has_no_date_goes_only_when_told(scene):
    image = scene.pushed("base", "refused", base="acme/cache", tag=key_tag("ab" * 32))
    assert gc(scene)["kept"][image.digest] == "nobody knows how old it is"
    assert image.digest in gc(scene, "--undated")["drops"]


def test_the_key_of_the_files_and_the_keys_of_locks_stay(scene):
    base = f'lockVersion: 1\nbases:\n  "registry.example/debian:12": {{digest: "sha256:{"d" * 64}", resolved: 2020-01-02}}\nimages: {{}}\n'
    scene.write("fleet.lock", base)
    key = json.loads(scene.images("plan", "base", "-o", "json").stdout)[0]["key"]
    mine = scene.pushed("base", "mine", base="acme/cache", tag=key_tag(key))
    other = scene.pushed("base", "other", base="acme/cache", tag=key_tag("ef" * 32))
    root = scene.pushed("roots", "root", base="acme/cache", tag=key_tag("d" * 64))
    found = gc(scene, "--undated", "--age", "0")
    assert found["kept"][mine.digest] == "the key of its files"
    assert other.digest in found["drops"]
    assert root.digest not in found["drops"]


def test_what_a_lock_of_the_last_days_named_stays(scene):
    build, now = old(scene, "base", "v1"), old(scene, "base", "v2")
    scene.locked(base=(build,))
    commit = scene.commit("lock")
    scene.locked(base=(now,))
    scene.commit("lock again")
    assert gc(scene)["kept"][build.digest] == f"fleet.lock of {commit[:7]}"
    assert build.digest in gc(scene, "--history", "0")["drops"]


def test_a_lock_of_the_past_that_cannot_be_read_keeps_every_digest_in_it(scene):
    build = old(scene, "base", "v1")
    scene.write("fleet.lock", f"<<<<<<< ours\n{build.digest}\n")
    scene.commit("a mess")
    scene.locked(base=(old(scene, "base", "v2"),))
    assert build.digest in gc(scene)["kept"]


def test_a_shallow_clone_is_refused(scene, tmp_path):
    build = old(scene, "base", "v1")
    scene.locked(base=(build,))
    scene.commit("one")
    scene.git("commit", "-q", "--allow-empty", "-m", "two")
    scene.git("clone", "-q", "--depth", "1", f"file://{scene.root}", str(tmp_path / "shallow"))
    clone = replace(scene, root=tmp_path / "shallow")
    result = clone.images("gc")
    assert (result.exit_code, "this clone is shallow" in result.stderr) == (1, True)


def test_what_an_index_that_stays_names_stays(scene):
    child = scene.pushed("base", "arm", platform="arm64")
    body = scene.shelf("base").manifests[child.digest]
    index = encode(ImageIndex((Descriptor(body.media_type, body.digest, len(body.body), platform="linux/arm64"),)))
    scene.shelf("base").manifests[index.digest] = index
    scene.shelf("base").tags["20200102-ccccccc"] = index.digest
    assert {child.digest, index.digest} <= gc(scene)["drops"]
    scene.locked(base=(Build(index.digest, "20200102-ccccccc", "", LONG_AGO),))
    found = gc(scene)
    assert found["kept"][child.digest] == f"is part of {index.digest[:19]}"


def test_what_people_tagged_stays(scene):
    build = old(scene, "base", "v1")
    scene.shelf("base").tags["stable"] = build.digest
    assert gc(scene)["kept"][build.digest] == "has the tag stable"


def test_what_a_hold_names_stays_even_outside_the_lock(scene):
    build = old(scene, "platform-own", "v1")
    held = service("own", extra=f"  forceImageTag: {{tag: {build.tag}, unsafe: true}}\n")
    assert build.digest in gc(scene)["drops"]
    scene.write("specs/services/platform/own.yaml", held.replace("  image: app", "  build: {image: top, context: images/own}"))
    assert gc(scene)["kept"][build.digest] == "a hold names it"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    """A target that answers."""
    found = MemoryCluster(MemoryStore(), manager="kubectl")
    monkeypatch.setattr(targets, "_connect", lambda *_: found)
    waited(found.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "platform"}}))
    return found


def test_what_runs_stays_by_digest_and_by_tag(scene, cluster):
    one, two = old(scene, "base", "v1"), old(scene, "base", "v2")
    assert {one.digest, two.digest} <= gc(scene)["drops"]
    deploy(cluster, "a", f"registry.example/acme/base@{one.digest}")
    deploy(cluster, "b", f"registry.example/acme/base:{two.tag}")
    found = gc(scene)["kept"]
    assert (found[one.digest], found[two.digest]) == ("runs in test", "runs in test")


def test_where_a_target_is_silent_nothing_goes_unless_told(scene, cluster, monkeypatch):
    build = old(scene, "base", "v1")

    async def silent(*_: object) -> None:
        raise Unreachable("no route")

    monkeypatch.setattr(cluster, "list", silent)
    assert build.digest in gc(scene)["drops"]
    result = scene.images("gc", "--yes")
    assert (result.exit_code, "test did not say what runs" in result.stderr) == (3, True)
    assert build.digest in scene.shelf("base").manifests
    assert scene.images("gc", "--yes", "--blind").exit_code == 0
    assert build.digest not in scene.shelf("base").manifests


@pytest.mark.parametrize("method", ["tags", "head", "manifest", "referrers"])
def test_when_a_list_cannot_be_read_whole_nothing_goes(scene, monkeypatch, method):
    build = old(scene, "base", "v1")

    async def denied(repository: Repository, *_: object) -> None:
        raise Denied(f"{repository}: 403", "log in", status=403)

    monkeypatch.setattr(scene.registry, method, denied)
    result = scene.images("gc", "--yes")
    assert (result.exit_code, "nothing was deleted" in result.stderr) == (3, True)
    assert build.digest in scene.shelf("base").manifests


def test_a_lock_with_an_error_keeps_everything(scene):
    old(scene, "base", "v1")
    scene.write("fleet.lock", "lockVersion: 1\nimages:\n  base: {current: x}\n")
    assert scene.images("gc").exit_code == 1


def test_a_spec_that_cannot_be_read_may_hold_something(scene):
    scene.write("specs/services/platform/own.yaml", "spec: [")
    result = scene.images("gc")
    assert (result.exit_code, "may hold a build" in result.stderr) == (1, True)


def test_what_gets_a_tag_meanwhile_stays(scene, monkeypatch):
    build = old(scene, "base", "v1")
    tags, asked = scene.registry.tags, []

    async def later(repository: Repository) -> tuple[str, ...]:
        asked.append(repository)
        if asked.count(repository) == 2:
            scene.shelf("base").tags["stable"] = build.digest
        return await tags(repository)

    monkeypatch.setattr(scene.registry, "tags", later)
    result = scene.images("gc", "--yes")
    assert (result.exit_code, "has got the tag stable meanwhile" in result.stderr) == (3, True)
    assert build.digest in scene.shelf("base").manifests


def test_a_registry_that_does_not_delete_is_told_and_ends_it(scene, monkeypatch):
    old(scene, "base", "v1")

    async def refused(*_: object) -> bool:
        raise RegistryFault("405", "turn deleting on", status=405)

    monkeypatch.setattr(scene.registry, "delete", refused)
    result = scene.images("gc", "--yes")
    assert (result.exit_code, "it ended early: 405" in result.stderr) == (3, True)


def test_bytes_are_those_that_nothing_else_has(scene):
    current, gone = old(scene, "base", "v2"), old(scene, "base", "v1")
    scene.locked(base=(current,))
    shelf = scene.shelf("base")
    before = sum(map(len, shelf.blobs.values())) + sum(len(one.body) for one in shelf.manifests.values())
    told = json.loads(scene.images("gc", "-o", "json", "--yes").stdout)["bytes"]
    left = {digest for one in shelf.manifests.values() for digest in _blobs(one.body)}
    after = sum(len(body) for digest, body in shelf.blobs.items() if digest in left) + sum(
        len(one.body) for one in shelf.manifests.values()
    )
    assert told == before - after
    assert gone.digest not in shelf.manifests


def _blobs(body: bytes) -> list[str]:
    value = json.loads(body)
    return [one["digest"] for one in (value["config"], *value["layers"])] if "layers" in value else []


def test_one_environment_can_be_cleaned_alone_and_what_others_need_stays(scene, monkeypatch):
    fleet = (scene.root / "fleet.yaml").read_text()
    live = "  environments:\n    live:\n      target: {memory: {}}\n      registry: ghcr.io/acme\n      lock: live.lock\n"
    scene.write("fleet.yaml", fleet.replace("  environments:\n", live))
    needed, gone = old(scene, "base", "v1"), old(scene, "base", "v2")
    scene.write("live.lock", write_lock(Lock({"base": Builds(needed, (needed,))})))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    result = scene.images("gc")
    assert (result.exit_code, "GITHUB_TOKEN" in result.stderr) == (2, True)
    found = gc(scene, "--env", "test")
    assert found["kept"][needed.digest] == "live.lock"
    assert gone.digest in found["drops"]
