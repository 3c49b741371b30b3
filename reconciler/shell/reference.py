"""The reference pages of `docs/reference/`, generated from what the program itself goes by."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping

import click

from reconciler.core.schema import schemas
from reconciler.kinds import KINDS
from reconciler.model.kind import Kind
from reconciler.shell import cli, exits
from reconciler.shell.codes import codes
from reconciler.shell.crds_page import crds_lines
from reconciler.shell.exits import Exit
from reconciler.shell.fields import FLEET_KIND, Field, Inside, document
from reconciler.shell.settings import OTHERS, SETTINGS, default_of, keys

_BY = "Written by `fleet schema --reference docs/reference`; edits are lost.\n"
_WIDTH = 110
_MEANING: Mapping[str, str] = {
    "lint": "0 no errors, 1 errors; with `--strict` warnings count, too",
    "plan": "0 with or without changes, 1 on errors and blocks; with `--exit-code` 1 on changes",
    "diff, drift": "0 no differences, 1 differences",
    "apply": "0 all as desired, 1 refused before any write, 3 something failed, is held or blocked, 4 the deadline passed with nothing "
    "failed, 5 another writer or a stale plan",
    "wait": "0 healthy, 3 something failed, 4 the deadline passed",
    "doctor": "0 nothing fails, 1 something does",
    "operator install": "0 all as wanted, 1 refused before any write, 3 something failed",
    "images rescan": "0 all would pass the gate today, 1 something would not, 3 something could not be judged",
    "images baseline": "0 all that fails is waived, 1 something still fails, 3 something could not be judged",
    "images database": "0 good for a verdict, 1 missing, damaged or too old, 3 not fetched",
    "images verify": "0 all that counts verifies, 1 something does not, 2 the registry did not say",
    "images sign, publish, promote": "0 all done, 1 refused before anything was done, 3 something was not",
    "images explain": "0 the lock vouches for its verdict, 1 there is none that it vouches for",
    "images prev": "0 all is recorded or shown, 3 something that runs could not be",
    "images gc": "0 all that may go is shown or gone, 1 a lock or the history cannot be read, 3 nothing went, or it ended early",
    "images merge-lock": "0 merged, 1 a person has to look",
    "sbom search": "0 answered, 3 it is not known what is in some build",
    "sbom diff": "0 the same packages, 1 differences",
    "schema": "0, with `--check` 1 when what is written is not what would be",
}


def schema_files() -> Mapping[str, str]:
    """JSON Schemas by file name."""
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas(KINDS).items()}


def pages() -> Mapping[str, str]:
    """Every generated file of `docs/reference`, by its path there."""
    found = {
        "codes.md": _codes(),
        "commands.md": _commands(),
        "crds.md": _page("Custom resources", crds_lines()),
        "exit-codes.md": _exits(),
        "kinds.md": _kinds(),
        "settings.md": settings_page(),
    }
    return found | {f"schema/{name}": text for name, text in schema_files().items()}


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", _BY, *lines]).rstrip() + "\n"


def _codes() -> str:
    lines = ["What `fleet lint` and `fleet plan` find. A code is never given to anything else. `fleet explain CODE` prints the same.", ""]
    for code in codes().values():
        lines += [f"## {code.id}: {code.title}", "", f"*{code.severity}*", "", *_prose(code.about), ""]
    return _page("Codes of findings", lines)


def _prose(text: str) -> Iterator[str]:
    """Paragraphs as they are; examples, which are indented, as code."""
    inside = False
    for line in text.splitlines():
        if line.startswith("    ") != inside:
            inside = not inside
            if inside:
                yield ""
            yield "```yaml" if inside else "```"
        yield line[4:] if inside else line
    if inside:
        yield "```"


def _commands() -> str:
    group = cli.cli
    lines: list[str] = []
    with click.Context(group, info_name="fleet", **{**group.context_settings, "terminal_width": _WIDTH}) as above:
        for name in cli.COMMANDS:
            command = group.get_command(above, name)
            assert command is not None
            lines += _help(command, above, name)
    return _page("Commands", lines)


def _help(command: click.Command, above: click.Context, name: str) -> Iterator[str]:
    """A command's help, and that of the commands below it."""
    with click.Context(command, above, info_name=name) as context:
        yield from (f"## {context.command_path}", "", "```text", command.get_help(context), "```", "")
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                inner = command.get_command(context, below)
                assert inner is not None
                yield from _help(inner, context, below)


def _exits() -> str:
    told = _told_members()
    lines = ["| code | name | meaning |", "| --- | --- | --- |"]
    lines += [f"| {int(code)} | {code.name.lower()} | {told.get(code.name, '')} |" for code in Exit]
    lines += ["", "## By command", "", "| command | codes |", "| --- | --- |"]
    lines += [f"| `fleet {command}` | {meaning} |" for command, meaning in _MEANING.items()]
    lines += ["", "Any command: 2 for wrong usage and for a target that does not answer, 130 when interrupted."]
    return _page("Exit codes", lines)


def _told_members() -> Mapping[str, str]:
    """The docstrings that stand below the members of `Exit`."""
    body = next(node.body for node in ast.parse(inspect.getsource(exits)).body if isinstance(node, ast.ClassDef))
    told: dict[str, str] = {}
    name = ""
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                told[name] = text
            case _:
                pass
    return {"OK": "All went as asked.", "INTERRUPTED": "Interrupted by a person; the inventory is consistent."} | told


def settings_page() -> str:
    """The page of all settings."""
    lines = ["A flag counts before a variable, a variable before `fleet.yaml`, that before the default. `fleet config --origin` says which"]
    lines += ["one gave each value. A `FLEET_*` variable that is not on this page is refused.", ""]
    lines += ["| setting | flag | variable | key in fleet.yaml | type | default |", "| --- | --- | --- | --- | --- | --- |"]
    for setting in SETTINGS:
        cells = (_code(setting.flag), _code(setting.variable), "<br>".join(_code(key) for key in keys(setting)), str(setting.type))
        lines.append(f"| **{setting.name}**: {setting.about} | {' | '.join(cells)} | {_code(default_of(setting))} |")
    lines += ["", "## Variables of others", "", "| variable | what it does here |", "| --- | --- |"]
    lines += [f"| {_code(name)} | {about} |" for name, about in OTHERS.items()]
    return _page("Settings", lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _kinds() -> str:
    lines = ["`fleet explain KIND.FIELD` prints the same. A field in bold must be given.", ""]
    lines += ["| kind | where | what |", "| --- | --- | --- |"]
    parts = [(kind, document(kind)["spec"]) for kind in (FLEET_KIND, *KINDS)]
    lines += [f"| [{kind.name}](#{kind.name.lower()}) | `{_path(kind)}` | {_cell(inside.about)} |" for kind, inside in parts]
    for kind, inside in parts:
        lines += ["", f"## {kind.name}", "", *_tables(kind.name, inside)]
    return _page("Kinds", lines)


def _path(kind: Kind) -> str:
    if not kind.folder:
        return "fleet.yaml"
    return f"specs/{kind.folder}/{'TENANT/' if kind.scope == 'tenant' else ''}NAME.yaml"


def _tables(path: str, inside: Inside) -> Iterator[str]:
    yield from (inside.about.replace("\n", " "), "", "| field | takes | default | what |", "| --- | --- | --- | --- |")
    below: dict[str, Inside] = {}
    for field in inside.fields():
        yield _row(field)
        if field.inside is not None:
            below[f"{path}.{field.name}"] = field.inside
    for name, inner in below.items():
        yield from ("", f"### {name}", "", *_tables(name, inner))


def _row(field: Field) -> str:
    name = f"**`{field.name}`**" if field.is_required else f"`{field.name}`"
    such = f", such as {', '.join(map(_code, field.examples))}" if field.examples else ""
    about = field.about or (field.inside.about if field.inside is not None else "")
    return f"| {name} | {_cell(field.takes)}{such} | {_code(field.default)} | {_cell(about)} |"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
