"""`fleet schema`, and the pages that it generates."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from reconciler.kinds import KINDS
from reconciler.shell.cli import COMMANDS
from reconciler.shell.codes import codes
from reconciler.shell.exits import Exit
from reconciler.shell.reference import pages
from reconciler.shell.settings import SETTINGS
from tests.shell.fleet_commands import ROOT, fleet


def test_the_repository_has_the_pages_that_would_be_generated():
    result = fleet("schema", "--reference", ROOT / "docs/reference", "--check")
    assert result.exit_code == 0, result.stderr


def test_a_stale_page_and_a_stray_schema_fail_the_check(tmp_path):
    assert fleet("schema", "--reference", tmp_path).exit_code == 0
    assert fleet("schema", "--reference", tmp_path, "--check").exit_code == 0
    (tmp_path / "codes.md").write_text("old")
    (tmp_path / "schema/gone.json").write_text("{}")
    result = fleet("schema", "--reference", tmp_path, "--check")
    assert result.exit_code == Exit.FINDINGS
    assert "codes.md" in result.stderr
    assert "gone.json" in result.stderr
    assert (tmp_path / "codes.md").read_text() == "old"


@pytest.mark.parametrize("kind", [*(kind.name for kind in KINDS), "fleet", "tool-catalog", "service.json"])
def test_a_schema_is_printed_by_name(kind):
    schema = json.loads(fleet("schema", kind).stdout)
    jsonschema.Draft7Validator.check_schema(schema)


def test_an_unknown_kind_is_refused():
    result = fleet("schema", "servise")
    assert result.exit_code == Exit.USAGE
    assert "did you mean `service`?" in result.stderr


def test_schemas_take_what_init_writes(tmp_path):
    fleet("init", tmp_path)
    for path in [tmp_path / "fleet.yaml", *tmp_path.glob("specs/**/*.yaml")]:
        first = path.read_text().partition("\n")[0]
        schema = path.parent / first.removeprefix("# yaml-language-server: $schema=")
        jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(schema.read_text()))


def test_pages_tell_everything():
    made = pages()
    assert all(f"## {code}: " in made["codes.md"] for code in codes())
    assert all(f"| {int(code)} | {code.name.lower()} |" in made["exit-codes.md"] for code in Exit)
    assert all(f"## fleet {command}\n" in made["commands.md"] for command in COMMANDS)
    assert all(f"## {kind.name}\n" in made["kinds.md"] for kind in KINDS)
    assert all(setting.about in made["settings.md"] for setting in SETTINGS)


def test_tables_have_as_many_cells_as_columns():
    for name, text in pages().items():
        rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")] if name.endswith(".md") else []
        widths = {}
        for at, row in enumerate(rows):
            if set(row) <= set("|- "):
                widths[at - 1] = widths[at] = rows[at - 1].count("|")
        width = 0
        for at, row in enumerate(rows):
            width = widths.get(at, width)
            assert row.count("|") == width, f"{name}: {row}"
