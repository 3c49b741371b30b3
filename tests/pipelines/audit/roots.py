"""Small ELF files and small images, made by hand."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.core.audit.elf import Reader

X86 = (64, "little", 62)


def elf(
    needed: Sequence[str] = (),
    *,
    rpath: str = "",
    runpath: str = "",
    soname: str = "",
    interpreter: str = "",
    machine: tuple[int, str, int] = X86,
    text: bytes = b"",
    calls: Sequence[str] = (),
) -> bytes:
    """A shared object with a header, its segments, a dynamic section, a string table and whatever bytes besides."""
    bits, order, number = machine
    sign = "<" if order == "little" else ">"
    word, wide = ("Q", 8) if bits == 64 else ("I", 4)
    strings = bytearray(b"\0")

    def offset(name: str) -> int:
        start = len(strings)
        strings.extend(name.encode() + b"\0")
        return start

    tags = [(1, offset(name)) for name in needed]
    tags += [(tag, offset(value)) for tag, value in ((14, soname), (15, rpath), (29, runpath)) if value]
    for name in calls:
        offset(name)
    header, width = (64, 56) if bits == 64 else (52, 32)
    count = 3 if interpreter else 2
    at_strings = header + width * count
    at_interpreter = at_strings + len(strings)
    at_dynamic = at_interpreter + len(interpreter) + 1
    base = 0x400000  # addresses in memory are not places in the file
    tags += [(5, base + at_strings), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack(f"{sign}{word}{word}", *pair) for pair in tags)
    size = at_dynamic + len(dynamic) + len(text)

    def segment(kind: int, start: int, length: int) -> bytes:
        if bits == 64:
            return struct.pack(f"{sign}IIQQQQQQ", kind, 5, start, base + start, base + start, length, length, 8)
        return struct.pack(f"{sign}IIIIIIII", kind, start, base + start, base + start, length, length, 5, 4)

    start = struct.pack("4sBBBB8x", b"\x7fELF", bits // 32, 1 if order == "little" else 2, 1, 0)
    start += struct.pack(f"{sign}HHI{word}{word}{word}IHHHHHH", 3, number, 1, 0, header, 0, 0, header, width, count, wide * 8, 0, 0)
    segments = segment(1, 0, size) + segment(2, at_dynamic, len(dynamic))
    if interpreter:
        segments += segment(3, at_interpreter, len(interpreter) + 1)
    return start + segments + bytes(strings) + interpreter.encode() + b"\0" + dynamic + text


def reader(body: bytes) -> Reader:
    return lambda offset, size: body[max(offset, 0) : max(offset, 0) + max(size, 0)]


def tar(entries: Mapping[str, Any]) -> bytes:
    """A layer: text or bytes are files, `{elf: …}` an ELF file, `{link: …}`, `{same: …}` a hard link, `{folder: true}`, `{pipe: true}`."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as out:
        for name, value in entries.items():
            info = tarfile.TarInfo(name)
            match value:
                case str() | bytes():
                    body = value.encode() if isinstance(value, str) else value
                case {"elf": facts}:
                    body = elf(**{**facts, "text": facts.get("text", "").encode()})
                case {"link": target}:
                    info.type, info.linkname, body = tarfile.SYMTYPE, target, b""
                case {"same": target}:
                    info.type, info.linkname, body = tarfile.LNKTYPE, target, b""
                case {"folder": True}:
                    info.type, body = tarfile.DIRTYPE, b""
                case {"pipe": True}:
                    info.type, body = tarfile.FIFOTYPE, b""
                case _:
                    raise AssertionError(value)
            info.size = len(body)
            out.addfile(info, io.BytesIO(body))
    return file.getvalue()


def blob(layout: Path, body: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(body).hexdigest()
    folder = layout / "blobs" / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest).write_bytes(body)
    return {"digest": f"sha256:{digest}", "size": len(body)}


def layout(folder: Path, *layers: bytes, environment: Sequence[str] = (), compress: bool = True) -> Path:
    """An OCI image layout folder of layer tars; every second one is compressed, or none."""
    blobs = [blob(folder, gzip.compress(body, 1) if compress and number % 2 else body) for number, body in enumerate(layers)]
    config = blob(folder, json.dumps({"config": {"Env": list(environment)}}).encode())
    manifest = blob(folder, json.dumps({"schemaVersion": 2, "config": config, "layers": blobs}).encode())
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    return folder
