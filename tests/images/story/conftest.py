"""The shop, with a base image in a registry, buildah, and the real Trivy."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci
from tests.images.builders.base import layout, program
from tests.images.story.shop import Shop


@pytest.fixture(scope="session")
def base_image(tmp_path_factory: pytest.TempPathFactory, registry_host: str) -> str:
    """A root of static busybox in the registry."""
    folder, name = tmp_path_factory.mktemp("busybox"), f"{registry_host}/base/busybox:1"
    try:
        program("buildah", "buildah")
        layout(folder)
        push = [program("skopeo", "skopeo"), "copy", "-q", "--preserve-digests", "--dest-tls-verify=false"]
    except EngineMissing as missing:
        if in_ci():
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    subprocess.run([*push, f"oci:{folder}:base", f"docker://{name}"], check=True, capture_output=True)
    return name


@pytest.fixture(params=["buildah", "dagger"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each builder that is to be had."""
    if request.param == "dagger" and not os.environ.get("_EXPERIMENTAL_DAGGER_RUNNER_HOST"):
        pytest.skip("no Dagger engine: _EXPERIMENTAL_DAGGER_RUNNER_HOST names none")
    if request.param == "buildah" and os.geteuid():
        pytest.skip("buildah needs root here")
    return str(request.param)


@pytest.fixture(scope="session")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What builds keep on this machine; removed at the end, since buildah's storage is large."""
    folder = tmp_path_factory.mktemp("blobs")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def shop(tmp_path: Path, registry_host: str, base_image: str, trivy_program: Path, blobs: Path, engine: str) -> Shop:
    """The shop, nothing built yet. Its registry paths are its own."""
    opened = Shop.opened(tmp_path, registry_host, base_image, trivy_program, blobs)
    opened.path = f"shop-{uuid.uuid4().hex[:8]}"
    text = (opened.root / "fleet.yaml").read_text()
    opened.write("fleet.yaml", text.replace("/shop\n", f"/{opened.path}\n").replace("engine: buildah", f"engine: {engine}"))
    opened.commit("a registry path and a builder of its own")
    return opened
