import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from reconciler.adapters.files import WorkTree
from reconciler.adapters.git import Repository
from reconciler.adapters.git.process import Git, GitFailed
from reconciler.core import paths
from reconciler.ports import CommitRefused, SourceUnavailable

pytestmark = pytest.mark.usefixtures("plain_git")

WEB = "specs/services/platform/web.yaml"


@pytest.fixture
def repository(box) -> Repository:
    return Repository(box.root)


def test_a_commit_is_read_without_its_work_tree(box, repository):
    first = box.git("rev-parse", "HEAD")
    box.write(WEB, "kind: Other\n")
    second = box.commit()
    assert repository.tree("HEAD~1").revision == first
    assert repository.tree("HEAD~1").files[WEB] == b"kind: Service\n"
    assert repository.tree().files[WEB] == b"kind: Other\n"
    assert repository.tree(second[:10]).revision == second
    assert list(repository.tree().files) == sorted(repository.tree().files)


def test_a_bare_repository_is_a_source(box, repository, tmp_path):
    subprocess.run(["git", "clone", "--quiet", "--bare", box.root, tmp_path / "bare.git"], check=True)
    bare = Repository(tmp_path / "bare.git")
    assert bare.tree("main") == repository.tree("main")
    assert bare.standing() is None
    assert bare.read("fleet.yaml", "main") == b"kind: Fleet\n"


def test_a_fleet_in_a_folder_of_a_larger_repository_counts_from_there(box):
    box.write("deploy/fleet/fleet.yaml", "kind: Fleet\n")
    box.write("deploy/fleet/specs/images/base.yaml", "a: 1\n")
    box.write("deploy/fleet/images/base/Dockerfile", "FROM scratch\n")
    box.commit()
    inner = Repository(box.root / "deploy/fleet")
    assert list(inner.tree().files) == ["fleet.yaml", "specs/images/base.yaml"]
    assert inner.read("specs/images/base.yaml") == b"a: 1\n"
    box.write(WEB, "edited: elsewhere\n")
    box.write("deploy/fleet/images/base/new", "x\n")
    standing = inner.standing()
    assert standing.edited == ("images/base/new",)
    box.commit()
    assert standing.digests == inner.tree().digests
    assert inner.changed("HEAD~1") == ("images/base/new",)


@pytest.mark.parametrize("revision", ["nowhere", "0" * 40, "HEAD~99"])
def test_a_revision_that_is_not_there_is_said(repository, revision):
    with pytest.raises(SourceUnavailable, match="there is no revision") as refusal:
        repository.tree(revision)
    assert "git fetch" in refusal.value.fix


@pytest.mark.parametrize(
    "revision",
    [
        "--upload-pack=touch CANARY",
        "-n1",
        "--output=CANARY",
        "HEAD:fleet.yaml",
        "a..b",
        "HEAD\n--all",
        "HEAD\0",
        "ext::sh -c touch% CANARY",
        "$(touch CANARY)",
        "a b",
        "x" * 300,
    ],
)
def test_what_is_no_revision_never_reaches_git(box, revision, monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **_: started.append(arguments))
    with pytest.raises(SourceUnavailable, match="is not a revision"):
        Repository(box.root).tree(revision)
    assert started == []
    assert not (box.root / "CANARY").exists()


def test_symlinks_and_submodules_are_refused_before_a_byte_is_read(box, repository):
    (box.root / "specs/leak.yaml").symlink_to("/etc/passwd")
    (box.root / "specs/up").symlink_to("../..")
    box.git("add", "specs")
    box.git("update-index", "--add", "--cacheinfo", f"160000,{box.git('rev-parse', 'HEAD')},specs/module")
    box.git("commit", "--quiet", "--message=hostile")
    tree = repository.tree()
    assert tree.refused == {"specs/leak.yaml": "it is a symlink", "specs/module": "it is a submodule", "specs/up": "it is a symlink"}
    assert not set(tree.files) & set(tree.refused)
    with pytest.raises(SourceUnavailable, match="symlink"):
        repository.read("specs/leak.yaml")


def hostile_tree(box, *names: bytes) -> str:
    """A commit whose `specs/` has entries with names that no file system here would take."""
    blob = box.git("hash-object", "-w", "--stdin", stdin=b"a: 1\n")
    specs = box.git("mktree", "-z", stdin=b"".join(b"100644 blob %s\t%s\0" % (blob.encode(), name) for name in names))
    root = box.git("mktree", stdin=f"040000 tree {specs}\tspecs\n".encode())
    return box.git("commit-tree", "-m", "hostile", root)


def test_hostile_names_are_refused(box, repository):
    names = [b"not-utf8-\xff.yaml", b"line\nend.yaml", b"back\\slash.yaml", b"web.yml", b"n" * 4096 + b".yaml", b"Web.yaml", b"web.yaml"]
    tree = repository.tree(hostile_tree(box, *names, b"fine.yaml"))
    assert list(tree.files) == ["specs/fine.yaml"]
    assert len(tree.refused) == len(names)
    assert all(path.isprintable() for path in tree.refused)


def test_names_that_git_itself_guards_are_refused(box, repository):
    inner = box.git("mktree", stdin=f"100644 blob {box.git('hash-object', '-w', '--stdin', stdin=b'x')}\tconfig\n".encode())
    specs = box.git("mktree", stdin=f"040000 tree {inner}\t.GIT\n".encode())
    root = box.git("mktree", stdin=f"040000 tree {specs}\tspecs\n".encode())
    tree = repository.tree(box.git("commit-tree", "-m", "hostile", root))
    assert tree.refused == {"specs/.GIT/config": "it belongs to a repository inside this one"}


def test_a_large_blob_is_refused_and_not_held(box, repository):
    box.write("specs/huge.yaml", b"#" * (paths.MAX_FILE + 1))
    box.commit()
    tree = repository.tree()
    assert tree.refused == {"specs/huge.yaml": "it is larger than 1 MiB"}
    assert "specs/huge.yaml" not in tree.files


def test_a_replaced_object_is_read_as_committed(box, repository):
    old = box.git("rev-parse", f"HEAD:{WEB}")
    new = box.git("hash-object", "-w", "--stdin", stdin=b"kind: Forged\n")
    box.git("replace", old, new)
    assert repository.tree().files[WEB] == b"kind: Service\n"


def test_the_repository_of_a_hook_that_runs_us_is_not_read(box, repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert repository.tree().files["fleet.yaml"] == b"kind: Fleet\n"


def test_no_repository_is_said(tmp_path):
    with pytest.raises(SourceUnavailable, match="in no git repository"):
        Repository(tmp_path).tree("HEAD")
    assert Repository(tmp_path).standing() is None


def test_a_machine_without_git_is_said(box, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SourceUnavailable, match="no git on this machine"):
        Repository(box.root).tree()
    assert WorkTree(box.root, Repository(box.root)).tree().revision == "unversioned"


def test_a_git_that_hangs_is_ended_with_all_that_it_started(box):
    box.git("config", "alias.hang", "!sleep 60; :")
    with pytest.raises(SourceUnavailable, match="git hang took longer"):
        Git(box.root).read("hang", seconds=0.2)


def test_a_repository_is_found_around_a_folder(box, tmp_path):
    assert Repository.around(box.root / "specs/images").resolve("HEAD") == box.git("rev-parse", "HEAD")
    assert Repository.around(tmp_path) is None


def test_before_the_first_commit_there_is_no_standing(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert Repository(tmp_path).standing() is None


def test_standing_names_what_is_edited_and_nothing_else(box, repository):
    box.write("README.md", "other\n")
    box.write(WEB, "kind: Other\n")
    box.write("specs/services/platform/new name.yaml")
    (box.root / "specs/images/base.yaml").unlink()
    box.write("policies/default/staged.yaml")
    box.git("add", "policies")
    assert repository.standing().edited == (
        "policies/default/staged.yaml",
        "specs/images/base.yaml",
        "specs/services/platform/new name.yaml",
        WEB,
    )


def change_content(box):
    box.write("images/base/Dockerfile", "FROM other\n")


def change_mode(box):
    (box.root / "images/base/Dockerfile").chmod(0o755)


def change_link(box):
    (box.root / "images/base/link").unlink()
    (box.root / "images/base/link").symlink_to("elsewhere")


def link_to_file(box):
    (box.root / "images/base/link").unlink()
    box.write("images/base/link", "a file\n")


def add_files(box):
    box.write("images/base/a-b", "x\n")
    box.write("images/base/a/b", "x\n")
    box.write("images/base/a.b", "x\n")
    box.write("images/other/bin/caf\u00e9 \u202e", "x\n")


def remove_file(box):
    (box.root / "images/base/bin/run").unlink()


def remove_all(box):
    box.git("rm", "-rq", "images")


def stage_one_and_edit_again(box):
    box.write("images/base/Dockerfile", "FROM staged\n")
    box.git("add", "images")
    box.write("images/base/Dockerfile", "FROM later\n")


def ignored_files(box):
    box.write(".gitignore", "*.pyc\n")
    box.write("images/base/cache/x.pyc", "x\n")


def line_ends(box):
    box.write(".gitattributes", "*.txt text eol=lf\n")
    box.write("images/base/words.txt", "one\r\ntwo\r\n")


@pytest.mark.parametrize(
    "edit",
    [change_content, change_mode, change_link, link_to_file, add_files, remove_file, remove_all, stage_one_and_edit_again, ignored_files,
     line_ends],
)  # fmt: skip
def test_digests_of_an_edited_work_tree_are_those_that_git_gives_once_committed(box, repository, edit):
    edit(box)
    before = repository.standing().digests
    box.commit()
    assert before == repository.tree().digests == repository.standing().digests


def test_digests_are_right_in_a_sha256_repository(tmp_path, box):
    root = type(box)(tmp_path / "sha256")
    root.root.mkdir()
    root.git("init", "--quiet", "--object-format=sha256")
    root.git("config", "user.name", "Ana")
    root.git("config", "user.email", "ana@acme.example")
    root.write("images/base/Dockerfile")
    root.commit()
    root.write("images/base/new/file")
    before = Repository(root.root).standing().digests
    root.commit()
    assert before == Repository(root.root).tree().digests
    assert all(len(digest) == 64 for digest in before.values())


def test_log_tells_the_newest_commits_of_a_path(box, repository):
    box.write(WEB, "kind: Other\n")
    box.commit("other: the reason\n\nand a body")
    box.write("README.md", "x\n")
    box.commit("words")
    newest, oldest = repository.log(WEB)
    assert (newest.subject, newest.author) == ("other: the reason", "Ana <ana@acme.example>")
    assert (newest.id, oldest.id) == (box.git("rev-parse", "HEAD~1"), box.git("rev-parse", "HEAD~2"))
    assert isinstance(newest.when, datetime)
    assert newest.when.tzinfo is not None
    assert len(repository.log(".", limit=2)) == 2


def test_changed_names_what_two_commits_or_the_work_tree_differ_in(box, repository):
    box.git("mv", WEB, "specs/services/platform/moved.yaml")
    box.commit()
    assert repository.changed("HEAD~1", "HEAD") == ("specs/services/platform/moved.yaml", WEB)
    box.write("fleet.yaml", "kind: Other\n")
    assert repository.changed("HEAD") == ("fleet.yaml",)


def test_merge_base_is_where_a_branch_left(box, repository):
    base = box.git("rev-parse", "HEAD")
    box.git("switch", "--quiet", "--create", "topic")
    box.write(WEB, "kind: Topic\n")
    box.commit()
    box.git("switch", "--quiet", "main")
    box.write("fleet.yaml", "kind: Main\n")
    box.commit()
    assert repository.merge_base("main", "topic") == base
    box.git("switch", "--quiet", "--orphan", "alone")
    box.commit()
    with pytest.raises(SourceUnavailable, match="no common commit"):
        repository.merge_base("main")


def test_an_edit_is_one_commit_of_one_file(box, repository):
    box.write("fleet.yaml", "kind: Staged\n")
    box.git("add", "fleet.yaml")
    box.write("specs/images/base.yaml", "kind: Unstaged\n")
    box.write("specs/images/new.yaml", "kind: Untracked\n")
    done = repository.commit_edit(WEB, b"kind: Edited\n", "Hold web\n\n# because: it fails\nBy: ana")
    assert box.git("show", "--format=%B", "--name-only", "HEAD").split("\n") == [
        "Hold web",
        "",
        "# because: it fails",
        "By: ana",
        "",
        "",
        WEB,
    ]
    assert (done.id, done.branch, done.subject) == (box.git("rev-parse", "HEAD"), "main", "Hold web")
    assert done.author == "Ana <ana@acme.example>"
    assert box.git("status", "--porcelain").split("\n") == ["M  fleet.yaml", " M specs/images/base.yaml", "?? specs/images/new.yaml"]
    assert (box.root / WEB).read_bytes() == b"kind: Edited\n"


def test_an_edit_keeps_the_mode_of_the_file(box, repository):
    (box.root / WEB).chmod(0o755)
    box.commit()
    repository.commit_edit(WEB, b"kind: Edited\n", "edit")
    assert (box.root / WEB).stat().st_mode & 0o777 == 0o755
    assert box.git("diff", "--summary", "HEAD~1", "HEAD") == ""


def untouched(box, head: str) -> bool:
    return box.git("rev-parse", "HEAD") == head and not list(box.root.rglob("*.fleet"))


@pytest.mark.parametrize("staged", [True, False])
def test_a_file_with_changes_of_its_own_is_not_edited(box, repository, staged):
    head = box.git("rev-parse", "HEAD")
    box.write(WEB, "kind: Mine\n")
    if staged:
        box.git("add", WEB)
        box.write(WEB, "kind: Service\n")
    with pytest.raises(CommitRefused, match="not committed"):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit")
    assert untouched(box, head)
    assert (box.root / WEB).read_text() == ("kind: Service\n" if staged else "kind: Mine\n")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("specs/new.yaml", "not committed"),
        ("specs/nowhere.yaml", "not a file that git keeps"),
        ("specs/services", "not a file that git keeps"),
        ("images/base/link", "not a file that git keeps"),
        ("ignored.yaml", "not a file that git keeps"),
        ("../outside", "does not stay"),
        ("-x", "not a file that git keeps"),
        ("*.yaml", "not a file that git keeps"),
        (":/fleet.yaml", "not a file that git keeps"),
        ("/etc/hostname", "does not stay"),
    ],
)
def test_what_is_no_committed_file_is_not_edited(box, repository, path, why):
    box.write(".gitignore", "ignored.yaml\n")
    head = box.commit()
    box.write("ignored.yaml")
    box.write("specs/new.yaml")
    with pytest.raises(CommitRefused, match=why):
        repository.commit_edit(path, b"x", "edit")
    assert untouched(box, head)


def test_an_edit_of_what_has_changed_meanwhile_is_refused(box, repository):
    with pytest.raises(CommitRefused, match="changed meanwhile"):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit", before=b"kind: Older\n")
    with pytest.raises(CommitRefused, match="already as asked"):
        repository.commit_edit(WEB, b"kind: Service\n", "edit", before=b"kind: Service\n")


def test_the_hooks_of_the_user_run_and_may_refuse(box, repository):
    head = box.git("rev-parse", "HEAD")
    hook = box.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ngit diff --cached --name-only; echo the fleet is frozen >&2; exit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CommitRefused, match="the fleet is frozen"):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit")
    assert untouched(box, head)
    assert box.git("status", "--porcelain") == ""
    hook.write_text("#!/bin/sh\ngit diff --cached --name-only > seen\n")
    repository.commit_edit(WEB, b"kind: Edited\n", "edit")
    assert (box.root / "seen").read_text() == WEB + "\n"


def test_an_interrupted_commit_leaves_the_file_as_it_was(box, repository, monkeypatch):
    monkeypatch.setattr(Git, "write", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit")
    assert box.git("status", "--porcelain") == ""


def test_a_commit_that_was_made_before_the_interruption_stands(box, repository, monkeypatch):
    write = Git.write

    def interrupted(*arguments, **options):
        write(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Git, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit")
    assert box.git("status", "--porcelain") == ""
    assert box.git("show", f"HEAD:{WEB}") == "kind: Edited"


def test_a_merge_that_is_under_way_is_not_mixed_up_with_an_edit(box, repository):
    box.git("switch", "--quiet", "--create", "topic")
    box.write("fleet.yaml", "kind: Topic\n")
    box.commit()
    box.git("switch", "--quiet", "main")
    box.git("merge", "--quiet", "--no-commit", "--no-ff", "topic")
    with pytest.raises(CommitRefused, match="a merge is under way"):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit")


def test_somebody_whom_git_does_not_know_is_told_so(box, repository):
    assert repository.author() == "Ana"
    box.git("config", "--unset", "user.name")
    box.git("config", "--unset", "user.email")
    box.git("config", "user.useConfigOnly", "true")
    assert repository.author() == ""
    with pytest.raises(CommitRefused, match="does not know who you are"):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit")


def test_a_locked_index_is_said_and_nothing_is_written(box, repository):
    (box.root / ".git/index.lock").touch()
    with pytest.raises(CommitRefused, match=r"index\.lock"):
        repository.commit_edit(WEB, b"kind: Edited\n", "edit")
    (box.root / ".git/index.lock").unlink()
    assert box.git("status", "--porcelain") == ""


def test_a_linked_work_tree_commits_on_its_own_branch(box, tmp_path):
    box.git("worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "linked"))
    main = box.git("rev-parse", "main")
    done = Repository(tmp_path / "linked").commit_edit(WEB, b"kind: Edited\n", "edit")
    assert done.branch == "topic"
    assert (box.git("rev-parse", "main"), box.git("rev-parse", "topic")) == (main, done.id)


def test_on_no_branch_the_commit_says_so(box, repository):
    box.git("switch", "--quiet", "--detach")
    assert repository.commit_edit(WEB, b"kind: Edited\n", "edit").branch == ""


def test_line_ends_that_git_converts_stay_out_of_the_diff(box, repository):
    box.git("config", "core.autocrlf", "true")
    box.write(WEB, "kind: Service\r\na: 1\r\n")
    box.commit()
    repository.commit_edit(WEB, b"kind: Service\r\na: 2\r\n", "edit")
    assert box.git("diff", "--numstat", "HEAD~1", "HEAD") == f"1\t1\t{WEB}"
    assert box.git("status", "--porcelain") == ""


def test_specs_go_back_to_a_revision_as_one_commit(box, repository):
    first = box.git("rev-parse", "HEAD")
    box.write(WEB, "kind: Later\n")
    (box.root / "specs/images/base.yaml").unlink()
    box.write("specs/services/platform/added.yaml")
    box.write("README.md", "later\n")
    box.commit()
    box.write("fleet.yaml", "kind: Staged\n")
    box.git("add", "fleet.yaml")
    done = repository.commit_restore(["specs", "policies"], "HEAD~1", "Back to before")
    assert box.git("rev-parse", f"{done.id}:specs") == box.git("rev-parse", f"{first}:specs")
    assert box.git("diff", "--name-only", "HEAD~1", "HEAD").split() == ["specs/images/base.yaml", "specs/services/platform/added.yaml", WEB]
    assert box.git("status", "--porcelain") == "M  fleet.yaml"
    assert (box.root / "README.md").read_text() == "later\n"


def test_a_restore_that_would_lose_work_or_change_nothing_is_refused(box, repository):
    box.write(WEB, "kind: Later\n")
    head = box.commit()
    with pytest.raises(CommitRefused, match="nothing to commit"):
        repository.commit_restore(["policies"], "HEAD~1", "back")
    box.write("specs/mine.yaml")
    with pytest.raises(CommitRefused, match=r"specs/mine\.yaml has changes"):
        repository.commit_restore(["specs"], "HEAD~1", "back")
    assert box.git("rev-parse", "HEAD") == head
    assert (box.root / "specs/mine.yaml").exists()


def test_a_restore_that_a_hook_refuses_leaves_everything_as_it_was(box, repository):
    box.write(WEB, "kind: Later\n")
    box.write("specs/services/platform/added.yaml")
    box.commit()
    hook = box.root / ".git/hooks/commit-msg"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CommitRefused):
        repository.commit_restore(["specs"], "HEAD~1", "back")
    assert box.git("status", "--porcelain") == ""
    assert (box.root / WEB).read_text() == "kind: Later\n"


def test_a_commit_without_a_real_date_or_name_does_not_break_the_log(box, repository):
    tree = box.git("rev-parse", "HEAD^{tree}")
    raw = f"tree {tree}\nauthor a\x1fb <x> 99999999999999999999 +9999\ncommitter c <c> 0 +0000\n\nodd\x1fsubject\n"
    commit = box.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw.encode())
    (found,) = repository.log(".", revision=commit)
    assert found.subject == "odd\x1fsubject"


def test_a_fleet_of_ten_thousand_files_takes_a_handful_of_processes(box, monkeypatch):
    started = []
    begin = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: (started.append(command), begin(command, **options))[1])
    WorkTree(box.root, Repository(box.root)).tree()
    Repository(box.root).tree()
    assert 0 < len(started) <= 7


def test_commands_side_by_side_leave_none_behind_when_one_fails(box, monkeypatch):
    children, begin = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *command, **options: (children.append(begin(*command, **options)), children[-1])[1])
    with pytest.raises(GitFailed):
        Git(box.root).read_together(("rev-parse", "--verify", "nothing"), ("cat-file", "--batch"), ("log", "--format=%B"))
    assert len(children) == 3
    assert all(child.returncode is not None for child in children)


def test_paths_of_the_work_tree_need_not_be_utf8(box, repository):
    Path(os.fsdecode(os.fsencode(box.root) + b"/images/base/\xff")).write_text("x\n")
    before = repository.standing().digests
    box.commit()
    assert before == repository.tree().digests


def test_what_git_ignores_stands_for_itself_at_every_commit(box, repository, tmp_path):
    box.write(".gitignore", "/.fleet/\n")
    box.write(".fleet/trial.lock", "lockVersion: 1\n")
    box.write("fleet.lock", "lockVersion: 1\n")
    assert repository.ignores(".fleet/trial.lock")
    assert not repository.ignores("fleet.lock")
    assert not repository.ignores("fleet.yaml")
    assert not repository.ignores(".fleet/nowhere.lock")
    assert not Repository(tmp_path / "nowhere").ignores("fleet.lock")
