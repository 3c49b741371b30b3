"""What a build says of itself: which scanner saw it, who owns what, and no verdict where the scanner did not see all."""

from __future__ import annotations

import asyncio
import json

import pytest

from pipelines.core.sbom.bom import owners, tool
from pipelines.flow.rescan import Known, sbom_of
from pipelines.model.oci import Pinned, Repository
from pipelines.shell import equipment
from tests.images.commands.hut import Hut
from tests.images.commands.test_rescan import OPENSSL
from tests.images.layouts import Deb, dpkg
from tests.images.story.shop import image as spec


async def sbom(hut: Hut, name: str) -> bytes:
    build = hut.lock.images[name].current
    registry = equipment.registry()
    try:
        return await sbom_of(registry, Known(name, Pinned(Repository(hut.host, f"{hut.path}/{name}"), build.digest), build.sbom))
    finally:
        await registry.close()


def test_an_sbom_names_its_scanner_with_its_version(hut: Hut) -> None:
    hut.build("system")
    assert tool(asyncio.run(sbom(hut, "system"))) == "trivy 0.76.0"


def test_all_layers_of_a_mirror_are_its_own(hut: Hut) -> None:
    hut.write(
        "specs/images/mirror.yaml",
        spec("mirror", f"{{registry: {hut.host}/{hut.path}/upstream:12}}").replace("  context: images/mirror\n", ""),
    )
    hut.vulnerable(OPENSSL)
    assert hut.build("mirror", code=1)["mirror"]["outcome"] == "gate failed"
    hut.vulnerable()
    hut.build("mirror")
    assert set(owners(asyncio.run(sbom(hut, "mirror"))).values()) == {"mirror"}


@pytest.mark.parametrize("name", ["red\x1b[31m", "long" * 40_000])
def test_a_package_that_the_scanner_passes_over_means_no_verdict(name: str, hut: Hut) -> None:
    before = hut.locked
    status = dpkg(Deb("libssl3", "3.0.11-1~deb12u1", "openssl"), Deb(name, "1.0"))["var/lib/dpkg/status"].decode()
    hut.write("images/system/status", status)
    hut.write("images/system/Dockerfile", (hut.root / "images/system/Dockerfile").read_text() + "COPY status /var/lib/dpkg/status\n")
    done = hut.fleet("images", "build", "system", "-o", "json")
    (built,) = json.loads(done.out)
    assert (done.code, built["outcome"]) == (3, "failed at describe"), done
    assert "passed over" in built["about"]
    assert "passed over" in done.err
    assert (hut.locked or b"").count(b"system:") == (before or b"").count(b"system:") == 0
    assert hut.tags("system") == set()
