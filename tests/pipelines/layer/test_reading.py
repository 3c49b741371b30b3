"""Tars as they come: every format, damaged in every way, compressed or not."""

import gzip
import io
import itertools
import random
import subprocess
import tarfile
import zlib
from collections.abc import Iterable
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from pipelines.core.layer.compress import Gzip, Plain
from pipelines.core.layer.entries import LayerRefused
from pipelines.core.layer.index import index
from pipelines.core.layer.stored import dumped, loaded
from tests.pipelines.layer.tars import Leaf, entries, folder, hard, link, packed, tar

LONG = "long/" * 40 + "name"
SAMPLE = {
    "d": folder(),
    "f": Leaf(content=b"x" * 1000, uid=5, gid=6),
    LONG: Leaf(content=b"y"),
    "l": link(LONG),
    "h": hard("f"),
    "big": Leaf(uid=3_000_000, gid=5_000_000),
}


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_gnus_and_posix_tars_say_the_same(style: int):
    assert entries(tar(SAMPLE, style)) == entries(tar(SAMPLE))
    assert entries(tar(SAMPLE))["big"].uid == 3_000_000


class Dripping(io.BytesIO):
    """Gives fewer bytes than were asked for, as pipes and sockets do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 7))


def test_a_stream_may_give_less_than_was_asked_for():
    assert index(Dripping(tar(SAMPLE))) == index(io.BytesIO(tar(SAMPLE)))


@given(st.integers(0, 6000), st.binary(min_size=1, max_size=3))
def test_a_damaged_tar_is_refused_or_read_and_nothing_else(at: int, bytes_: bytes):
    body = bytearray(tar(SAMPLE))
    body[at : at + len(bytes_)] = bytes_
    with suppress(LayerRefused):
        index(io.BytesIO(bytes(body)))


@given(st.integers(1, 6000))
def test_a_tar_that_ends_inside_of_an_entry_is_refused(size: int):
    whole = tar(SAMPLE)
    if size % 512:
        with pytest.raises(LayerRefused):
            index(io.BytesIO(whole[:size]))


def test_a_damaged_header_in_the_middle_is_refused_and_not_taken_for_the_end():
    body = bytearray(tar({"a": Leaf(), "b": Leaf(), "c": Leaf()}, tarfile.USTAR_FORMAT))
    body[512 + 5] ^= 1
    with pytest.raises(LayerRefused, match="damaged header"):
        index(io.BytesIO(bytes(body)))


def test_a_huge_extended_header_is_refused_before_it_is_read():
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    with pytest.raises(LayerRefused, match="1 MiB"):
        index(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT)))


def test_a_sparse_file_is_refused():
    info = tarfile.TarInfo("x")
    info.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(LayerRefused, match="sparse"):
        index(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))


def pressed(body: bytes, sizes: Iterable[int] = itertools.repeat(1000)) -> bytes:
    """Compressed by writes of these sizes."""
    out, source = io.BytesIO(), io.BytesIO(body)
    compressor = Gzip(out)
    for size in sizes:
        if not (chunk := source.read(size)):
            break
        compressor.write(chunk)
    compressor.close()
    return out.getvalue()


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (3 << 20) + 17])
@pytest.mark.parametrize(
    "compressed",
    [
        bytes,
        gzip.compress,
        pressed,
        lambda body: gzip.compress(body[:99]) + gzip.compress(body[99:]),
        zstandard.ZstdCompressor().compress,
        lambda body: zstandard.ZstdCompressor().compress(body[:99]) + zstandard.ZstdCompressor().compress(body[99:]),
    ],
)
def test_layers_are_read_however_they_are_compressed(compressed: object, size: int):
    body = tar({"f": Leaf(content=(b"some text %d " * (size // 13 + 1))[:size])})
    assert entries(body) == index(Plain(io.BytesIO(compressed(body)))).entries


@pytest.mark.parametrize("compressed", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_compressed_layer_that_is_cut_or_damaged_is_refused(compressed: object):
    body = compressed(tar({"f": Leaf(content=bytes(range(256)) * 400)}))
    for broken in (body[: len(body) // 2], body[:-3], body[:40] + b"garbage" + body[47:]):
        with pytest.raises(LayerRefused):
            index(Plain(io.BytesIO(broken)))


def test_the_compressor_writes_the_pinned_bytes():
    body = tar(SAMPLE)
    assert gzip.decompress(pressed(body)) == body
    assert pressed(b"") == bytes.fromhex("1f8b08000000000000ff0300000000000000 0000".replace(" ", ""))
    raw = isal_zlib.compressobj(2, zlib.DEFLATED, -15)
    assert pressed(body)[10:-8] == raw.compress(body) + raw.flush()


@given(st.integers(0, 1 << 32), st.lists(st.integers(1, 3 << 20), min_size=1))
@settings(max_examples=30, deadline=None)
def test_the_compressor_writes_the_same_whatever_it_is_given_at_a_time(seed: int, sizes: list[int]):
    body = random.Random(seed).randbytes(5000) * 500
    assert pressed(body, itertools.cycle(sizes)) == pressed(body)
    assert gzip.decompress(pressed(body)) == body


def test_an_index_survives_being_stored():
    body = tar(
        {**SAMPLE, "\udcff\n": Leaf(xattrs=(("user.x", "\udcfe"),)), "a/.wh.b": Leaf(), "a/.wh..wh..opq": Leaf(), "lost": hard("elsewhere")}
    )
    found = index(io.BytesIO(body))
    again = loaded(dumped(found))
    assert again is not None
    assert again == found._replace(places={})


@pytest.mark.parametrize("damaged", [b"", b"no index", zlib.compress(b"[]"), zlib.compress(b'["layer index 0",0,[],[],{}]'), None])
def test_what_is_no_index_of_today_is_none(damaged: bytes | None):
    assert loaded(damaged if damaged is not None else dumped(index(io.BytesIO(tar(SAMPLE))))[:-9]) is None


def test_gnu_tar_reads_what_is_written():
    [body] = packed(tar(SAMPLE))
    done = subprocess.run(["tar", "--list", "--verbose", "--numeric-owner"], input=body, capture_output=True, check=True, env={"TZ": "UTC"})
    assert b"3000000/5000000" in done.stdout
    assert done.stderr == b""
