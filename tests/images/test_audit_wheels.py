"""The audit on real wheels, unpacked over a real Debian root, with the real contents index of its mirror."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.adapters.contents import MirrorContents
from pipelines.adapters.rootfs import LayoutRoots
from pipelines.core.audit.evidence import Folders
from pipelines.flow.audit import Recipe, audit
from pipelines.model.audit import Audit, Gap, GapKind, Grade
from tests.engines import cache, wheels
from tests.engines.cache import EngineMissing
from tests.engines.fixtures import in_ci
from tests.engines.wheels import Material
from tests.pipelines.audit.roots import layout

SITE = "opt/venv/lib/python3.11/site-packages"


@pytest.fixture(scope="module")
def material() -> Material:
    try:
        return wheels.material()
    except EngineMissing as missing:
        if in_ci():
            pytest.fail(f"wheels and a Debian root should be to be had: {missing}", pytrace=False)
        pytest.skip(f"no wheels: {missing}")


def unpacked(*found: Path, sources: Mapping[str, str]) -> bytes:
    """A layer with the files of wheels in a virtual environment, and sources."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for wheel in found:
            with zipfile.ZipFile(wheel) as archive:
                for one in archive.infolist():
                    add(tar, f"{SITE}/{one.filename}", archive.read(one)) if not one.is_dir() else None
        for path, text in sources.items():
            add(tar, path, text.encode())
    return layer.getvalue()


def add(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(body)
    tar.addfile(info, io.BytesIO(body))


async def audited(material: Material, folder: Path, *names: str, source: str) -> Audit:
    layer = unpacked(*(material.wheel(name) for name in names), sources={"app/main.py": source})
    image = layout(folder, material.root.read_bytes(), layer, compress=False)
    folders = Folders(python=frozenset({"app", "opt/venv"}), libraries=frozenset({"opt/venv"}))
    packages = MirrorContents(cache.cache_root() / "contents", {"debian": material.mirror, "ubuntu": material.mirror})
    return await audit(image, LayoutRoots(), packages, folders, Recipe("Dockerfile", "FROM base\n"))


def of(found: Audit, grade: Grade) -> dict[str, Gap]:
    return {gap.name: gap for gap in found.gaps if gap.grade is grade}


async def test_numpy_brings_its_libraries_along(material: Material, tmp_path: Path) -> None:
    found = await audited(material, tmp_path, "numpy", source="import numpy\nimport numpy.linalg\n")
    assert found.gaps == ()
    assert found.edits == ()
    assert found.objects > 20


async def test_opencv_lacks_what_its_window_toolkit_links_to(material: Material, tmp_path: Path) -> None:
    found = await audited(material, tmp_path, "opencv", "numpy", source="import cv2\n")
    errors = of(found, Grade.ERROR)
    assert {"libGL.so.1", "libglib-2.0.so.0", "libgthread-2.0.so.0"} <= errors.keys()
    assert all(gap.kind is GapKind.LIBRARY for gap in found.gaps)
    assert errors["libGL.so.1"].add == ("libgl1",)
    assert errors["libglib-2.0.so.0"].add[0].startswith("libglib2.0-0")
    assert errors["libGL.so.1"].needed_by[0].startswith(f"{SITE}/opencv_python.libs/libQt5Gui-")
    (edit,) = found.edits
    assert edit.text.startswith("RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0")


async def test_sounddevice_asks_for_portaudio_by_name_which_no_elf_file_shows(material: Material, tmp_path: Path) -> None:
    found = await audited(material, tmp_path, "sounddevice", source="import sounddevice\n")
    warnings = of(found, Grade.WARNING)
    assert warnings["portaudio"].add == ("libportaudio2",)
    assert all(by.startswith(f"{SITE}/sounddevice.py:") for by in warnings["portaudio"].needed_by)
    assert {name: gap.add for name, gap in of(found, Grade.ERROR).items()} == {"_cffi_backend": ("cffi",)}
    assert "libportaudio2" in found.edits[0].text


async def test_a_wheel_that_is_not_there_is_named_by_its_distribution(material: Material, tmp_path: Path) -> None:
    found = await audited(material, tmp_path, "sounddevice", source="import numpy\nimport cv2\nimport sounddevice\n")
    assert {name: gap.add for name, gap in of(found, Grade.ERROR).items()}.items() >= {
        "cv2": ("opencv-python-headless",),
        "numpy": ("numpy",),
    }.items()
