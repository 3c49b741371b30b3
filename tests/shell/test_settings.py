"""The inventory of settings, and `fleet config`."""

from __future__ import annotations

import json
import re

import click
import pytest

from reconciler.shell.cli import COMMANDS, cli
from reconciler.shell.exits import Exit
from reconciler.shell.settings import OTHERS, SETTINGS, Type
from reconciler.shell.variables import ALL, TESTS, refuse_unknown
from tests.shell.fleet_commands import ROOT, fleet


@pytest.fixture
def repository(tmp_path):
    fleet("init", tmp_path, "--name", "acme")
    return tmp_path


def shown(result):
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["settings"]
    return {name: (told["value"], told["origin"]) for name, told in found.items()}


def commands():
    for name in COMMANDS:
        try:
            yield from leaves(cli.get_command(click.Context(cli), name))
        except ModuleNotFoundError as missing:
            pytest.fail(f"no command {name}: {missing}")


def leaves(command):
    """A command, or those of a group, however deep."""
    if not isinstance(command, click.Group):
        yield command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name))


def test_every_option_with_a_variable_is_in_the_inventory():
    known = {(setting.flag, setting.variable) for setting in SETTINGS if setting.variable}
    found = {
        (parameter.opts[-1], parameter.envvar)
        for command in commands()
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.envvar
    }
    assert found <= known
    assert len(found) >= 3


def test_every_flag_of_the_inventory_exists():
    flags = {option for command in commands() for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {setting.flag for setting in SETTINGS if setting.flag} <= flags


def test_every_variable_in_the_source_is_in_the_inventory():
    known = {setting.variable for setting in SETTINGS} | set(OTHERS)
    for path in (ROOT / "reconciler").rglob("*.py"):
        for name in re.findall(r"[\"'](FLEET_[A-Z_]+)[\"']", path.read_text()):
            assert name in known or name.startswith(TESTS) or name == "FLEET_", f"{path}: {name}"


@pytest.mark.parametrize(("name", "fix"), [("FLEET_ENVV", "did you mean FLEET_ENV?"), ("FLEET_LEGDER", "did you mean FLEET_LEDGER?"), ("FLEET_XYZZY", "unset it")])  # fmt: skip
def test_an_unknown_variable_is_refused(repository, name, fix):
    result = fleet("config", cwd=repository, **{name: "x"})
    assert result.exit_code == Exit.USAGE
    assert f"there is no setting {name}" in result.stderr
    assert fix in result.stderr


@pytest.mark.parametrize("command", ["lint", "explain", "graph"])
def test_every_command_refuses_an_unknown_variable(repository, command):
    assert fleet(command, cwd=repository, FLEET_ENVV="x").exit_code == Exit.USAGE


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.type is Type.SECRET], ids=lambda one: one.name)
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_secret_is_never_shown(repository, setting, output):
    result = fleet("config", "show", "--origin", "-o", output, cwd=repository, **{setting.variable: "s3cret\ns3cret"})
    assert "s3cret" not in result.output
    assert "(set)" in result.output


def test_variables_are_those_of_the_inventory():
    assert set(ALL) == {setting.variable for setting in SETTINGS if setting.variable}


def test_variables_of_others_are_left_alone():
    refuse_unknown({"FLEET_TEST_CLUSTER": "x", "FLEETWRIGHT_SERVICE": "x", "_FLEET_COMPLETE": "bash_source", "PATH": "/"})


def test_a_flag_counts_before_a_variable_before_the_file(repository):
    told = [
        shown(fleet("config", "-o", "json", cwd=repository)),
        shown(fleet("config", "-o", "json", cwd=repository, FLEET_ENV="production")),
        shown(fleet("config", "-o", "json", "--env", "trial", cwd=repository, FLEET_ENV="production")),
    ]
    assert [found["environment"] for found in told] == [
        ("trial", "fleet.yaml:7:3 defaultEnvironment"),
        ("production", "variable FLEET_ENV"),
        ("trial", "flag --env"),
    ]
    assert [found["registry"][0] for found in told] == ["localhost:5000", "registry.example/acme", "localhost:5000"]


def test_a_block_of_an_environment_replaces_the_fleets_as_a_whole(repository):
    path = repository / "fleet.yaml"
    text = path.read_text().replace("  environments:\n", "  sync: {interval: 5m, deadline: 3m}\n\n  environments:\n")
    path.write_text(text.replace("      unlocked: tag", "      sync: {interval: 30s}\n      unlocked: tag"))
    trial, production = (shown(fleet("config", "-o", "json", "--env", name, cwd=repository)) for name in ("trial", "production"))
    assert trial["sync interval"][0] == "30s"
    assert trial["sync interval"][1].endswith("environments.trial.sync.interval")
    assert trial["deadline"] == ("10m", "default")
    assert production["sync interval"][0] == "5m"
    assert production["deadline"][0] == "3m"
    assert production["unlocked"] == ("block", "default")


def test_text_tells_origins_when_asked(repository):
    plain = fleet("config", "show", cwd=repository).stdout
    origins = fleet("config", "show", "--origin", cwd=repository).stdout
    assert "fleet.yaml:" not in plain
    assert re.search(r"^unlocked +tag +fleet.yaml:\d+:7 environments.trial.unlocked$", origins, re.MULTILINE)


def test_a_password_in_a_url_is_hidden(repository):
    told = fleet("config", cwd=repository, FLEET_LEDGER="postgresql://fleet:hunter2@db/fleet").stdout
    assert "hunter2" not in told
    assert "postgresql://fleet:***@db/fleet" in told


def test_an_unknown_environment_is_refused(repository):
    result = fleet("config", "--env", "prodution", cwd=repository)
    assert result.exit_code == Exit.USAGE
    assert "did you mean" in result.stderr
