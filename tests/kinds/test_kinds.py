"""What holds for every kind, and the cases of each."""

from __future__ import annotations

from pathlib import Path

import pytest

import reconciler.kinds
from reconciler.core.render import render
from reconciler.kinds import KINDS
from reconciler.model.kind import Kind
from tests.kinds.cases import Case, assert_renders, cases, graph, objects, told

FOLDERS = sorted(path.name for path in Path(reconciler.kinds.__file__).parent.iterdir() if (path / "__init__.py").is_file())
ALL = [pytest.param(case, id=f"{case.kind}-{case.name}".replace(" ", "_")) for folder in FOLDERS for case in cases(folder)]
RENDERED = [param for param in ALL if param.values[0].findings is None]


def _module(kind: Kind) -> str:
    return kind.spec.__module__.split(".")[2]


def test_every_folder_of_kinds_is_listed_once():
    assert sorted(map(_module, KINDS)) == FOLDERS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_case(kind: Kind):
    assert cases(_module(kind)), f"add tests/kinds/{_module(kind)}/*.yaml"


def test_names_folders_and_plurals_of_kinds_are_their_own():
    for names in ([kind.name for kind in KINDS], [kind.folder for kind in KINDS], [kind.plural for kind in KINDS]):
        assert len(set(names)) == len(names)
    short = [name for kind in KINDS for name in kind.short_names]
    assert len(set(short)) == len(short)


def test_no_code_stands_for_two_things():
    codes = [code.id for kind in KINDS for code in kind.codes]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_code_is_explained(kind: Kind):
    assert [code.id for code in kind.codes if not (code.title and code.about)] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_has_a_description(kind: Kind):
    schema = kind.spec.model_json_schema()
    models = {kind.spec.__name__: schema, **schema.get("$defs", {})}
    bare = [
        f"{name}.{field}"
        for name, model in models.items()
        for field, value in model.get("properties", {}).items()
        if "description" not in value and model.get("type") == "object"
    ]
    assert bare == []


@pytest.mark.parametrize("case", ALL)
def test_a_case_gives_the_findings_and_objects_that_it_names(case: Case):
    if case.findings is not None:
        assert told(case.reading) == sorted(case.findings)
    if case.renders:
        assert_renders(case.renders, objects(case))


@pytest.mark.parametrize("case", RENDERED)
def test_rendering_twice_gives_the_same_bytes(case: Case):
    assert [manifest.digest for manifest in render(graph(case), KINDS)] == [manifest.digest for manifest in render(graph(case), KINDS)]


def test_every_code_of_images_and_services_is_in_a_case():
    seen = {line.split()[0] for folder in ("image", "service") for case in cases(folder) for line in case.findings or ()}
    declared = {code.id for kind in KINDS if kind.name in ("Image", "Service") for code in kind.codes}
    assert declared - seen == set()
