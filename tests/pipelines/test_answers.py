"""Answers that are remembered: only ours, only whole, only so many; and only for the code that gave them."""

from __future__ import annotations

import os
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.adapters import answers
from pipelines.adapters.answers import Answers
from pipelines.adapters.code import code
from pipelines.core.as_locked import Answer, Reads, decode, encode, question, whole
from pipelines.model.as_locked import AsLocked, Locked
from reconciler.core.trees import EXECUTABLE, FILE
from reconciler.model.documents import SourceTree
from reconciler.model.lock import Build
from reconciler.ports import Packed

DAY = date(2026, 11, 20)
BUILD = Build(f"sha256:{'a' * 64}", "20261120-1111111", "sha256:key", DAY)
ANSWER = Answer(
    Reads(("images/web", "images/runtime"), "fleet.lock"),
    "0" * 64,
    AsLocked("production", "ghcr.io/acme", (Locked("web", "docker.io/library/python:3.11", BUILD), Locked("api", "web", BUILD))),
)
TREE = SourceTree("5f140c9", False, {"fleet.yaml": b"a", "specs/x.yaml": b"b"}, {"images/web": "c"}, {"specs/y.yaml": "it is a symlink"})


def test_what_is_kept_is_got_by_a_folder_that_others_cannot_enter(tmp_path: Path) -> None:
    kept = Answers(tmp_path / "a" / "b")
    assert kept.get("question") == b""
    kept.put("question", b"one")
    kept.put("question", b"two")
    assert (kept.get("question"), kept.get("other")) == (b"two", b"")
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == ["question"]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b" / "question").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_not_believed(tmp_path: Path, mode: int) -> None:
    kept = Answers(tmp_path / "a")
    kept.put("question", b"one")
    (tmp_path / "a").chmod(mode)
    assert kept.get("question") == b""
    kept.put("more", b"two")
    assert not (tmp_path / "a" / "more").exists()


def test_a_file_that_others_may_write_to_is_not_believed(tmp_path: Path) -> None:
    kept = Answers(tmp_path)
    tmp_path.chmod(0o700)
    kept.put("question", b"one")
    (tmp_path / "question").chmod(0o622)
    assert kept.get("question") == b""


def test_what_belongs_to_somebody_else_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Answers(tmp_path / "a")
    kept.put("question", b"one")
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert kept.get("question") == b""


def test_links_pipes_folders_and_what_is_too_large_are_not_read(tmp_path: Path) -> None:
    kept = Answers(tmp_path / "a")
    kept.put("question", b"one")
    (tmp_path / "a" / "link").symlink_to("question")
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "folder").mkdir()
    with (tmp_path / "a" / "large").open("wb") as file:
        file.truncate(answers.LARGEST + 1)
    (tmp_path / "b").symlink_to("a")
    assert [kept.get(name) for name in ("link", "pipe", "folder", "large")] == [b""] * 4
    assert Answers(tmp_path / "b").get("question") == b""
    kept.put("x", b"x" * (answers.LARGEST + 1))
    assert kept.get("x") == b""


def test_where_nothing_can_be_kept_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Answers(tmp_path / "file" / "a")
    kept.put("question", b"one")
    assert kept.get("question") == b""


def test_the_oldest_of_too_many_go(tmp_path: Path) -> None:
    kept = Answers(tmp_path / "a")
    for number in range(answers.MOST + 1):
        kept.put(f"{number}", b"x")
        os.utime(tmp_path / "a" / f"{number}", (number, number))
    kept.put("last", b"x")
    left = {file.name for file in (tmp_path / "a").iterdir()}
    assert len(left) <= answers.MOST
    assert {"last", f"{answers.MOST}"} <= left
    assert "0" not in left


def keep(folder: Path, number: int) -> None:
    kept = Answers(folder)
    for _ in range(200):
        kept.put("question", b"%d" % number * 1000)


def test_of_two_at_once_one_answer_stands_whole(tmp_path: Path) -> None:
    context = get_context("fork" if os.name == "posix" else None)
    writers = [context.Process(target=keep, args=(tmp_path / "a", number)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(Answers(tmp_path / "a").get("question"))
    for writer in writers:
        writer.join()
    assert seen <= {b"", b"1" * 1000, b"2" * 1000}
    assert Answers(tmp_path / "a").get("question") in (b"1" * 1000, b"2" * 1000)
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_an_answer_comes_back_as_it_was() -> None:
    assert decode(encode(ANSWER)) == ANSWER


@given(st.data())
def test_a_damaged_answer_is_none(data: st.DataObject) -> None:
    text = encode(ANSWER)
    at = data.draw(st.integers(0, len(text) - 1))
    assert decode(text[:at]) is None
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
    assert decode(text[:at] + bytes([other]) + text[at + 1 :]) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("production", "\\u001b[2J"), ("sha256:aaaa", "sha512:aaaa"), ("2026-11-20", "today"), ("20261120-1111111", "a b"), ('"web", ', '7, '),
        ('"images"', '"pictures"'), ('["images/web"', '[["images/web"]'), ("fleet.lock", ""),
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_none(old: str, new: str) -> None:
    import hashlib

    body = encode(ANSWER).partition(b"\n")[2].decode()
    assert old in body
    body = body.replace(old, new)
    assert decode(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}".encode()) is None
    deep = "[" * 100_000
    assert decode(f"{hashlib.sha256(deep.encode()).hexdigest()}\n{deep}".encode()) is None


def changed(**over: object) -> SourceTree:
    names = ("revision", "dirty", "files", "digests", "refused", "edited")
    return SourceTree(**{**{name: getattr(TREE, name) for name in names}, **over})  # type: ignore[arg-type]


def test_no_two_different_things_are_one_question() -> None:
    asked = [
        question(("plan", "a"), TREE, DAY),
        question(("plan", "a", ""), TREE, DAY),
        question(("plana",), TREE, DAY),
        question(("plan", "a"), TREE, date(2026, 11, 21)),
        *(
            question(("plan", "a"), tree, DAY)
            for tree in (
                changed(revision="5f140c8"),
                changed(dirty=True),
                changed(edited=1),
                changed(files={"fleet.yaml": b"a", "specs/x.yaml": b"c"}),
                changed(files={"fleet.yaml": b"a"}),
                changed(files={"fleet.yaml": b"aspecs/x.yaml", "": b"b"}),
                changed(digests={}),
                changed(refused={}),
                changed(digests={**TREE.digests, **TREE.refused}, refused={}),
                changed(refused={"specs/y.yaml": "it is a submodule"}),
                changed(refused={"specs/\udcff.yaml": "its name is not UTF-8"}),
            )
        ),
    ]
    assert len({*asked}) == len(asked)
    file = {"images/a": Packed(FILE, b"x")}
    read = [
        whole("q", file, None),
        whole("r", file, None),
        whole("q", file, b""),
        whole("q", file, b"x"),
        whole("q", {}, None),
        whole("q", {"images/a": Packed(EXECUTABLE, b"x")}, None),
        whole("q", {"images/b": Packed(FILE, b"x")}, None),
        whole("q", {"images/a": Packed(FILE, b"y")}, None),
        whole("q", {"images/\udcff": Packed(FILE, b"x")}, None),
    ]
    assert len({*read}) == len(read)


def test_code_is_known_as_python_knows_it(tmp_path: Path) -> None:
    for package in ("reconciler", "pipelines"):
        (tmp_path / package / "core" / "__pycache__").mkdir(parents=True)
        (tmp_path / package / "core" / "one.py").write_text("a = 1\n")
    before = code(tmp_path)
    (tmp_path / "pipelines" / "core" / "__pycache__" / "one.pyc").write_text("")
    assert code(tmp_path) == before
    file = tmp_path / "reconciler" / "core" / "one.py"
    os.utime(file, ns=(0, 0))
    assert code(tmp_path) != before
    assert code() != before
    assert code() == code()
