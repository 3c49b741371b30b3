"""`fleet init` and `fleet completion`."""

from __future__ import annotations

import json

import pytest

from reconciler.shell.exits import Exit
from tests.shell.fleet_commands import fleet, process


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_init_writes_lints_clean(tmp_path):
    result = fleet("init", tmp_path / "Acme Fleet")
    assert result.exit_code == 0
    lint = fleet("lint", "--strict", cwd=tmp_path / "Acme Fleet")
    assert lint.exit_code == 0, lint.stdout
    assert "metadata: {name: acme-fleet}" in (tmp_path / "Acme Fleet/fleet.yaml").read_text()
    assert all((tmp_path / "Acme Fleet" / path).is_file() for path in ("fleet.yaml", ".vscode/settings.json", "schema/service.json"))


def test_what_init_writes_renders_a_service(tmp_path):
    fleet("init", tmp_path, "--tenant", "platform")
    graph = json.loads(fleet("graph", "-o", "json", cwd=tmp_path).stdout)
    assert {"from": "Service/platform/hello", "to": "Image/hello"} in graph["edges"]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "specs/images").mkdir(parents=True)
    (tmp_path / "specs/images/hello.yaml").write_text("mine")
    result = fleet("init", tmp_path)
    assert result.exit_code == Exit.FINDINGS
    assert "specs/images/hello.yaml" in result.stderr
    assert everything(tmp_path) == {"specs/images/hello.yaml": "mine"}


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/fleet.yaml").symlink_to(tmp_path / "elsewhere")
    assert fleet("init", tmp_path / "in").exit_code == Exit.FINDINGS
    assert not (tmp_path / "elsewhere").exists()


def test_the_repositorys_own_gitignore_stays(tmp_path):
    (tmp_path / ".gitignore").write_text("mine\n")
    assert fleet("init", tmp_path).exit_code == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize(("option", "name"), [("--name", "Acme!"), ("--tenant", "a/b"), ("--tenant", "x" * 80)])
def test_names_that_cannot_be_are_refused(tmp_path, option, name):
    result = fleet("init", tmp_path, option, name)
    assert result.exit_code == Exit.USAGE
    assert everything(tmp_path) == {}


def test_a_context_with_odd_letters_stays_a_value(tmp_path):
    fleet("init", tmp_path, "--context", 'odd: "x" #y')
    assert fleet("lint", "--strict", cwd=tmp_path).exit_code == 0


@pytest.mark.parametrize(("shell", "sign"), [("bash", "complete -o nosort -F"), ("zsh", "#compdef fleet"), ("fish", "complete --no-files")])
def test_completion_scripts_are_those_of_the_shell(shell, sign):
    assert sign in fleet("completion", shell).stdout
    assert sign in fleet("completion", SHELL=f"/usr/bin/{shell}").stdout


def test_an_unknown_shell_is_refused():
    result = fleet("completion", SHELL="/bin/nushell")
    assert result.exit_code == Exit.USAGE
    assert "bash, zsh, fish" in result.stderr


def test_commands_are_completed():
    asked = "import os\nos.environ.update(_FLEET_COMPLETE='bash_complete', COMP_WORDS='fleet ex', COMP_CWORD='1')\n"
    done = process(code=asked + "from reconciler.shell.cli import cli\ncli(prog_name='fleet', complete_var='_FLEET_COMPLETE')")
    assert done.stdout.split() == ["plain,explain"]
