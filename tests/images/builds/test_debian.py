"""Bases out of Debian packages: named down to their bytes, and the same each time."""

import io
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from pipelines.adapters.debian import Bases, Settings
from pipelines.adapters.layouts import Layouts, Store
from pipelines.adapters.memory import MemoryRegistry
from pipelines.core.config import documents, empty
from pipelines.core.layer.index import index
from pipelines.model.debian import MIRROR, Package, Selection
from pipelines.ports import BuilderMissing, BuildFailed
from tests.engines import debian
from tests.engines.cache import EngineMissing
from tests.images.builds.conftest import missing
from tests.images.builds.yard import DATE, program, require_root

pytestmark = pytest.mark.asyncio(loop_scope="module")
SMALL = Selection("bookworm", ("busybox-static",), "extract")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bases(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bases]:
    root = tmp_path_factory.mktemp("debian")
    try:
        program("mmdebstrap", "mmdebstrap")
        require_root("assembling a system")
        mirror = debian.mirror(root)
    except EngineMissing as why:
        missing(str(why))
    yield Bases(Settings(root, os.environ, mirror or MIRROR))


async def test_a_base_is_resolved_to_names_versions_and_hashes_without_being_built(bases: Bases):
    found = await bases.resolve(Selection("bookworm", ("ca-certificates",)))
    names = [package.name for package in found.packages]
    assert names == sorted(names)
    assert {"libc6", "apt", "openssl", "ca-certificates"} <= set(names)
    assert all(len(package.sha256) == 64 and package.version and package.size for package in found.packages)
    assert replace(found, packages=found.packages[1:]).digest != found.digest


async def test_the_same_packages_give_the_same_image(bases: Bases, tmp_path: Path):
    resolved = await bases.resolve(SMALL)
    assert [package.name for package in resolved.packages] == ["busybox-static"]
    layouts = Layouts(Store(tmp_path / "cache"), MemoryRegistry())
    images = []
    for at in ("one", "two"):
        made = await bases.build(resolved, tmp_path / at, DATE, lambda _: None)
        images.append(await layouts.extend(empty("linux/amd64"), None, made, DATE))
    assert documents(images[0]) == documents(images[1])
    entries = index(io.BytesIO((tmp_path / "one/changes.tar").read_bytes())).entries
    assert entries["bin/busybox"].size > 1 << 20
    assert images[0].config.run["Cmd"] == ["bash"]


async def test_a_package_that_the_mirror_no_longer_has_is_named(bases: Bases, tmp_path: Path):
    resolved = await bases.resolve(SMALL)
    gone = replace(resolved, packages=(Package("busybox-static", "1:0.1-1", "a" * 64),))
    with pytest.raises(BuildFailed, match=r"no longer has busybox-static 1:0\.1-1") as caught:
        await bases.build(gone, tmp_path, DATE, lambda _: None)
    assert "refresh" in caught.value.fix


@pytest.mark.parametrize(
    ("selection", "why"),
    [
        (Selection("bookworm", ("no-such-package-at-all",)), "no-such-package-at-all"),
        (Selection("bookworm", ("--purge",)), "no name of a Debian package"),
        (Selection("../etc", ("a0",)), "no Debian suite"),
        (Selection("no-such-suite", ("bash",)), "apt: "),
        (Selection("bookworm", (), "extract"), "no packages"),
    ],
)
async def test_what_the_archive_does_not_have_is_said(bases: Bases, selection: Selection, why: str):
    with pytest.raises(BuildFailed, match=why):
        await bases.resolve(selection)


async def test_a_machine_without_apt_or_mmdebstrap_is_told_what_to_do(bases: Bases, tmp_path: Path):
    for name in ("setpriv", "unshare"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    bare = Bases(Settings(tmp_path / "root", {"PATH": str(tmp_path)}))
    with pytest.raises(BuilderMissing, match="no apt-get"):
        await bare.resolve(SMALL)
    with pytest.raises(BuilderMissing, match="no mmdebstrap"):
        await bare.build(await bases.resolve(SMALL), tmp_path / "into", DATE, lambda _: None)
