"""What builds start from in tests: a tiny root of static busybox, in Debian's docker-registry on loopback."""

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipelines.model.oci import Pinned, Repository
from tests.engines.cache import EngineMissing
from tests.engines.daemons import die_with_parent

TOOLS = ("setfattr", "getfattr", "setcap")
HEARD = "sleep 0.2"
"""What a step does after its last word, where a test asks for that word: `buildah --isolation chroot` ends with what it runs, and on a busy machine
may not have passed on all by then (chroot/run_common.go, as of 1.44: nobody waits for the relays)."""
FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "var")


class Base(NamedTuple):
    """The registry, and the image in it."""

    registry: str
    pinned: Pinned
    layout: Path
    """The same image as an OCI layout folder."""
    tools: frozenset[str]
    """Programs of the machine that it carries beside busybox."""
    layers: tuple[str, ...]
    """Its layers by diff_id."""


def program(name: str, package: str) -> str:
    """Where a program of a Debian package is."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise EngineMissing(f"there is no {name}: apt-get install {package}")
    return found


USER, PASSWORD = "robot", "hunter2"
_HTPASSWD = f"{USER}:$2b$04$5MZJPFzQxcE60taTbGB5cOHRoWQCGWJxvQPfEEuJNH2zl7ump1cpq\n"
"""The same, as htpasswd has it (bcrypt)."""


@contextmanager
def registry(folder: Path, *, private: bool = False) -> Iterator[str]:
    """Debian's docker-registry on a free port of loopback; its host. A private one knows USER alone."""
    serve = program("docker-registry", "docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "registry.yml"
    (folder / "htpasswd").write_text(_HTPASSWD)
    config.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error"},
                "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
                "http": {"addr": host},
                "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}} if private else {},
            }
        )
    )
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([serve, "serve", str(config)], stdout=log, stderr=log, preexec_fn=die_with_parent)
    try:
        for _ in range(200):
            with socket.socket() as client:
                if client.connect_ex((host.partition(":")[0], int(host.partition(":")[2]))) == 0:
                    break
            time.sleep(0.05)
        yield host
    finally:
        process.terminate()
        process.wait()


def _add(tar: tarfile.TarFile, name: str, content: bytes = b"", **facts: object) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode, entry.size = 1_600_000_000, 0o644, len(content)
    for fact, value in facts.items():
        setattr(entry, fact, value)
    tar.addfile(entry, io.BytesIO(content))


def root(mark: str) -> tuple[bytes, frozenset[str]]:
    """The layer: busybox and its names, programs for extended attributes where the machine has them, some files to change."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in FOLDERS:
            _add(tar, folder, type=tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
        busybox = program("busybox", "busybox-static")
        _add(tar, "bin/busybox", Path(busybox).read_bytes(), mode=0o755)
        for name in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name not in {"busybox", *TOOLS}:
                _add(tar, f"bin/{name}", type=tarfile.SYMTYPE, linkname="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0::/root:/bin/sh\nsome:x:1000:1000::/home:/bin/sh\n")
        _add(tar, "etc/group", b"root:x:0:\nsome:x:1000:\n")
        for name in ("keep", "change", "remove", "mode", "owner", "touch"):
            _add(tar, f"etc/{name}", name.encode() + b"\n")
        _add(tar, "etc/mark", mark.encode())
        for name in ("old", "older"):
            _add(tar, f"usr/replaced/{name}", b"old\n")
            _add(tar, f"usr/dropped/{name}", b"old\n")
            _add(tar, f"usr/to-file/{name}", b"old\n")
            _add(tar, f"usr/to-link/{name}", b"old\n")
        _add(tar, "usr/to-folder", b"old\n")
        _add(tar, "usr/from-link", type=tarfile.SYMTYPE, linkname="replaced")
        tools = _carry(tar)
    return out.getvalue(), tools


def _carry(tar: tarfile.TarFile) -> frozenset[str]:
    """Adds programs of the machine with their libraries."""
    here = {name: found for name in TOOLS if (found := shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"))}
    libraries: set[str] = set()
    for name, path in here.items():
        _add(tar, f"bin/{name}", Path(path).read_bytes(), mode=0o755)
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        libraries |= {word for word in said.split() if word.startswith("/")}
    for library in sorted(libraries):
        _add(tar, library.lstrip("/"), Path(library).read_bytes(), mode=0o755)
    return frozenset(here)


def layout(folder: Path, mark: str = "") -> frozenset[str]:
    """Writes the image as an OCI layout; which tools it carries. Another mark makes another image."""
    layer, tools = root(mark)

    def blob(content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        path = folder / "blobs/sha256" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    kept = {"mediaType": "application/vnd.oci.image.layer.v1.tar", **blob(layer)}
    settings = {"Env": ["PATH=/bin:/usr/bin", "FROM_BASE=yes"], "Labels": {"of": "base"}}
    config = {"architecture": "amd64", "os": "linux", "config": settings, "rootfs": {"type": "layers", "diff_ids": [kept["digest"]]}}
    config["history"] = [{"created_by": "base"}]  # or buildah builds on it once, and never again
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(json.dumps(config).encode())},
        "layers": [kept],
    }
    listed = {
        "mediaType": manifest["mediaType"],
        **blob(json.dumps(manifest).encode()),
        "annotations": {"org.opencontainers.image.ref.name": "base"},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [listed]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return tools


@contextmanager
def base(folder: Path, *, private: bool = False) -> Iterator[Base]:
    """The registry with the image `base` in it."""
    # An engine that knows a digest asks no registry for it, nor for a password: so what is private is new each time.
    tools = layout(folder / "base", str(time.time_ns()) if private else "")
    digest = json.loads((folder / "base/index.json").read_text())["manifests"][0]["digest"]
    with registry(folder, private=private) as host:
        push = [program("skopeo", "skopeo"), "copy", "-q", "--preserve-digests", "--dest-tls-verify=false"]
        push += ["--dest-creds", f"{USER}:{PASSWORD}"] if private else []
        subprocess.run([*push, f"oci:{folder / 'base'}:base", f"docker://{host}/base:1"], check=True, capture_output=True)
        blobs = folder / "base/blobs/sha256"
        manifest = json.loads((blobs / digest[7:]).read_text())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_text())
        yield Base(host, Pinned(Repository(host, "base"), digest), folder / "base", tools, tuple(config["rootfs"]["diff_ids"]))
