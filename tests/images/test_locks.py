"""The locked requirements of the images: pinned, hashed, from no particular index, and one version of a package along a line of images."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {path.parent.name: path for path in sorted(ROOT.glob("images/*/requirements.txt"))}
_PINNED = re.compile(r"^([a-z0-9-]+)(\[[a-z0-9,-]+\])?==([^\s;]+)( ; [^\\]+)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def locked(name: str) -> dict[str, str]:
    lines = LOCKS[name].read_text().splitlines()
    return {match[1]: match[3] for match in map(_PINNED.match, lines) if match}


def below(name: str) -> str | None:
    start = yaml.safe_load((ROOT / f"specs/images/{name}.yaml").read_text())["spec"]["from"].get("image")
    return str(start) if start else None


def test_every_context_has_a_lock():
    assert LOCKS.keys() == {path.parent.name for path in ROOT.glob("images/*/Dockerfile")}


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_a_pin_a_hash_or_a_comment(name: str):
    for line in LOCKS[name].read_text().splitlines():
        assert line.lstrip().startswith("#") or _PINNED.match(line) or _HASH.match(line), line


@pytest.mark.parametrize("name", LOCKS)
def test_no_address_is_in_it(name: str):
    assert "://" not in LOCKS[name].read_text() + LOCKS[name].with_suffix(".in").read_text()


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_wanted_is_in_it(name: str):
    wanted = [
        re.split(r"[\[=<>~! ]", line)[0] for line in LOCKS[name].with_suffix(".in").read_text().splitlines() if not line.startswith("#")
    ]
    assert set(wanted) <= locked(name).keys()


@pytest.mark.parametrize("name", LOCKS)
def test_versions_are_those_of_the_images_below(name: str):
    mine, under = locked(name), below(name)
    while under is not None:
        theirs = locked(under)
        assert {package: theirs[package] for package in mine.keys() & theirs.keys()} == {
            package: mine[package] for package in mine.keys() & theirs.keys()
        }
        under = below(under)


def test_torch_is_the_same_wherever_it_is_and_for_cuda_12():
    versions = {locked(name)["torch"] for name in LOCKS if "torch" in locked(name)}
    assert versions == {"2.10.0"}
    assert all(package.endswith("-cu12") for package in locked("family-torch-cu121") if package.startswith("nvidia-"))
