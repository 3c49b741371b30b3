"""Build contexts as folders: exactly the given files, whole or not at all."""

import os
from pathlib import Path, PurePath

import pytest

from pipelines.adapters.desk import ContextRefused, materialise
from pipelines.model.context import ContextFile, ContextItem, ContextLink
from pipelines.ports import BuildFailed

FILE = ContextFile(b"x")


def test_a_context_has_exactly_the_files_with_fixed_modes_and_times_whatever_the_umask(tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(b"from a file")
    source.chmod(0o600)
    items: dict[str, ContextItem] = {
        "run.sh": ContextFile(b"#!/bin/sh\n", executable=True),
        "pkg/data": ContextFile(PurePath(source)),
        "pkg/sub/up": ContextLink("../data"),
    }
    before = os.umask(0o077)
    try:
        materialise(items, tmp_path / "context", when=1_700_000_000)
    finally:
        os.umask(before)
    root = tmp_path / "context"
    found = {path.relative_to(root).as_posix(): path.lstat() for path in root.rglob("*")}
    assert found.keys() == {"run.sh", "pkg", "pkg/data", "pkg/sub", "pkg/sub/up"}
    assert {name: stat.st_mode & 0o777 for name, stat in found.items() if name != "pkg/sub/up"} == {
        "run.sh": 0o755,
        "pkg": 0o755,
        "pkg/data": 0o644,
        "pkg/sub": 0o755,
    }
    assert {stat.st_mtime for stat in found.values()} == {1_700_000_000}
    assert (root / "pkg/sub/up").read_bytes() == b"from a file"


def test_times_are_ones_that_a_wheel_can_have(tmp_path: Path):
    materialise({"a": FILE}, tmp_path / "c", when=0)
    assert (tmp_path / "c/a").stat().st_mtime == 315_532_800


def test_what_was_there_before_is_replaced_as_a_whole(tmp_path: Path):
    materialise({"old": FILE, "d/x": FILE}, tmp_path / "c")
    materialise({"d": FILE}, tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["d"]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../b", "./a", "a//b", "a/", "a\0b", "a\nb", "\x1b[2J", "a" * 256, "b/" * 2100 + "c"]
)
def test_hostile_names_are_refused_and_nothing_is_written(tmp_path: Path, name: str):
    with pytest.raises(ContextRefused, match="cannot be in a build context"):
        materialise({"fine": FILE, name: FILE}, tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "items",
    [
        {"l": ContextLink("/etc/passwd")},
        {"l": ContextLink("../x")},
        {"l": ContextLink("")},
        {"a/l": ContextLink("../../x")},
        {"a/l": ContextLink("b/../../../x")},
        {"d/up": ContextLink(".."), "l": ContextLink("d/up/../x")},
        {"a": ContextLink("b"), "b": ContextLink("a")},
        {"l": ContextLink("a"), "l/x": FILE},
        {"f": FILE, "f/x": FILE},
    ],
)
def test_links_that_lead_outside_and_names_below_files_are_refused(tmp_path: Path, items: dict[str, ContextItem]):
    with pytest.raises(ContextRefused):
        materialise(items, tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_leaves_what_was_there(tmp_path: Path):
    materialise({"a": FILE}, tmp_path / "c")
    with pytest.raises(BuildFailed, match="cannot be written"):
        materialise({"b": ContextFile(PurePath(tmp_path / "gone"))}, tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["a"]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
