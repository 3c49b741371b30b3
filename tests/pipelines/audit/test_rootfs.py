"""Layouts are read layer by layer; what honest builders never write is refused with a sentence."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import zstandard

from pipelines.adapters.rootfs import LayoutRoots, reading, streams
from pipelines.core.audit.evidence import Evidence
from pipelines.core.audit.look import Look
from pipelines.ports import Unreadable
from tests.pipelines.audit.roots import blob, elf, layout, tar

EVERYTHING = Look(frozenset({""}), frozenset({""}))


async def texts(folder: Path, *paths: str) -> list[bytes | None]:
    async with LayoutRoots().read(folder, EVERYTHING) as evidence:
        return [text(evidence, path) for path in paths]


def text(evidence: Evidence, path: str) -> bytes | None:
    real = evidence.tree.resolve(path)
    return evidence.read(real) if real is not None else None


async def test_upper_layers_hide_lower_ones(tmp_path: Path) -> None:
    lower = tar({"a/one.py": "1", "a/two.py": "2", "b/x.py": "x", "c": {"folder": True}, "c/deep/y.py": "y", "d.py": "d"})
    upper = tar({"./a/one.py": "changed", "a/.wh.two.py": "", "b/.wh..wh..opq": "", "b/new.py": "n", "c": "now a file", ".wh.d.py": ""})
    folder = layout(tmp_path, lower, upper)
    assert await texts(folder, "a/one.py", "a/two.py", "b/x.py", "b/new.py", "c/deep/y.py", "d.py") == [
        b"changed", None, None, b"n", None, None
    ]  # fmt: skip


async def test_a_whiteout_hides_nothing_of_its_own_layer(tmp_path: Path) -> None:
    folder = layout(tmp_path, tar({"a/one.py": "old"}), tar({"a/one.py": "new", "a/.wh.one.py": "", "a/.wh..wh..opq": ""}))
    assert await texts(folder, "a/one.py") == [b"new"]


async def test_links_are_followed_inside_the_root(tmp_path: Path) -> None:
    lower = tar({"usr/lib": {"folder": True}, "lib": {"link": "usr/lib"}, "up.py": {"link": "../../../usr/lib/x.py"}})
    upper = tar({"lib/x.py": "through the link", "abs.py": {"link": "/lib/x.py"}, "same.py": {"same": "lib/x.py"}})
    assert await texts(layout(tmp_path, lower, upper), "usr/lib/x.py", "abs.py", "up.py", "same.py") == [b"through the link"] * 4


async def test_a_folder_gives_way_to_a_link_and_what_comes_after_goes_through_it(tmp_path: Path) -> None:
    lower = tar({"lib/old.py": "old", "usr/lib/kept.py": "kept"})
    upper = tar({"lib": {"link": "usr/lib"}, "lib/new.py": "new"})
    assert await texts(layout(tmp_path, lower, upper), "lib/old.py", "lib/kept.py", "usr/lib/new.py") == [None, b"kept", b"new"]


async def test_a_layer_compressed_with_zstd_is_read_and_one_that_is_damaged_told(tmp_path: Path) -> None:
    squeezed = zstandard.ZstdCompressor().compress(tar({"a/one.py": "1" * 5000}))
    assert await texts(layout(tmp_path, squeezed), "a/one.py") == [b"1" * 5000]
    noise = bytes(range(256)) * 8000
    long = zstandard.ZstdCompressor().compress(tar({"a.bin": noise, "b.py": noise[::-1] + bytes(1 << 20)}))
    for damaged in (squeezed[:12] + bytes(40), long[: len(long) // 2] + b"damage" * 9 + long[len(long) // 2 :]):
        with pytest.raises(Unreadable, match=r"layer 1 .* cannot be read"):
            await texts(layout(tmp_path, damaged))


async def test_a_loop_of_links_leads_nowhere(tmp_path: Path) -> None:
    folder = layout(tmp_path, tar({"a": {"link": "b"}, "b": {"link": "/a"}, "self": {"link": "self/x"}, "ok.py": "1"}))
    assert await texts(folder, "a", "self", "ok.py") == [None, None, b"1"]


async def test_hard_links_share_facts(tmp_path: Path) -> None:
    folder = layout(tmp_path, tar({"lib/liba.so.1": elf(["libc.so.6"]), "lib/copy.so": {"same": "lib/liba.so.1"}, "pipe": {"pipe": True}}))
    async with LayoutRoots().read(folder, EVERYTHING) as evidence:
        contents = {evidence.tree.entries[path].content for path in ("lib/liba.so.1", "lib/copy.so")}
        assert len(contents) == 1
        assert evidence.elves[contents.pop()].needed == ("libc.so.6",)


@pytest.mark.parametrize("name", ["../etc/passwd", "a/../../b", "/../x"])
async def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unreadable, match=r"layer 1 .* is refused: .* leads out of the root"):
        await texts(layout(tmp_path, tar({name: "x"})))


@pytest.mark.parametrize("entries", [{"a/" * 3000 + "b": "x"}, {"link": {"link": "a/" * 3000}}], ids=["a name", "a target"])
async def test_a_path_longer_than_any_is_refused(tmp_path: Path, entries: dict[str, object]) -> None:
    with pytest.raises(Unreadable, match="longer than any path"):
        await texts(layout(tmp_path, tar(entries)))


async def test_a_folder_that_is_a_loop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="a loop of links"):
        await texts(layout(tmp_path, tar({"a": {"link": "a"}}), tar({"a/x": "1"})))


async def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_UNPACKED", 1 << 20)
    with pytest.raises(Unreadable, match=r"layer 2 .* unpack to more than"):
        await texts(layout(tmp_path, tar({}), tar({"zeros": bytes(8 << 20)})))


async def test_an_extended_header_of_gigabytes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    with pytest.raises(Unreadable, match="extended header claims 4294967296 bytes"):
        await texts(layout(tmp_path, info.tobuf(tarfile.USTAR_FORMAT) + bytes(10240)))


async def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ENTRIES", 10)
    with pytest.raises(Unreadable, match="more than 10 entries"):
        await texts(layout(tmp_path, tar({f"f{number}": "" for number in range(11)})))


async def test_a_layer_that_is_cut_is_told(tmp_path: Path) -> None:
    whole = tar({"big.py": "x" * 100_000})
    with pytest.raises(Unreadable, match=r"layer 1 .* cannot be read"):
        await texts(layout(tmp_path, whole[:50_000]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"manifests": []}, "has no image in its index"),
        ({"manifests": [{"digest": "sha256:../../../etc/passwd"}]}, "which is no digest"),
        ({"manifests": [{"digest": "sha256:" + "0" * 64}]}, "cannot be read"),
        ([], "is no JSON object"),
    ],
)
async def test_a_layout_that_is_none_is_told(tmp_path: Path, change: object, sentence: str) -> None:
    folder = layout(tmp_path, tar({"a": ""}))
    (folder / "index.json").write_text(json.dumps(change))
    with pytest.raises(Unreadable, match=sentence):
        await texts(folder)


async def test_the_image_of_the_platform_is_taken_from_an_index_of_many(tmp_path: Path) -> None:
    indexes = []
    for name in ("amd64", "arm64"):
        layout(tmp_path, tar({"which.py": name}))
        (manifest,) = json.loads((tmp_path / "index.json").read_text())["manifests"]
        indexes.append({**manifest, "platform": {"os": "linux", "architecture": name}})
    inner = blob(tmp_path, json.dumps({"manifests": indexes}).encode())
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [inner]}))
    async with LayoutRoots().read(tmp_path, EVERYTHING, "linux/arm64") as evidence:
        assert text(evidence, "which.py") == b"arm64"
    with pytest.raises(Unreadable, match="no image for linux/s390x"):
        async with LayoutRoots().read(tmp_path, EVERYTHING, "linux/s390x"):
            pass


async def test_only_what_is_asked_for_is_read_off_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(streams, "CHUNK", 4096)
    monkeypatch.setattr(streams.tempfile, "SpooledTemporaryFile", lambda *_, **__: Spy(written))
    await texts(layout(tmp_path, tar({"data.bin": bytes(1 << 20), "x.py": "print()"})))
    assert sum(written) <= 4096 + 7


class Spy(io.BytesIO):
    """Counts what is written."""

    def __init__(self, written: list[int]) -> None:
        super().__init__()
        self.written = written

    def write(self, data: object) -> int:
        count = super().write(data)  # type: ignore[arg-type]
        self.written.append(count)
        return count
