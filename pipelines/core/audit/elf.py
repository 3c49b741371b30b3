"""ELF: what the dynamic loader reads of a file (System V ABI, chapters 4 and 5), 32 and 64 bits, either byte order. Nothing it says is trusted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Literal, NamedTuple

from pipelines.model.audit import Elf

Reader = Callable[[int, int], bytes]
"""`read(offset, size)`: that many bytes, fewer at the end of the file."""

MAGIC = b"\x7fELF"
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH = 0, 1, 5, 10, 14, 15, 29
MAX_SEGMENTS = 1_024
MAX_DYNAMIC = 1 << 20
MAX_STRINGS = 64 << 20
MAX_NAME = 4_096
MAX_SCAN = 64 << 20
"""Files larger than this are not searched for names given to dlopen."""
_OPENED = re.compile(rb"(?<![\w.+-])lib[\w+-]{1,60}\.so(?:\.\d{1,4}){0,3}(?=\0)")


class Broken(Exception):
    """It starts like an ELF file and does not go on like one."""


class _Shape(NamedTuple):
    bits: int
    order: Literal["little", "big"]
    header: Struct
    """e_type, e_machine, e_phoff, e_phentsize, e_phnum, from byte 16."""
    segment: Struct
    dynamic: Struct


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def _shapes() -> dict[bytes, _Shape]:
    orders: tuple[tuple[bytes, str, Literal["little", "big"]], ...] = ((b"\x01", "<", "little"), (b"\x02", ">", "big"))
    found = {}
    for code, sign, order in orders:
        found[b"\x01" + code] = _Shape(32, order, Struct(f"{sign}HH8xI10xHH"), Struct(f"{sign}IIIIIIII"), Struct(f"{sign}iI"))
        found[b"\x02" + code] = _Shape(64, order, Struct(f"{sign}HH12xQ14xHH"), Struct(f"{sign}IIQQQQQQ"), Struct(f"{sign}qQ"))
    return found


_SHAPES = _shapes()


def read(at: Reader, size: int, *, scan: bool = False) -> Elf | None:
    """What a file links to; None for what is no executable or shared object. `scan` also looks for names given to dlopen. Raises Broken."""
    head = at(0, 64)
    if not head.startswith(MAGIC):
        return None
    shape = _SHAPES.get(head[4:6])
    if shape is None or len(head) < 16 + shape.header.size:
        raise Broken("its ELF header is cut or of an unknown class")
    kind, machine, table, width, count = shape.header.unpack_from(head, 16)
    if kind not in {ET_EXEC, ET_DYN}:
        return None
    segments = tuple(_segments(at, shape, table, width, count))
    bare = Elf((shape.bits, shape.order, machine), interpreter=_interpreter(at, segments))
    dynamic = next((one for one in segments if one.kind == PT_DYNAMIC), None)
    return bare if dynamic is None else _linked(at, size, shape, segments, dynamic, bare, scan=scan)


def _segments(at: Reader, shape: _Shape, table: int, width: int, count: int) -> Iterator[_Segment]:
    if count > MAX_SEGMENTS or (count and width < shape.segment.size):
        raise Broken(f"{count} program headers of {width} bytes")
    body = at(table, width * count)
    if len(body) < width * count:
        raise Broken("its program headers lie outside of the file")
    for start in range(0, len(body), width or 1):
        fields = shape.segment.unpack_from(body, start)
        # 64 bits: type, flags, offset, vaddr, paddr, filesz; 32 bits: type, offset, vaddr, paddr, filesz.
        yield _Segment(fields[0], *((fields[2], fields[3], fields[5]) if shape.bits == 64 else (fields[1], fields[2], fields[4])))


def _interpreter(at: Reader, segments: tuple[_Segment, ...]) -> str:
    for one in segments:
        if one.kind == PT_INTERP and one.size <= MAX_NAME:
            return at(one.offset, one.size).split(b"\0")[0].decode("utf-8", "replace")
    return ""


def _linked(at: Reader, size: int, shape: _Shape, segments: tuple[_Segment, ...], dynamic: _Segment, bare: Elf, *, scan: bool) -> Elf:
    if dynamic.size > MAX_DYNAMIC:
        raise Broken(f"its dynamic section claims {dynamic.size} bytes")
    body = at(dynamic.offset, dynamic.size)
    tags: dict[int, list[int]] = {}
    for start in range(0, len(body) - shape.dynamic.size + 1, shape.dynamic.size):
        tag, value = shape.dynamic.unpack_from(body, start)
        if tag == DT_NULL:
            break
        tags.setdefault(tag, []).append(value)
    if DT_STRTAB not in tags:
        return bare
    strings = _strings(at, segments, tags[DT_STRTAB][0], tags.get(DT_STRSZ, [0])[0])

    def named(tag: int) -> tuple[str, ...]:
        return tuple(_name(strings, offset) for offset in tags.get(tag, ()))

    def paths(tag: int) -> tuple[str, ...]:
        return tuple(part for text in named(tag) for part in text.split(":") if part)

    opens = _opens(at, size, strings) if scan else ()
    soname = next(iter(named(DT_SONAME)), "")
    return bare._replace(needed=named(DT_NEEDED), soname=soname, rpath=paths(DT_RPATH), runpath=paths(DT_RUNPATH), opens=opens)


def _strings(at: Reader, segments: tuple[_Segment, ...], address: int, size: int) -> bytes:
    """The dynamic string table, which the file names by the address that it would have in memory."""
    if size > MAX_STRINGS:
        raise Broken(f"its string table claims {size} bytes")
    for one in segments:
        if one.kind == PT_LOAD and one.address <= address < one.address + one.size:
            return at(one.offset + address - one.address, size)
    raise Broken("its string table lies in no segment")


def _name(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset, offset + MAX_NAME) if 0 <= offset < len(strings) else -1
    if end < 0:
        raise Broken(f"a name at {offset} of a string table of {len(strings)} bytes")
    return strings[offset:end].decode("utf-8", "replace")


def _opens(at: Reader, size: int, strings: bytes) -> tuple[str, ...]:
    """Names of libraries among the strings of a file that calls dlopen."""
    if b"\0dlopen\0" not in strings or size > MAX_SCAN:
        return ()
    return tuple(sorted({found.decode() for found in _OPENED.findall(at(0, size))}))
