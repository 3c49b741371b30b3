"""The ELF reader, on files made by hand, on this machine's own, and on broken ones."""

import shutil
import struct
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.audit.elf import Broken, read
from tests.pipelines.audit.roots import elf, reader

MACHINES = [(64, "little", 62), (64, "little", 183), (32, "little", 40), (32, "big", 20), (64, "big", 22)]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: f"{one[0]} bits {one[1]}")
def test_every_class_and_byte_order_is_read(machine: tuple[int, str, int]) -> None:
    body = elf(
        ["libc.so.6", "libm.so.6"], rpath="/a:$ORIGIN/../b", runpath="/c", soname="libx.so.1", interpreter="/lib/ld.so", machine=machine
    )
    found = read(reader(body), len(body))
    assert found is not None
    assert found.machine == machine
    assert found.needed == ("libc.so.6", "libm.so.6")
    assert (found.rpath, found.runpath, found.soname, found.interpreter) == (("/a", "$ORIGIN/../b"), ("/c",), "libx.so.1", "/lib/ld.so")


def test_this_interpreter_says_what_it_links_to() -> None:
    path = Path(shutil.which("true") or sys.executable).resolve()
    body = path.read_bytes()
    found = read(reader(body), len(body))
    assert found is not None
    assert "libc.so.6" in found.needed
    assert found.interpreter.startswith("/lib")


@pytest.mark.parametrize("body", [b"", b"\x7f", b"#!/bin/sh\n", b"\x7fELG" + bytes(100)], ids=["empty", "cut", "script", "other"])
def test_what_is_no_elf_file_is_nothing(body: bytes) -> None:
    assert read(reader(body), len(body)) is None


def test_an_object_file_is_nothing() -> None:
    body = bytearray(elf(["libc.so.6"]))
    struct.pack_into("<H", body, 16, 1)
    assert read(reader(bytes(body)), len(body)) is None


def test_a_static_file_needs_nothing() -> None:
    body = bytearray(elf())
    struct.pack_into("<H", body, 56, 1)  # one segment: the dynamic one is gone
    found = read(reader(bytes(body)), len(body))
    assert found is not None
    assert found.needed == ()


BROKEN = {
    "a header that is cut": (elf()[:40], None),
    "an unknown class": (elf(), ("B", 4, 7)),
    "more segments than there are": (elf(), ("<H", 56, 900)),
    "more segments than anybody has": (elf(), ("<H", 56, 60_000)),
    "segments of no width": (elf(), ("<H", 54, 0)),
    "segments beyond the end": (elf(), ("<Q", 32, 1 << 62)),
    "a dynamic section of gigabytes": (elf(), ("<Q", 64 + 56 + 32, 1 << 40)),
    "a string table in no segment": (elf(), ("<Q", 64 + 16, 1 << 50)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told(name: str) -> None:
    body, change = BROKEN[name]
    changed = bytearray(body)
    if change is not None:
        struct.pack_into(change[0], changed, *change[1:])
    with pytest.raises(Broken):
        read(reader(bytes(changed)), len(changed))


@given(st.binary(max_size=40), st.integers(0, 400), st.sampled_from(MACHINES))
def test_no_bytes_make_the_reader_fail_in_another_way(noise: bytes, place: int, machine: tuple[int, str, int]) -> None:
    body = bytearray(elf(["libc.so.6"], runpath="$ORIGIN", machine=machine))
    body[min(place, len(body)) : place + len(noise)] = noise
    asked = 0

    def at(offset: int, size: int) -> bytes:
        nonlocal asked
        asked += 1
        return reader(bytes(body))(offset, size)

    with suppress(Broken):
        read(at, len(body), scan=True)
    assert asked < 10


def test_names_given_to_dlopen_are_found_where_it_is_called() -> None:
    text = b"\0libpulse.so.0\0see libnot.so.1 in the manual\0libasound.so\0"
    with_call, without = elf(text=text, calls=["dlopen"]), elf(text=text)
    found = read(reader(with_call), len(with_call), scan=True)
    assert found is not None
    assert found.opens == ("libasound.so", "libpulse.so.0")
    silent = read(reader(without), len(without), scan=True)
    assert silent is not None
    assert silent.opens == ()
