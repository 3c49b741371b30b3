"""`fleet explain`."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import reconciler.core
from reconciler.kinds import KINDS
from reconciler.shell.codes import codes
from reconciler.shell.fields import FLEET_KIND, Inside, document
from tests.shell.fleet_commands import fleet, process


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("DOC011", "duplicate key"),
        ("doc011", "duplicate key"),
        ("service", "specs/services/TENANT/NAME.yaml"),
        ("Services", "specs/services/TENANT/NAME.yaml"),
        ("tool-catalog", "specs/tool-catalogs/NAME.yaml"),
        ("fleet", "fleet.yaml"),
        ("service.spec.health.http", "A path that answers 200 to 399"),
        ("service.health.http", "Service.spec.health.http  optional"),
        ("service.spec.image", "Takes     name"),
        ("service.machine", "must be given"),
        ("service.stopTimeout", "Default   30s"),
        ("service.volumes.data.path", "Where it is mounted."),
        ("service.ports.http", "whole number, 1 to 65535"),
        ("service.metadata.labels", "mapping of names to text"),
        ("service.kind", "Service"),
        ("fleet.environments.production.unlocked", "block or tag"),
        ("fleet.sync.deadline", "Default   10m"),
    ],
)
def test_topics_are_explained(topic, expected):
    result = fleet("explain", topic)
    assert result.exit_code == 0
    assert expected in result.stdout


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("servce", "did you mean service?"),
        ("service.spec.helth", "did you mean health?"),
        ("service.health.prot", "did you mean port?"),
        ("service.health.http.deeper", "has no field 'deeper'"),
        ("DOC999", "did you mean DOC"),
        ("XYZ001", "rules of a policy pack are known"),
        ("", "Kinds:"),
    ],
)
def test_unknown_topics_name_what_was_meant(topic, expected):
    result = fleet("explain", topic)
    assert expected in result.stderr + result.stdout
    assert result.exit_code == (2 if topic else 0)


def test_every_code_of_core_is_known():
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(reconciler.core.__path__, "reconciler.core.")]
    declared = {code.id for module in modules for code in getattr(module, "CODES", ())}
    assert declared <= set(codes())
    assert len(declared) > 50


def test_every_code_says_more_than_its_title():
    assert [code.id for code in codes().values() if len(code.about) <= len(code.title)] == []


def every_field(path, inside: Inside):
    for field in inside.fields():
        yield f"{path}.{field.name}", field
        if field.inside is not None:
            yield from every_field(f"{path}.{field.name}", field.inside)


@pytest.mark.parametrize("kind", [*KINDS, FLEET_KIND], ids=lambda kind: kind.name)
def test_every_field_of_every_kind_can_be_explained(kind):
    found = [(path, field) for name, inside in document(kind).items() for path, field in every_field(f"{kind.name}.{name}", inside)]
    assert len(found) > len(("spec", "apiVersion", "kind"))
    for path, field in found:
        assert field.takes not in ("", "anything") or path.endswith((".parameters", ".returns")), path
    for path, _ in found[:: max(len(found) // 10, 1)]:
        assert fleet("explain", path).exit_code == 0, path


def test_rules_of_the_repository_are_explained(tmp_path):
    fleet("init", tmp_path)
    result = fleet("explain", "SVC901", cwd=tmp_path)
    assert result.exit_code == 0
    assert "policies/default/SVC901.yaml" in result.stdout
    assert "has no health check" in result.stdout


def test_explaining_needs_no_repository(tmp_path):
    assert fleet("explain", "service", cwd=tmp_path).exit_code == 0


def test_heavy_libraries_stay_out():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom reconciler.shell.cli import cli\n"
        "for words in (['--help'], ['explain', 'service.health'], ['graph', '--help']):\n"
        "    assert CliRunner().invoke(cli, words).exit_code == 0\n"
        "print(sorted({'kubernetes', 'kopf', 'dagger', 'aiohttp', 'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    assert process(code=code).stdout == "[]\n"
