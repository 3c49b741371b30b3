"""What is found in Dockerfiles, by case; and that the fleet's own are as they should be."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.core.dockerfile import codes
from pipelines.core.dockerfile.closing import SHARED, Inherited, settled
from pipelines.core.dockerfile.lint import Around, lint, start_of
from pipelines.core.dockerfile.parse import parse
from reconciler.kinds.image.spec import From, ImageSpec
from reconciler.model.findings import Finding
from reconciler.model.refs import Ref

ROOT = Path(__file__).resolve().parents[3]
TODAY = date(2026, 11, 21)
CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("lint.yaml").read_text())
SPECS = {path.stem: ImageSpec.model_validate(yaml.safe_load(path.read_text())["spec"]) for path in sorted(ROOT.glob("specs/images/*.yaml"))}
BUILT = {name: spec for name, spec in SPECS.items() if spec.context is not None}


def around(case: dict[str, Any]) -> Around:
    inherits = case.get("inherits", {"user": "10001", "entrypoint": "shared"})
    inherited = Inherited(inherits.get("user", ""), SHARED if inherits.get("entrypoint") == "shared" else ())
    start = case.get("start", "base")
    today = case.get("today", TODAY)
    fleet = frozenset(("base", "child", "sibling", "other"))
    return Around(Ref("Image", "child"), start, today, case.get("args", {}), fleet, inherited, case.get("runs", True))


def told(finding: Finding) -> tuple[str, str]:
    return f"{finding.code} {finding.place.line}:{finding.place.column}", finding.message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_finds(case: dict[str, Any]):
    found = [told(finding) for finding in lint(case["text"], "Dockerfile", around(case))]
    wanted = [tuple(line.split(" ", 2)) for line in case["finds"]]
    assert [where for where, _ in found] == [f"{code} {place}" for code, place, _ in wanted], found
    for (_, message), (_, _, words) in zip(found, wanted, strict=True):
        assert words in message


def test_every_code_of_dockerfiles_has_a_case():
    seen = {line.split(" ", 1)[0] for case in CASES for line in case["finds"]}
    contexts = {codes.MISSING, codes.LINK_OUT, codes.TOO_LARGE}
    assert seen == {code.id for code in codes.CODES if code not in contexts}


def test_codes_are_given_once_and_explained():
    assert len({code.id for code in codes.CODES}) == len(codes.CODES)
    assert all(len(code.about) > len(code.title) for code in codes.CODES)


def line_of(name: str) -> list[str]:
    """An image and what it starts from in the fleet, the first one first."""
    before = SPECS[name].from_.image
    return [*(line_of(before) if before is not None else ()), name]


def dockerfile(name: str) -> Path:
    return ROOT / (SPECS[name].context or "") / SPECS[name].dockerfile


@pytest.mark.parametrize("name", BUILT)
def test_the_fleets_own_have_nothing_but_dated_ends(name: str):
    inherited = Inherited()
    for parent in line_of(name)[:-1]:
        inherited = settled(parse(dockerfile(parent).read_text(), parent), inherited)
    spec = SPECS[name]
    runs = all(other.from_.image != name for other in SPECS.values())
    here = Around(Ref("Image", name), start_of(spec.from_), TODAY, spec.args, frozenset(SPECS), inherited, runs)
    found = lint(dockerfile(name).read_text(), str(dockerfile(name).relative_to(ROOT)), here)
    assert {finding.code for finding in found} <= {codes.PAST_END.id}
    assert bool(found) == (name in ("base-gpu-cu121", "legacy-py310-cpu"))


@pytest.mark.parametrize("name", BUILT)
def test_what_the_fleets_own_copy_is_there(name: str):
    spec = SPECS[name]
    folder = ROOT / (spec.context or "")
    shared = {path.rpartition("/")[2] for path in spec.shared}
    for step in parse(dockerfile(name).read_text(), name).stages[-1].steps:
        if step.name == "COPY":
            source = step.words[0].text.rstrip("/")
            assert (folder / source).exists() or source in shared, source


def test_a_debian_root_is_named_by_its_suite():
    assert start_of(From.model_validate({"debian": {"suite": "bookworm"}})) == "debian:bookworm"
    assert start_of(From.model_validate({"registry": "docker.io/library/redis:7"})) == "docker.io/library/redis:7"


@pytest.mark.parametrize(
    "text",
    [
        "\\",
        "FROM \\\n",
        "\x00",
        "FROM a\nRUN \\\n\\\n",
        "FROM a\nCOPY --from= x y",
        'FROM a\nLABEL "',
        "FROM a\nRUN [",
        "ARG\nFROM a AS\n",
        "\ufeffFROM a",
    ],
)
def test_nothing_that_is_written_makes_it_fail(text: str):
    for finding in lint(text, "Dockerfile", around({})):
        assert finding.message
