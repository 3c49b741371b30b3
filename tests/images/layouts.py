"""OCI layouts made by hand: small images with Debian and Python packages, parent and child."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.model.oci import CONFIG, INDEX, LAYER_GZIP, MANIFEST

OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'
SITE = "usr/local/lib/python3.11/site-packages"

Files = Mapping[str, bytes]


class Deb(NamedTuple):
    """A binary package of Debian, as dpkg has it."""

    name: str
    version: str
    source: str = ""


def dpkg(*packages: Deb) -> dict[str, bytes]:
    """What dpkg knows: its status file, whole, as every layer that changes it has it."""
    entries = []
    for one in packages:
        source = f"Source: {one.source}\n" if one.source else ""
        entries.append(
            f"Package: {one.name}\nStatus: install ok installed\nMaintainer: nobody <nobody@example.invalid>\n"
            f"Architecture: amd64\n{source}Version: {one.version}\nDescription: none\n"
        )
    return {"etc/os-release": OS_RELEASE.encode(), "etc/debian_version": b"12.13\n", "var/lib/dpkg/status": "\n".join(entries).encode()}


def dist_info(name: str, version: str, site: str = SITE, licence: str = "Apache-2.0") -> dict[str, bytes]:
    """An installed Python distribution."""
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: {licence}\n"
    return {f"{site}/{name}-{version}.dist-info/METADATA": text.encode()}


def tar(files: Files) -> bytes:
    """A layer, always with the same bytes for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size = len(files[path])
            archive.addfile(member, io.BytesIO(files[path]))
    return out.getvalue()


class Layout(NamedTuple):
    """An image in a folder, and the diff_ids of its layers."""

    folder: Path
    diff_ids: tuple[str, ...]


def layout(folder: Path, layers: Sequence[Files], claimed: Sequence[str] = ()) -> Layout:
    """An image of these layers, which says that their diff_ids are `claimed`."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        hexadecimal = hashlib.sha256(data).hexdigest()
        (blobs / hexadecimal).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{hexadecimal}", "size": len(data)}

    tars = [tar(files) for files in layers]
    diff_ids = tuple(claimed) or tuple(f"sha256:{hashlib.sha256(data).hexdigest()}" for data in tars)
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": put(json.dumps(config).encode(), CONFIG),
        "layers": [put(gzip.compress(data, 1, mtime=0), LAYER_GZIP) for data in tars],
    }
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [put(json.dumps(manifest).encode(), MANIFEST)]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return Layout(folder, diff_ids)
