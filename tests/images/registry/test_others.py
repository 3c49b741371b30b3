"""What we push, others read, and what others push, we read: skopeo, and streams larger than memory should be."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from pipelines.flow.reading import missing_blobs, read_config, read_image
from pipelines.model.oci import LAYER, Descriptor
from pipelines.ports import Push
from tests.engines.fixtures import in_ci
from tests.images.registry.conftest import Place
from tests.images.registry.goods import Image, index


def skopeo(*arguments: str) -> str:
    if not shutil.which("skopeo"):
        (pytest.fail if in_ci() else pytest.skip)("skopeo is not here: apt-get install skopeo")
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_skopeo_reads_what_we_pushed(real: Place):
    repository = real.repository()
    amd, arm = Image(), Image(architecture="arm64")
    for image in (amd, arm):
        await image.into(real.registry, repository)
    both = index(amd64=amd, arm64=arm)
    await real.registry.push_manifest(repository, "v1", both)
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{repository}:v1")
    assert raw.encode() == both.body
    config = skopeo("inspect", "--config", "--tls-verify=false", "--override-arch=arm64", f"docker://{repository}:v1")
    assert json.loads(config)["architecture"] == "arm64"


async def test_skopeo_copies_every_byte_of_what_we_pushed(real: Place, tmp_path):
    repository, image = real.repository(), Image(b"layer one", b"layer two" * 1000)
    await image.into(real.registry, repository, "v1")
    skopeo("copy", "--src-tls-verify=false", "--preserve-digests", f"docker://{repository}:v1", f"dir:{tmp_path}/image")
    assert (tmp_path / "image/manifest.json").read_bytes() == image.document.body
    assert (tmp_path / "image" / hashlib.sha256(image.layers[1]).hexdigest()).read_bytes() == image.layers[1]


async def test_image_that_skopeo_pushed_in_dockers_format_is_read(real: Place, tmp_path):
    ours, theirs = real.repository("ours"), real.repository("theirs")
    await Image().into(real.registry, ours, "v1")
    skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format=v2s2", f"docker://{ours}:v1", f"docker://{theirs}:v1")
    image = await read_image(real.registry, theirs, "v1", "linux/amd64")
    assert image.document.media_type == "application/vnd.docker.distribution.manifest.v2+json"
    assert await missing_blobs(real.registry, image) == ()
    assert (await read_config(real.registry, image)).run == {"User": "fleet"}


async def test_stream_in_both_directions_takes_no_memory(real: Place):
    repository, piece, pieces = real.repository(), bytes(range(256)) * 4096, 48
    whole = hashlib.sha256()
    for _ in range(pieces):
        whole.update(piece)
    descriptor = Descriptor(LAYER, f"sha256:{whole.hexdigest()}", len(piece) * pieces)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield piece

    tracemalloc.start()
    assert await real.registry.push_blob(repository, Push(descriptor, chunks))
    size = 0
    async for got in real.registry.blob(repository, descriptor):
        size += len(got)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == descriptor.size
    assert peak < 16 << 20, f"{peak >> 20} MB for a blob of {size >> 20} MB"
