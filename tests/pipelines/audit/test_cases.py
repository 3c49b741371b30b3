"""Whole audits of small images: what each lacks, as a table."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.adapters.rootfs import LayoutRoots
from pipelines.core.audit.contents import Row, matches, rows
from pipelines.core.audit.evidence import EVERYTHING, Folders
from pipelines.core.audit.report import sentences
from pipelines.flow.audit import Recipe, audit
from pipelines.model.audit import Audit, System
from pipelines.ports import NoContents
from tests.pipelines.audit.roots import layout, tar

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "cases.yaml").read_text())
PYTHON = {"usr/lib/python3.11/os.py": "", "usr/lib/python3.11/ctypes/__init__.py": ""}
PLAIN = Recipe()
SYSTEM = {"etc/os-release": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'}


class Written:
    """The packages of a written index; asked for another distribution than Debian, it does not know."""

    async def libraries(self, system: System, names: frozenset[str]) -> tuple[Row, ...]:
        if system.id != "debian":
            raise NoContents(f"nothing is known of {system}")
        return tuple(row for row in rows((HERE / "contents.txt").read_bytes()) if any(matches(name, row.name) for name in names))


async def audited(
    folder: Path, *layers: dict[str, Any], environment: tuple[str, ...] = (), recipe: Recipe = PLAIN, **folders: Any
) -> Audit:
    image = layout(folder, *(tar(layer) for layer in layers), environment=environment)
    return await audit(image, LayoutRoots(), Written(), Folders(**folders), recipe)


@pytest.mark.parametrize("case", CASES, ids=[case["it"] for case in CASES])
async def test_an_audit_finds(case: dict[str, Any], tmp_path: Path) -> None:
    python = frozenset({"app", "opt"}) if case.get("python") else frozenset[str]()
    libraries = frozenset(case["libraries"]) if "libraries" in case else EVERYTHING
    found = await audited(
        tmp_path,
        {**SYSTEM, **PYTHON},
        *case["layers"],
        environment=tuple(case.get("environment", ())),
        python=python,
        libraries=libraries,
        packages=tuple(case.get("packages", ())),
    )
    assert [f"{gap.grade} {gap.kind} {gap.name}: {' '.join(gap.add)}" for gap in found.gaps] == case["gaps"]
    assert sorted(found.unread) == case.get("unread", [])


TOOL = {"app/bin/tool": {"elf": {"needed": ["libGL.so.1"], "interpreter": "/lib/ld.so"}}}


async def test_the_edit_goes_into_the_line_that_installs_packages(tmp_path: Path) -> None:
    text = "FROM x\nRUN true\nRUN apt-get update \\\n && apt-get install -y ca-certificates\n"
    found = await audited(tmp_path, SYSTEM, TOOL, recipe=Recipe("images/x/Dockerfile", text))
    assert list(sentences(found)) == [
        "error: libGL.so.1 is missing: linked to by /app/bin/tool; add the package libgl1",
        "fix: images/x/Dockerfile:4: add to this apt-get install: libgl1",
        "0 Python sources and 1 ELF files of debian 12 (bookworm) amd64: 1 error, 0 warnings, 0 notes",
    ]
    assert not found.passed


async def test_the_edit_is_a_line_of_its_own_where_nothing_installs_packages(tmp_path: Path) -> None:
    found = await audited(tmp_path, SYSTEM, PYTHON, TOOL, {"app/main.py": "import yaml\n"}, recipe=Recipe("Dockerfile", "FROM x\n"))
    assert [(edit.file, edit.line, edit.text) for edit in found.edits] == [
        ("Dockerfile", 0, "RUN apt-get update && apt-get install -y --no-install-recommends libgl1 && rm -rf /var/lib/apt/lists/*"),
        ("requirements.txt", 0, "PyYAML"),
    ]


async def test_without_a_contents_index_the_library_is_missing_all_the_same(tmp_path: Path) -> None:
    found = await audited(tmp_path, {"etc/os-release": "ID=alpine\n"}, TOOL)
    assert [gap.name for gap in found.gaps] == ["libGL.so.1"]
    assert found.unread == {"": "nothing is known of alpine amd64"}


async def test_an_import_says_how_it_is_come_to(tmp_path: Path) -> None:
    site = "opt/venv/lib/python3.11/site-packages"
    files = {"app/main.py": "import a\n", f"{site}/a.py": "import b\n", f"{site}/b.py": "\nimport yaml\n"}
    found = await audited(tmp_path, SYSTEM, PYTHON, files, python=frozenset({"app"}))
    assert next(sentences(found)) == (
        f"error: the module yaml is missing: imported by /{site}/b.py:2 (an import in /app/main.py comes to it); add the distribution PyYAML"
    )
