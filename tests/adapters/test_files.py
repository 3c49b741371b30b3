import os
import socket
from pathlib import Path

import pytest

from reconciler.adapters.files import UNVERSIONED, WorkTree
from reconciler.adapters.git import Repository
from reconciler.core import paths
from reconciler.ports import SourceUnavailable

pytestmark = pytest.mark.usefixtures("plain_git")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A fleet that no git knows."""
    root = tmp_path / "plain"
    write(root, "fleet.yaml", "kind: Fleet\n")
    write(root, "specs/services/platform/web.yaml")
    write(root, "policies/default/rule.yaml")
    write(root, "images/base/Dockerfile")
    return root


def write(root: Path, path: str, data: str | bytes = "a: 1\n") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return file


def test_only_what_belongs_to_a_source_is_read(root):
    write(root, "fleet.lock", "lockVersion: 1\n")
    write(root, "README.md")
    write(root, "specs/README.md")
    write(root, "specs/.hidden.yaml")
    write(root, "specs/.idea/workspace.yaml")
    write(root, "src/other.yaml")
    tree = WorkTree(root).tree()
    assert list(tree.files) == ["fleet.lock", "fleet.yaml", "policies/default/rule.yaml", "specs/services/platform/web.yaml"]
    assert tree.files["fleet.yaml"] == b"kind: Fleet\n"
    assert tree.refused == {}


def test_without_git_the_revision_says_so(root):
    tree = WorkTree(root).tree()
    assert (tree.revision, tree.dirty) == (UNVERSIONED, True)
    with pytest.raises(SourceUnavailable, match="no revision HEAD"):
        WorkTree(root).tree("HEAD")


def test_an_empty_folder_is_an_empty_source(tmp_path):
    assert WorkTree(tmp_path).tree().files == {}


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(SourceUnavailable, match="No such file"):
        WorkTree(tmp_path / "nowhere").tree()


def test_a_symlink_is_refused_and_never_followed(root):
    secret = write(root.parent, "secret", "root:x\n")
    (root / "specs/leak.yaml").symlink_to(secret)
    (root / "specs/up").symlink_to("../..")
    (root / "policies/default/rule2.yaml").symlink_to("rule.yaml")
    (root / "fleet.lock").symlink_to(secret)
    tree = WorkTree(root).tree()
    assert set(tree.refused) == {"specs/leak.yaml", "specs/up", "policies/default/rule2.yaml", "fleet.lock"}
    assert all("symlink" in reason for reason in tree.refused.values())
    assert not any(b"root" in data for data in tree.files.values())


def test_a_symlink_in_place_of_specs_is_refused(root, tmp_path):
    os.rename(root / "specs", tmp_path / "elsewhere")
    (root / "specs").symlink_to(tmp_path / "elsewhere")
    assert WorkTree(root).tree().refused == {"specs": "it is a symlink, or no folder"}


def test_special_files_are_refused_without_waiting(root, monkeypatch):
    os.mkfifo(root / "specs/pipe.yaml")
    os.mkfifo(root / "fleet.lock")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)
        listener.bind("specs/socket.yaml")
        tree = WorkTree(root).tree()
    assert tree.refused == dict.fromkeys(["fleet.lock", "specs/pipe.yaml", "specs/socket.yaml"], "it is no regular file")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"not-utf8-\xff.yaml", "not UTF-8"),
        (b"line\nend.yaml", "control characters"),
        ("bidi-\u202e.yaml".encode(), "control characters"),
        (b"back\\slash.yaml", "backslash"),
        (b"dot.", "ends in a dot"),
        (b"web.yml", "rename it to web.yaml"),
        (b"web.YAML", "rename it to web.yaml"),
        (b"web.json", "rename it to web.yaml"),
    ],
)
def test_an_odd_name_is_refused_by_name(root, name, why):
    Path(os.fsdecode(os.fsencode(root / "specs") + b"/" + name)).write_text("a: 1\n")
    tree = WorkTree(root).tree()
    ((shown, reason),) = tree.refused.items()
    assert why in reason
    assert shown.isprintable()
    assert len(tree.files) == 3


def test_names_that_differ_in_case_only_are_both_refused(root):
    write(root, "specs/images/Base.yaml")
    write(root, "specs/images/base.yaml")
    write(root, "specs/images/caf\u00e9.yaml")
    write(root, "specs/images/cafe\u0301.yaml")
    tree = WorkTree(root).tree()
    assert len(tree.refused) == 4
    assert not any(path.startswith("specs/images") for path in tree.files)


def test_a_repository_inside_is_refused(root):
    write(root, "specs/module/.git", "gitdir: elsewhere\n")
    write(root, "specs/clone/.git/config")
    refused = WorkTree(root).tree().refused
    assert set(refused) == {"specs/module/.git", "specs/clone/.git"}


def test_a_large_file_is_refused_and_not_held(root):
    write(root, "specs/just-right.yaml", b"#" * paths.MAX_FILE)
    with write(root, "specs/huge.yaml").open("r+b") as file:
        file.truncate(300 << 20)
    tree = WorkTree(root).tree()
    assert tree.refused == {"specs/huge.yaml": "it is larger than 1 MiB"}
    assert len(tree.files["specs/just-right.yaml"]) == paths.MAX_FILE


def test_a_lock_may_be_larger(root):
    write(root, "fleet.lock", b"#" * (3 << 20))
    assert len(WorkTree(root).tree().files["fleet.lock"]) == 3 << 20


def test_deep_folders_are_refused_at_their_top(root):
    write(root, "specs/" + "d/" * 100 + "web.yaml")
    ((path, reason),) = WorkTree(root).tree().refused.items()
    assert "deeper than 16" in reason
    assert path.count("/") < 20


def test_more_files_than_any_fleet_has_are_refused(root, monkeypatch):
    monkeypatch.setattr(paths, "MAX_FILES", 20)
    for number in range(30):
        write(root, f"specs/images/i{number}.yaml")
    with pytest.raises(SourceUnavailable, match="more than 20 files"):
        WorkTree(root).tree()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(root):
    (root / "fleet.yaml").chmod(0)
    assert "Permission denied" in WorkTree(root).tree().refused["fleet.yaml"]


def test_a_lock_elsewhere_is_read_when_asked_for(root):
    write(root, ".fleet/trial.lock", "lockVersion: 1\n")
    tree = WorkTree(root)
    assert tree.read(".fleet/trial.lock") == b"lockVersion: 1\n"
    assert tree.read(".fleet/other.lock") is None
    assert tree.read("nowhere/at/all.lock") is None


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "link/secret", "direct", "specs", ""])
def test_a_path_that_leads_out_of_the_tree_is_not_read(root, path):
    write(root.parent, "secret", "root:x\n")
    (root / "link").symlink_to("..")
    (root / "direct").symlink_to("../secret")
    with pytest.raises(SourceUnavailable):
        WorkTree(root).read(path)


def test_with_a_history_it_knows_its_revision(box):
    history = Repository(box.root)
    tree = WorkTree(box.root, history).tree()
    assert (tree.revision, tree.dirty) == (box.git("rev-parse", "HEAD"), False)
    box.write("README.md", "other words\n")
    assert not WorkTree(box.root, history).tree().dirty
    box.write("specs/images/base.yaml", "kind: Other\n")
    tree = WorkTree(box.root, history).tree()
    assert (tree.revision, tree.dirty) == (box.git("rev-parse", "HEAD"), True)
    assert WorkTree(box.root, history).tree("HEAD").files["specs/images/base.yaml"] == b"kind: Image\n"


def test_a_folder_without_a_repository_stays_unversioned(root):
    assert WorkTree(root, Repository(root)).tree().revision == UNVERSIONED


def test_the_work_tree_and_its_commit_are_the_same_source(box):
    history = Repository(box.root)
    assert WorkTree(box.root, history).tree() == history.tree("HEAD")


def test_digests_without_git_are_those_that_git_gives(box):
    tree = WorkTree(box.root).tree()
    assert tree.digests == {
        "images/base": box.git("rev-parse", "HEAD:images/base"),
        "images/base/bin": box.git("rev-parse", "HEAD:images/base/bin"),
    }


def test_a_sparse_checkout_leaves_out_but_does_not_delete(box):
    box.git("sparse-checkout", "set", "--no-cone", "/*", "!/specs/services/")
    tree = WorkTree(box.root, Repository(box.root)).tree()
    assert tree.refused == {"specs/services/platform/web.yaml": "a sparse checkout leaves it out"}
    assert not tree.dirty
