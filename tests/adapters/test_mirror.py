"""A mirror of a branch that real git serves: what is fetched, what is said of it, and what is read."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.adapters.git import Repository
from reconciler.adapters.git import child as children
from reconciler.adapters.git.address import TRIAL
from reconciler.adapters.git.mirror import Mirror
from reconciler.core import paths
from reconciler.ports import BranchGone, CommitUnknown, Fetched, Relation, SourceUnavailable
from tests.adapters.upstream import upstream

pytestmark = pytest.mark.usefixtures("plain_git")

WEB = "specs/services/platform/web.yaml"


@pytest.fixture
def served(box, tmp_path):
    """The box behind a server that can leave files out."""
    box.git("config", "uploadpack.allowFilter", "true")
    with upstream(tmp_path) as server:
        yield server


@pytest.fixture
def follow(box, served, tmp_path):
    def mirror(branch: str = "main", folder: str = "mirror", **options) -> Mirror:
        return Mirror(tmp_path / folder, served.url(box.root / ".git"), branch, **{"schemes": TRIAL, **options})

    return mirror


async def test_what_is_fetched_reads_as_the_repository_itself(box, follow):
    mirror = follow()
    fetched = await mirror.fetch(None)
    assert fetched == Fetched(box.git("rev-parse", "HEAD"), Relation.FIRST)
    assert mirror.tree() == Repository(box.root).tree()
    assert mirror.tree(fetched.revision[:12]) == mirror.tree()
    assert mirror.read("fleet.lock") == b"lockVersion: 1\n"
    assert mirror.read("nowhere.lock") is None
    assert not mirror.whole


async def test_nothing_new_is_the_same_and_asks_for_no_objects(box, follow, served):
    mirror = follow()
    first = await mirror.fetch(None)
    served.asked.clear()
    assert await mirror.fetch(first.revision) == Fetched(first.revision, Relation.SAME)
    assert served.asked == ["GET /info/refs", "POST ls-refs"]


async def test_a_new_commit_is_forward_and_only_its_files_travel(box, follow, served):
    mirror = follow()
    first = await mirror.fetch(None)
    box.write(WEB, "kind: Other\n")
    second = box.commit()
    assert await mirror.fetch(first.revision) == Fetched(second, Relation.FORWARD)
    assert mirror.tree().files[WEB] == b"kind: Other\n"
    assert mirror.tree(first.revision).files[WEB] == b"kind: Service\n"


@pytest.mark.parametrize("files", [1, 400])
async def test_all_files_come_in_one_request_however_many_they_are(box, follow, served, files):
    for number in range(files):
        box.write(f"specs/images/image-{number}.yaml", f"a: {number}\n")
    box.commit()
    mirror = follow()
    await mirror.fetch(None)
    asked = served.asked.copy()
    assert asked.count("POST fetch") == 2
    assert len(mirror.tree().files) == files + 5
    assert served.asked == asked


async def test_files_that_no_source_reads_stay_where_they_are(box, follow, tmp_path):
    box.write("images/base/model.bin", os.urandom(1 << 20))
    box.write("src/model.bin", os.urandom(1 << 20))
    box.commit()
    mirror = follow()
    await mirror.fetch(None)
    assert "images/base" in mirror.tree().digests
    assert sum(file.stat().st_size for file in (tmp_path / "mirror").rglob("*") if file.is_file()) < 1 << 18


async def test_a_revision_is_read_while_the_server_is_gone(box, follow, served):
    mirror = follow()
    first = await mirror.fetch(None)
    served.answer = "500"
    assert mirror.tree(first.revision) == Repository(box.root).tree()
    assert mirror.digest(first.revision)
    with pytest.raises(SourceUnavailable):
        await mirror.fetch(first.revision)
    assert mirror.tree(first.revision) == Repository(box.root).tree()


async def test_a_revision_that_never_was_the_newest_is_read_on_demand(box, follow):
    first = box.git("rev-parse", "HEAD")
    box.write(WEB, "kind: Other\n")
    box.commit()
    mirror = follow()
    assert (await mirror.fetch(first)).relation is Relation.FORWARD
    assert mirror.read(WEB, first) == b"kind: Service\n"
    assert mirror.tree(first) == Repository(box.root).tree(first)


async def test_the_commit_before_is_known_without_a_request(box, follow, served):
    first = box.git("rev-parse", "HEAD")
    box.write(WEB, "kind: Other\n")
    second = box.commit()
    mirror = follow()
    await mirror.fetch(None)
    served.asked.clear()
    assert mirror.parent(second) == first
    assert mirror.parent(first[:12]) is None
    with pytest.raises(CommitUnknown):
        mirror.parent("f" * 40)
    assert served.asked == []


async def test_a_lock_of_an_environment_comes_with_the_rest(box, follow, served):
    box.write("locks/lab.lock", "lockVersion: 1\n")
    box.write("deep/in/it/odd-lock", "lockVersion: 1\n")
    box.commit()
    mirror = follow()
    await mirror.fetch(None)
    served.asked.clear()
    assert mirror.read("locks/lab.lock") == b"lockVersion: 1\n"
    assert served.asked == []
    assert mirror.read("deep/in/it/odd-lock") == b"lockVersion: 1\n"
    box.write("deep/in/it/odd-lock", "lockVersion: 2\n")
    box.commit()
    await mirror.fetch(None)
    served.asked.clear()
    assert mirror.read("deep/in/it/odd-lock") == b"lockVersion: 2\n"
    assert served.asked == []


async def test_what_was_asked_for_changes_no_digest_and_hides_nothing(box, follow):
    mirror = follow()
    first = await mirror.fetch(None)
    digest = mirror.digest(first.revision)
    for path in (WEB, "fleet.yaml", "fleet.lock", "specs", "nowhere.lock", "images/base/link"):
        with suppress(SourceUnavailable):
            mirror.read(path)
    assert mirror.digest(first.revision) == digest
    assert mirror.tree() == Repository(box.root).tree()
    assert mirror.read("images/base/Dockerfile") == b"FROM scratch\n"
    assert mirror.read("specs") is None
    with pytest.raises(SourceUnavailable, match="a symlink"):
        mirror.read("images/base/link")


async def test_a_sha256_repository_is_followed(box, served, tmp_path):
    other = type(box)(tmp_path / "sha256")
    other.root.mkdir()
    other.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    for key, value in (("user.name", "Ana"), ("user.email", "ana@acme.example"), ("uploadpack.allowFilter", "true")):
        other.git("config", key, value)
    other.write(WEB)
    tip = other.commit()
    mirror = Mirror(tmp_path / "mirror", served.url(other.root / ".git"), "main", schemes=TRIAL)
    assert (await mirror.fetch(None)).revision == tip
    assert mirror.tree() == Repository(other.root).tree()


async def test_a_branch_that_was_rewritten_is_rewound(box, follow):
    box.write(WEB, "kind: Other\n")
    lost = box.commit()
    mirror = follow()
    await mirror.fetch(None)
    box.git("reset", "--quiet", "--hard", "HEAD~1")
    assert await mirror.fetch(lost) == Fetched(box.git("rev-parse", "HEAD"), Relation.REWOUND)
    assert mirror.tree(lost).files[WEB] == b"kind: Other\n"
    box.write(WEB, "kind: Third\n")
    forced = box.commit()
    assert await mirror.fetch(lost) == Fetched(forced, Relation.REWOUND)


async def test_a_history_that_has_nothing_to_do_with_the_last_is_rewound(box, follow):
    mirror = follow()
    first = await mirror.fetch(None)
    box.git("checkout", "--quiet", "--orphan", "other")
    alone = box.commit("another beginning")
    box.git("branch", "--force", "main", alone)
    assert await mirror.fetch(first.revision) == Fetched(alone, Relation.REWOUND)


async def test_a_mirror_that_starts_empty_sees_that_the_branch_was_rewritten(box, follow):
    box.write(WEB, "kind: Other\n")
    lost = box.commit()
    box.git("reset", "--quiet", "--hard", "HEAD~1")
    box.git("reflog", "expire", "--expire=now", "--all")
    box.git("gc", "--quiet", "--prune=now")
    assert (await follow().fetch(lost)).relation is Relation.REWOUND


async def test_a_branch_that_vanished_is_said_and_what_was_fetched_stays(box, follow):
    box.git("branch", "topic")
    mirror = follow("topic")
    first = await mirror.fetch(None)
    box.git("branch", "-D", "topic")
    with pytest.raises(BranchGone, match="has no branch topic") as gone:
        await mirror.fetch(first.revision)
    assert "stays as it is" in gone.value.fix
    assert mirror.tree(first.revision) == Repository(box.root).tree()
    box.git("branch", "topic")
    assert (await mirror.fetch(first.revision)).relation is Relation.SAME


async def test_an_empty_repository_has_no_branch(box, served, tmp_path):
    box.git("init", "--quiet", "--bare", str(tmp_path / "empty.git"))
    with pytest.raises(BranchGone):
        await Mirror(tmp_path / "mirror", served.url(tmp_path / "empty.git"), "main", schemes=TRIAL).fetch(None)


async def test_a_tag_of_the_same_name_is_not_the_branch(box, follow):
    box.git("tag", "main")
    box.write(WEB, "kind: Other\n")
    tip = box.commit()
    assert (await follow().fetch(None)).revision == tip


async def test_twenty_commits_in_a_row_end_at_the_last(box, follow):
    mirror = follow()
    since, seen = None, []
    for number in range(20):
        box.write(WEB, f"a: {number}\n")
        last = box.commit()
        if number % 4 == 3:
            fetched = await mirror.fetch(since)
            seen.append(fetched.relation)
            since = fetched.revision
    assert (since, mirror.tree().files[WEB]) == (last, b"a: 19\n")
    assert seen == [Relation.FIRST, *[Relation.FORWARD] * 4]


async def test_fetches_at_once_take_turns_and_agree(box, follow):
    one, other = follow(), follow()
    fetched = await asyncio.gather(*(mirror.fetch(None) for mirror in (one, other, one, other)))
    assert {found.revision for found in fetched} == {box.git("rev-parse", "HEAD")}
    assert one.tree() == other.tree() == Repository(box.root).tree()


async def test_many_packs_become_few(box, follow, tmp_path, monkeypatch):
    monkeypatch.setattr("reconciler.adapters.git.clone._PACKS", 4)
    mirror = follow()
    first = await mirror.fetch(None)
    for number in range(6):
        box.write(WEB, f"a: {number}\n")
        box.commit()
        await mirror.fetch(None)
    assert len(list((tmp_path / "mirror/mirror.git/objects/pack").glob("*.pack"))) <= 5
    assert mirror.tree().files[WEB] == b"a: 5\n"
    assert mirror.tree(first.revision).files[WEB] == b"kind: Service\n"


async def test_a_server_that_cannot_leave_files_out_is_followed_all_the_same(box, follow, caplog):
    box.git("config", "uploadpack.allowFilter", "false")
    mirror = follow()
    first = await mirror.fetch(None)
    assert mirror.whole
    box.write(WEB, "kind: Other\n")
    box.commit()
    assert (await mirror.fetch(first.revision)).relation is Relation.FORWARD
    assert mirror.tree() == Repository(box.root).tree()
    assert [record.message for record in caplog.records if "all of its history" in record.message] == [caplog.records[0].message]


async def test_a_server_that_gives_nothing_by_its_id_is_followed_all_the_same(box, follow, served, caplog):
    served.answer = "old"
    mirror = follow()
    first = await mirror.fetch(None)
    assert mirror.whole
    assert mirror.tree() == Repository(box.root).tree()
    box.write(WEB, "kind: Other\n")
    box.commit()
    assert (await follow().fetch(first.revision)).relation is Relation.FORWARD
    assert sum("all of its history" in record.message for record in caplog.records) == 1


async def test_a_repository_of_this_machine_is_for_trials_alone(box, tmp_path):
    url = f"file://{box.root}"
    with pytest.raises(SourceUnavailable, match="file is not followed"):
        Mirror(tmp_path / "mirror", url, "main")
    mirror = Mirror(tmp_path / "mirror", url, "main", schemes=TRIAL)
    await mirror.fetch(None)
    assert mirror.tree() == Repository(box.root).tree()


async def test_a_fleet_in_a_folder_counts_from_there(box, follow):
    box.write("deploy/fleet/fleet.yaml", "kind: Fleet\n")
    box.write("deploy/fleet/specs/images/base.yaml", "a: 1\n")
    box.write("deploy/fleet/images/base/Dockerfile", "FROM scratch\n")
    box.commit()
    mirror = follow(path="deploy/fleet")
    await mirror.fetch(None)
    assert mirror.tree() == Repository(box.root / "deploy/fleet").tree()
    assert mirror.read("specs/images/base.yaml") == b"a: 1\n"
    with pytest.raises(SourceUnavailable, match="does not stay"):
        mirror.read("../../fleet.yaml")


async def test_a_folder_that_is_not_there_holds_nothing(box, follow):
    (box.root / "link").symlink_to("specs")
    box.commit()
    for path in ("nowhere", "link", "README.md"):
        mirror = follow(path=path)
        fetched = await mirror.fetch(None)
        assert mirror.tree().files == {}
        assert mirror.digest(fetched.revision) == mirror.digest(fetched.revision)


async def test_a_digest_changes_with_what_is_read_and_with_nothing_else(box, follow):
    first = box.git("rev-parse", "HEAD")
    ours = (WEB, "fleet.yaml", "fleet.lock", "policies/default/SVC101.yaml", "images/base/Dockerfile", "locks/lab.lock", "lab.lock")
    commits = {}
    for path in ("README.md", "src/main.py", *ours):
        box.write(path, "new: 1\n")
        commits[path] = box.commit()
    mirror = follow()
    await mirror.fetch(first)
    assert mirror.digest(commits["README.md"]) == mirror.digest(commits["src/main.py"]) == mirror.digest(first)
    assert len({mirror.digest(commit) for commit in (first, *(commits[path] for path in ours))}) == 1 + len(ours)


async def test_another_url_is_another_mirror(box, follow, served, tmp_path):
    await follow().fetch(None)
    box.git("clone", "--quiet", "--bare", str(box.root), str(tmp_path / "other.git"))
    box.write(WEB, "kind: Other\n")
    lost = box.commit()
    await follow().fetch(None)
    other = Mirror(tmp_path / "mirror", served.url(tmp_path / "other.git"), "main", schemes=TRIAL)
    assert (await other.fetch(lost)).relation is Relation.REWOUND
    with pytest.raises(SourceUnavailable, match="holds no commit"):
        other.tree(lost)


async def test_before_a_fetch_there_is_nothing_to_read(follow):
    with pytest.raises(SourceUnavailable, match="nothing was fetched"):
        follow().tree()
    for revision in ("main", "--all", "HEAD", "refs/heads/followed", "0" * 40):
        with pytest.raises(SourceUnavailable):
            follow().tree(revision)


async def test_links_submodules_and_hostile_names_are_refused_by_name(box, follow):
    blob = box.git("hash-object", "-w", "--stdin", stdin=b"a: 1\n").encode()
    link = box.git("hash-object", "-w", "--stdin", stdin=b"/etc/passwd").encode()
    names = [b"not-utf8-\xff.yaml", b"line\nend.yaml", b"back\\slash.yaml", b"web.yml", b"n" * 4096 + b".yaml", b"Web.yaml", b"web.yaml"]
    lines = [b"100644 blob %s\t%s\0" % (blob, name) for name in (*names, b"fine.yaml")]
    lines += [b"120000 blob %s\tleak.yaml\0" % link, b"160000 commit %s\tmodule\0" % box.git("rev-parse", "HEAD").encode()]
    specs = box.git("mktree", "-z", "--missing", stdin=b"".join(lines))
    root = box.git("mktree", stdin=f"040000 tree {specs}\tspecs\n".encode())
    box.git("branch", "hostile", box.git("commit-tree", "-m", "hostile", root))
    mirror = follow("hostile")
    await mirror.fetch(None)
    tree = mirror.tree()
    assert list(tree.files) == ["specs/fine.yaml"]
    assert len(tree.refused) == len(names) + 2
    assert tree.refused["specs/leak.yaml"] == "it is a symlink"
    assert tree.refused["specs/module"] == "it is a submodule"


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT"])
async def test_a_tree_that_would_leave_its_folder_is_refused_at_the_door(box, follow, name):
    inner = box.git("mktree", stdin=f"100644 blob {box.git('rev-parse', 'HEAD:fleet.yaml')}\tconfig\n".encode())
    raw = b"40000 " + name + b"\0" + bytes.fromhex(inner)
    specs = box.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    root = box.git("mktree", stdin=f"040000 tree {specs}\tspecs\n".encode())
    mirror = follow()
    first = await mirror.fetch(None)
    box.git("update-ref", "refs/heads/main", box.git("commit-tree", "-m", "hostile", "-p", first.revision, root))
    with pytest.raises(SourceUnavailable, match="refuses"):
        await mirror.fetch(first.revision)
    assert mirror.tree(first.revision) == mirror.tree()


async def test_a_submodule_is_not_followed(box, follow, served):
    box.write(".gitmodules", f'[submodule "x"]\n\tpath = specs/x\n\turl = {served.url(box.root / ".git")}\n')
    box.git("update-index", "--add", "--cacheinfo", f"160000,{box.git('rev-parse', 'HEAD')},specs/x")
    box.git("commit", "--quiet", "--message=module")
    mirror = follow()
    await mirror.fetch(None)
    assert mirror.tree().refused == {"specs/x": "it is a submodule"}
    assert served.asked.count("GET /info/refs") == 2


async def test_a_large_blob_that_packs_well_is_refused_by_name(box, follow):
    box.write("specs/huge.yaml", b"#" * (paths.MAX_FILE + 1))
    box.commit()
    mirror = follow()
    await mirror.fetch(None)
    assert mirror.tree().refused == {"specs/huge.yaml": "it is larger than 1 MiB"}
    assert WEB in mirror.tree().files


async def test_a_blob_larger_than_a_fetch_may_bring_is_refused_by_name(box, follow, served, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MAX_LOCK", 2 << 20)
    box.write("specs/huge.yaml", os.urandom(3 << 20))
    box.write("locks/huge.lock", os.urandom(3 << 20))
    box.commit()
    mirror = follow(portion=1 << 20)
    await mirror.fetch(None)
    assert mirror.tree().refused == {"specs/huge.yaml": "it is larger than 1 MiB"}
    assert mirror.tree().files[WEB] == b"kind: Service\n"
    with pytest.raises(SourceUnavailable, match="it is larger than 2 MiB"):
        mirror.read("locks/huge.lock")
    served.asked.clear()
    mirror.tree()
    assert served.asked == []
    box.write(WEB, "kind: Other\n")
    box.commit()
    await mirror.fetch(None)
    assert served.asked.count("POST fetch") == 2
    assert mirror.tree().files[WEB] == b"kind: Other\n"
    assert not list((tmp_path / "mirror/mirror.git/objects/pack").glob("tmp_*"))


async def test_a_repository_larger_than_its_room_is_refused_and_leaves_nothing(box, follow, tmp_path):
    box.git("config", "uploadpack.allowFilter", "false")
    box.write("src/model.bin", os.urandom(6 << 20))
    box.commit()
    with pytest.raises(SourceUnavailable, match="is larger than 4 MiB"):
        await follow(room=4 << 20).fetch(None)
    assert [file.name for file in (tmp_path / "mirror").rglob("*")] == ["lock"]


async def test_too_many_files_are_refused(box, follow, monkeypatch):
    blob = box.git("rev-parse", "HEAD:fleet.yaml")
    lines = "".join(f"100644 blob {blob}\t{number}.yaml\n" for number in range(paths.MAX_FILES + 1))
    specs = box.git("mktree", stdin=lines.encode())
    root = box.git("mktree", stdin=f"040000 tree {specs}\tspecs\n".encode())
    mirror = follow()
    first = await mirror.fetch(None)
    box.git("update-ref", "refs/heads/main", box.git("commit-tree", "-m", "many", "-p", first.revision, root))
    with pytest.raises(SourceUnavailable, match="more than 100000 files"):
        await mirror.fetch(first.revision)
    assert mirror.tree() == mirror.tree(first.revision)


def broken_pack(git: Path):
    for pack in (git / "objects/pack").glob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:40] + b"\0" * 60)


def lost_packs(git: Path):
    for file in (git / "objects/pack").iterdir():
        file.unlink()


def lost_reference(git: Path):
    (git / "refs/heads/followed").write_text("garbage\n")


def broken_settings(git: Path):
    (git / "config").write_text("[core\n")


def lost_head(git: Path):
    (git / "HEAD").unlink()


@pytest.mark.parametrize("damage", [broken_pack, lost_packs, lost_reference, broken_settings, lost_head])
async def test_a_damaged_mirror_is_cloned_anew(box, follow, tmp_path, damage):
    mirror = follow()
    first = await mirror.fetch(None)
    damage(tmp_path / "mirror/mirror.git")
    box.write(WEB, "kind: Other\n")
    box.commit()
    with suppress(SourceUnavailable):  # some damage shows only once it is read
        await mirror.fetch(first.revision)
        mirror.tree()
    assert (await mirror.fetch(first.revision)).relation is Relation.FORWARD
    assert mirror.tree() == Repository(box.root).tree()


async def test_a_mirror_that_was_cloned_anew_has_its_files_again(box, follow, served, tmp_path):
    mirror = follow()
    first = await mirror.fetch(None)
    lost_packs(tmp_path / "mirror/mirror.git")
    assert (await mirror.fetch(first.revision)).relation is Relation.SAME
    served.answer = "500"
    assert mirror.tree() == Repository(box.root).tree()


async def test_a_damaged_mirror_stays_until_there_is_another(follow, served, tmp_path):
    mirror = follow()
    first = await mirror.fetch(None)
    served.answer = "500"
    (tmp_path / "mirror/mirror.git/refs/heads/followed").write_text("garbage\n")
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            await mirror.fetch(first.revision)
        assert mirror.tree(first.revision).files[WEB] == b"kind: Service\n"


async def test_what_a_killed_git_left_is_cleaned(box, follow, tmp_path):
    mirror = follow()
    first = await mirror.fetch(None)
    git = tmp_path / "mirror/mirror.git"
    left = [git / name for name in ("objects/pack/tmp_pack_abc", "refs/heads/followed.lock", "config.lock", "packed-refs.lock")]
    for file in left:
        file.touch()
    (tmp_path / "mirror/new.git").mkdir()
    box.write(WEB, "kind: Other\n")
    box.commit()
    assert (await mirror.fetch(first.revision)).relation is Relation.FORWARD
    assert not any(file.exists() for file in left)


async def test_a_mirror_runs_no_hooks_and_takes_no_settings_of_the_machine(box, follow, tmp_path, monkeypatch):
    canary = tmp_path / "CANARY"
    (tmp_path / "settings").write_text(
        f'[core]\n\tsshCommand = touch {canary}\n\tfsmonitor = touch {canary}\n[credential]\n\thelper = "!touch {canary}"\n'
        f'[init]\n\ttemplateDir = {tmp_path / "template"}\n[url "ext::touch {canary} "]\n\tinsteadOf = http\n'
    )
    hooks = tmp_path / "template/hooks"
    hooks.mkdir(parents=True)
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc", "update"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {canary}\n")
        (hooks / name).chmod(0o755)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {canary}")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    mirror = follow()
    await mirror.fetch(None)
    assert mirror.tree().files[WEB] == b"kind: Service\n"
    assert not canary.exists()
    assert not list((tmp_path / "mirror").rglob("hooks/*"))


def own(started: list[list[str]]) -> list[list[str]]:
    return [command for command in started if command[:2] != ["git", "http-backend"]]


async def test_a_fetch_takes_a_handful_of_processes(box, follow, monkeypatch):
    started = []
    popen = children.subprocess.Popen

    def counted(command, **options):
        started.append(command)
        return popen(command, **options)

    monkeypatch.setattr(children.subprocess, "Popen", counted)
    mirror = follow()
    first = await mirror.fetch(None)
    started.clear()
    await mirror.fetch(first.revision)
    assert len(own(started)) == 2
    box.write(WEB, "kind: Other\n")
    box.commit()
    started.clear()
    await mirror.fetch(first.revision)
    assert len(own(started)) <= 15
